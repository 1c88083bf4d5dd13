"""What is said, where and how: levels, formats, streams, help and usage."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dms_relay.cli import main
from dms_relay.log import LEVELS, Log
from tests.support.console import said
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.support.sandbox import Result

SECRET = "s3cret-P4ss"
ENV = {"RELAY_HOST": "relay.test", "RELAY_USER": "user", "RELAY_PASSWORD": SECRET, "RELAY_PASS": SECRET}
COMMANDS = ("apply", "plan", "show")
#: Those that take words, or do not look at the inputs.
OTHERS = (
    "list",
    "explain",
    "check",
    "test",
    "add-domain",
    "add-auth",
    "exclude-domain",
    "remove-domain",
    "remove-auth",
    "completion",
    "schema",
    "man",
)


def run(sandbox: Sandbox, command: str = "apply", **env: str) -> Result:
    """Run on a sandbox with two managed domains, one opted out."""
    sandbox.write("vhost", "a.test\nb.test\n")
    sandbox.write("postfix-relaymap.cf", "@b.test\n")
    return sandbox.run(command, env={**ENV, **env})


def parse(result: Result) -> list[dict[str, str]]:
    """Return each line of standard error as the JSON object that it is."""
    return [json.loads(line) for line in result.err.splitlines()]


@pytest.mark.parametrize("level", LEVELS)
def test_level(sandbox: Sandbox, level: str) -> None:
    """Each of the five levels of docker-mailserver shows its own lines and all that matter more."""
    shown = {found for found, _ in said(run(sandbox, LOG_LEVEL=level))}
    assert shown == set(LEVELS[: LEVELS.index(level) + 1]) - {"error"}


@pytest.mark.parametrize(("value", "meant"), [("WARN", "warn"), ("warning", "warn"), ("Info", "info"), ("", "info")])
def test_level_in_other_spellings(sandbox: Sandbox, value: str, meant: str) -> None:
    """Letter case does not count, ``warning`` is ``warn``, and empty is not set."""
    assert {found for found, _ in said(run(sandbox, LOG_LEVEL=value))} == set(LEVELS[1 : LEVELS.index(meant) + 1])


def test_the_command_line_wins(sandbox: Sandbox) -> None:
    """``--log-level`` and ``--log-format`` go before the environment."""
    sandbox.write("vhost", "a.test\n")
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        arguments = ["--log-level", "warn", "--log-format", "json", *sandbox.arguments("apply")]
        main(arguments, {**ENV, "LOG_LEVEL": "trace", "LOG_FORMAT": "console"})
    assert [json.loads(line)["level"] for line in err.getvalue().splitlines()] == ["warn"]


@pytest.mark.parametrize("command", COMMANDS)
def test_data_and_log_lines_are_apart(sandbox: Sandbox, command: str) -> None:
    """Data goes to standard output, all log lines to standard error, in both formats."""
    console = run(sandbox, command, LOG_LEVEL="trace")
    assert console.out
    assert said(console)
    assert "RELAY_PASS is not" in console.err
    assert "RELAY_PASS is not" not in console.out
    assert parse(run(sandbox, command, LOG_LEVEL="trace", LOG_FORMAT="json"))


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_password_at_any_level(sandbox: Sandbox, command: str, style: str) -> None:
    """The password is in no line, whatever the level and the format."""
    result = run(sandbox, command, LOG_LEVEL="trace", LOG_FORMAT=style)
    assert SECRET not in result.out + result.err


def test_json(sandbox: Sandbox) -> None:
    """Each line is one object with level, event and a time in UTC; fields stand for themselves."""
    lines = parse(run(sandbox, LOG_FORMAT="json", LOG_LEVEL="trace"))
    for line in lines:
        assert line["level"] in LEVELS
        assert line["event"]
        assert abs(datetime.now(UTC) - datetime.fromisoformat(line["timestamp"])) < timedelta(minutes=1)
    fields = [{key: value for key, value in line.items() if key != "timestamp"} for line in lines]
    assert fields[0] == {
        "level": "warn",
        "event": "RELAY_PASS is not a setting and has no effect",
        "origin": "env RELAY_PASS",
        "remedy": "set RELAY_PASSWORD",
    }
    assert {"level": "info", "event": "senders mapped", "nexthop": "[relay.test]:25", "senders": 1} in fields
    assert {
        "level": "info",
        "event": "domain opted out",
        "domain": "b.test",
        "origin": "postfix-relaymap.cf:1",
    } in fields


def test_json_of_wrong_inputs(sandbox: Sandbox) -> None:
    """An error in JSON has its origin and its remedy as fields; the headline stands before the errors."""
    lines = parse(run(sandbox, RELAY_PORT="0", LOG_FORMAT="json"))
    assert [line["event"] for line in lines[-2:]] == [
        "wrong inputs, nothing was changed",
        'port "0" is not a number from 1 to 65535',
    ]
    assert (lines[-1]["level"], lines[-1]["origin"]) == ("error", "env RELAY_PORT")
    assert lines[-1]["remedy"] == "write the relay's port, such as 587"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_colour_on_a_terminal_only(sandbox: Sandbox) -> None:
    """Colour codes go to a terminal, never to a file or a pipe; never in JSON."""
    assert "\x1b" not in run(sandbox, LOG_LEVEL="trace").err
    terminal = Terminal()
    Log("info", "console", terminal).warn("x")
    assert "\x1b[" in terminal.getvalue()
    terminal = Terminal()
    Log("info", "json", terminal).warn("x")
    assert "\x1b" not in terminal.getvalue()


def called(*arguments: str) -> tuple[object, str, str]:
    """Run the command as a whole; give exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(arguments, {})
    return ended.value.code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("ends", ["released", "at the end", "by an error"])
def test_lines_that_are_held(ends: str) -> None:
    """They come in their order, before what follows, however that ends; and nothing is held afterwards."""
    stream = io.StringIO()
    lines = Log("info", "json", stream)
    with suppress(ZeroDivisionError), lines.hold():
        lines.info("one", field=1)
        lines.warn("two")
        lines.debug("not shown")
        assert stream.getvalue() == ""
        if ends == "released":
            lines.release()
            assert len(stream.getvalue().splitlines()) == 2
        elif ends == "by an error":
            raise ZeroDivisionError
        lines.info("three")
    lines.info("four")
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert events == [event for event in ("one", "two", "three", "four") if event != "three" or ends != "by an error"]


#: A line as docker-mailserver's own ``_log`` writes it: time as ``date --rfc-3339=seconds`` has it, level, program, text.
DMS_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d (ERROR|WARN |INFO |DEBUG|TRACE) dms-relay: (.*)")


@pytest.mark.parametrize("level", LEVELS)
def test_lines_like_those_of_docker_mailserver(sandbox: Sandbox, level: str) -> None:
    """``LOG_FORMAT=dms``: the same lines as on the console, in the looks of docker-mailserver's."""
    expected = said(run(sandbox, LOG_LEVEL=level))
    shutil.rmtree(sandbox.config_dir.parent)
    result = run(Sandbox(sandbox.config_dir.parent), LOG_LEVEL=level, LOG_FORMAT="dms")
    matches = [DMS_LINE.fullmatch(line) for line in result.err.splitlines()]
    found = [(match[1].strip().lower(), match[2]) for match in matches if match]
    assert len(found) == len(matches)
    assert found == expected
    assert SECRET not in result.err


def test_setup_relay() -> None:
    """``python -m dms_relay.setup_relay`` is the command under the name that users of docker-mailserver type."""
    done = subprocess.run(
        [sys.executable, "-m", "dms_relay.setup_relay", "help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: setup relay [-h]")
    assert "add-domain" in done.stdout


def test_help() -> None:
    """``--help`` names every command with a sentence, the options and the exit codes."""
    code, out, err = called("--help")
    assert (code, err) == (0, "")
    for word in (
        *COMMANDS,
        *OTHERS,
        "--config-dir",
        "--postfix-dir",
        "--log-level",
        "--log-format",
        "exit codes:",
        "78",
        "66",
    ):
        assert word in out


@pytest.mark.parametrize("command", [*COMMANDS, *OTHERS])
def test_help_of_a_command(command: str) -> None:
    """Each command has a help of its own."""
    code, out, err = called(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: dms-relay {command} ")


@pytest.mark.parametrize("words", [["-h"], ["--help", "apply"], ["--log-level", "info", "-h", "apply"]])
def test_the_help_names_all_commands(words: list[str]) -> None:
    """Also where a command stands behind, for which the parser would be made as far as that needs."""
    code, out, _ = called(*words)
    assert code == 0
    assert [word for word in (*COMMANDS, *OTHERS) if f"\n    {word} " not in out] == []


def test_version() -> None:
    """``--version`` names the program and its version."""
    code, out, _ = called("--version")
    assert code == 0
    assert out.split()[0] == "dms-relay"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "dms-relay: error: the following arguments are required: COMMAND"),
        (["aply"], "dms-relay: error: argument COMMAND: invalid choice: 'aply'"),
        (["show", "--yaml"], "dms-relay: error: unrecognized arguments: --yaml"),
        (["--log-level", "loud", "show"], "dms-relay: error: argument --log-level: invalid choice: 'loud'"),
    ],
)
def test_usage(arguments: list[str], message: str) -> None:
    """A command line that cannot be understood ends with 2, a usage line and the reason."""
    code, out, err = called(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: dms-relay ")
    assert err.splitlines()[-1].startswith(message)


def test_a_configuration_directory_that_is_missing(sandbox: Sandbox) -> None:
    """A directory that is named on the command line must be there: exit code 66."""
    sandbox.config_dir.rmdir()
    result = sandbox.run("apply", env=ENV)
    text = f"--config-dir: {sandbox.config_dir} is not a directory -- name the directory that contains the inputs"
    assert said(result) == [("error", text)]
    assert result.code == os.EX_NOINPUT


def test_postfix_dir_from_the_environment(sandbox: Sandbox) -> None:
    """``MAIL_CONFIG`` names Postfix's directory, as for Postfix's own programs; the command line goes before it."""
    sandbox.write("vhost", "a.test\n")
    arguments = ["--config-dir", str(sandbox.config_dir), "plan"]
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
        assert main(arguments, {**ENV, "MAIL_CONFIG": str(sandbox.postfix_dir)}) == 0
    assert f"+++ {sandbox.postfix_dir}/relayhost_map" in out.getvalue()
    assert sandbox.run("plan", env={**ENV, "MAIL_CONFIG": "/nowhere"}).code == 0


def test_missing_main_cf(sandbox: Sandbox) -> None:
    """Where there is no Postfix, the message names its main.cf and what to do: exit code 66."""
    sandbox.main_cf.unlink()
    for command in ("plan", "apply"):
        result = sandbox.run(command, env={"DEFAULT_RELAY_HOST": "r.test"})
        assert said(result)[-1] == (
            "error",
            (
                f"{sandbox.main_cf}: cannot be read: No such file or directory -- "
                "install Postfix, or name its directory with --postfix-dir"
            ),
        )
        assert result.code == os.EX_NOINPUT
    assert list(sandbox.postfix_dir.iterdir()) == []
