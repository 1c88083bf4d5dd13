"""Times: one way of writing them, for each option and each variable that takes one."""

from __future__ import annotations

import re

import pytest

from dms_relay.arguments import parse
from dms_relay.model import times

GOOD = {"90": 90, "90s": 90, "5m": 300, "1h": 3600, "2d": 172_800, "1w": 604_800, "0.5": 0.5, "30S": 30, " 5 m ": 300}
WRONG = ("", "s", "-1", "1e3", "inf", "nan", "1h30m", "5 min", "1y", "٣", "9" * 5000, "1,5")
#: A command with each option that takes a time.
OPTIONS = (("drain", "--timeout"), ("test", "--timeout"), ("watch", "--interval"), ("apply", "--lock-timeout"))


@pytest.mark.parametrize("text", GOOD)
def test_times(text: str) -> None:
    """A number is one of seconds, unless there is a unit of postconf(5) behind it."""
    assert times.seconds(text) == GOOD[text]


@pytest.mark.parametrize("text", WRONG)
def test_no_times(text: str) -> None:
    """Anything else is none."""
    assert times.seconds(text) is None


@pytest.mark.parametrize(
    ("number", "text"), [(0.1, "0.1s"), (90, "90s"), (300, "5m"), (3600, "1h"), (2_592_000, "30d")]
)
def test_shown(number: float, text: str) -> None:
    """A time is shown in its largest whole unit, and is read back as it is."""
    assert (times.shown(number), times.seconds(text)) == (text, number)


@pytest.mark.parametrize(("command", "option"), OPTIONS)
@pytest.mark.parametrize("text", ["soon", "1e3", "\x1b[31m", "nan", ""])
def test_each_option_says_what_it_takes(
    capsys: pytest.CaptureFixture[str], command: str, option: str, text: str
) -> None:
    """What is no time is refused with what to write; what was written is not echoed to the terminal."""
    with pytest.raises(SystemExit) as ended:
        parse([command, f"{option}={text}"], "dms-relay")
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert re.search(rf"{option}: this is not a time.* -- write seconds, 90s, 5m, or 1h", said)
    assert "\x1b" not in said


@pytest.mark.parametrize(("command", "option"), OPTIONS)
@pytest.mark.parametrize("text", ["1h", "90s", "5m", "0.5", "1H"])
def test_each_option_takes_the_same(command: str, option: str, text: str) -> None:
    """A time that Postfix would take is read by each; a limit of a command's own is looked at later."""
    found = vars(parse([command, option, text], "dms-relay"))
    assert found[option.removeprefix("--").replace("-", "_")] == times.seconds(text)
