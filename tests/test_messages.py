"""Messages that point an operator to what is wrong around the inputs, rather than in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.box import Box
from tests.console import of_level, said

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_configuration_directory_that_is_not_there(box: Box) -> None:
    """Where nothing is set, a mount that was forgotten is said: mail would go out directly, without a word."""
    box.config_dir.rmdir()
    result = Box.run(box, "show", env={})
    assert result.code == os.EX_NOINPUT  # named on the command line, it has to be there
    assert "is not a directory -- name the directory with the inputs" in result.err


def test_a_forgotten_mount(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory that is read where none is named may be missing; it is a warning where no relay is set."""
    missing = box.config_dir / "nowhere"
    monkeypatch.setattr("dms_relay.model.Paths.__init__.__defaults__", (missing, box.postfix_dir))
    monkeypatch.setattr(box, "arguments", lambda *command: list(command))
    text = "there is no such directory, and no relay is set: mail goes out directly"
    expected = [f"{missing}: {text} -- mount the directory there, or set DEFAULT_RELAY_HOST"]
    assert of_level(box.run("apply"), "warn") == expected
    env = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "u", "RELAY_PASSWORD": "p"}
    assert of_level(box.run("apply", env=env), "warn") == []


def test_no_postfix_directory(box: Box) -> None:
    """Without Postfix's directory every command that needs it says the same, with exit code 66."""
    box.postfix_dir.rename(box.postfix_dir.with_name("elsewhere"))
    for command in ("apply", "plan"):
        result = box.run(command, env={"DEFAULT_RELAY_HOST": "r.test"})
        assert result.code == os.EX_NOINPUT
        problem = f"{box.main_cf}: cannot be read: No such file or directory"
        assert said(result)[-1] == ("error", f"{problem} -- install Postfix, or name its directory with --postfix-dir")


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Refuse to read one file, as for a user without rights; root, as whom the tests may run, is refused nothing."""
    read_bytes = Path.read_bytes

    def deny(name: str) -> None:
        def read(path: Path) -> bytes:
            if path.name == name:
                raise PermissionError(13, "Permission denied", str(path))
            return read_bytes(path)

        monkeypatch.setattr(Path, "read_bytes", read)

    return deny


def test_an_input_that_this_user_may_not_read(box: Box, denied: Callable[[str], None]) -> None:
    """What to do is to run as root, not to take the file away."""
    box.write("postfix-relaymap.cf", "@a.test [r.test]\n")
    denied("postfix-relaymap.cf")
    result = box.run("apply")
    text = "postfix-relaymap.cf: cannot be read: Permission denied -- run as root, or let this user read it"
    assert of_level(result, "error")[-1] == text
    assert result.code == os.EX_NOINPUT


def test_a_memory_that_this_user_may_not_read(box: Box, denied: Callable[[str], None]) -> None:
    """Nobody is told to take away what is needed to put parameters back."""
    box.apply(DEFAULT_RELAY_HOST="[r.test]")
    denied("dms-relay.state.json")
    result = box.run("plan", env={"DEFAULT_RELAY_HOST": "[r.test]"})
    state = box.postfix_dir / "dms-relay.state.json"
    assert of_level(result, "error") == [f"{state} cannot be read: Permission denied -- run as root"]
    assert result.code == os.EX_CANTCREAT


def test_an_empty_plan(box: Box) -> None:
    """Nothing on standard output, for scripts; a line in the log, for a person."""
    result = box.run("plan")
    assert (result.out, said(result), result.code) == ("", [("info", "nothing to do")], 0)


@pytest.mark.parametrize("name", ["DEFAULT_RELAY_HOST", "RELAY_HOST"])
@pytest.mark.parametrize("sign", ['"', "'"])
def test_quotes_around_a_value(box: Box, name: str, sign: str) -> None:
    """An env file of docker keeps quotes as a part of the value; the message says so."""
    result = box.run("apply", env={name: f"{sign}r.test{sign}"})
    assert of_level(result, "error")[-1] == f"env {name}: the value stands in quotes -- take the quotes away"


def test_an_option_in_the_wrong_place(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    """An option of the program after the command: where it stands is said, and nothing else of the line is shown."""
    with pytest.raises(SystemExit) as caught:
        box.run("plan", "--config-dir", "s3cret")
    assert caught.value.code == 2
    del capsys
