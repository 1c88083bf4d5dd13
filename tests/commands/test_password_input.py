"""How ``add-auth`` gets a password: asked for, on standard input, on the command line; and that it shows nowhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from shutil import which
from typing import TYPE_CHECKING

import pytest

from dms_relay.cli import main
from tests.support.console import of_level
from tests.support.scene import programs_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

LOGINS = "postfix-sasl-password.cf"
SECRET = "s3cret-P4ss"
WARNING = (
    "PASSWORD: the password is now in the shell's history, and other users could see it in the list of processes -- "
    "leave it out to get a prompt, or use --password-stdin"
)


def stored(sandbox: Sandbox) -> str | None:
    """Return the file's text, ``None`` where there is none."""
    path = sandbox.config_dir / LOGINS
    return path.read_text() if path.exists() else None


def command(sandbox: Sandbox, *words: str) -> list[str]:
    """Return the command line of a process of its own."""
    return [sys.executable, "-m", "dms_relay", *sandbox.arguments("add-auth", *words, "--no-apply")]


def piped(sandbox: Sandbox, data: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command with ``data`` on standard input."""
    return subprocess.run(command(sandbox, *words), input=data, capture_output=True, check=False, timeout=60)


class Terminal:
    """A person at a terminal, who types when asked."""

    def __init__(self, sandbox: Sandbox, *words: str) -> None:
        """Start the command on a terminal of its own."""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, command(sandbox, *words))  # noqa: S606 -- the child of a fork
        self.shown = b""

    def answer(self, prompt: bytes, *typed: bytes) -> None:
        """Wait for a prompt, then type."""
        deadline = time.monotonic() + 60
        while prompt not in self.shown:
            assert time.monotonic() < deadline, self.shown
            self._read()
        self.shown = self.shown.partition(prompt)[2]
        for keys in typed:
            os.write(self.descriptor, keys)

    def end(self) -> tuple[int, bytes]:
        """Return the exit code, and what was shown since the last prompt."""
        while self._read():
            pass
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), self.shown

    def _read(self) -> bool:
        try:
            data = os.read(self.descriptor, 4096)
        except OSError:  # Linux: the other side is gone
            return False
        self.shown += data
        return bool(data)


def test_asked_for_twice_without_echo(sandbox: Sandbox) -> None:
    """On a terminal it asks twice; what is typed is not shown."""
    person = Terminal(sandbox, "a.test", "user")
    person.answer(b"Password for @a.test: ", f"{SECRET} ü\n".encode())
    person.answer(b"Repeat the password: ", f"{SECRET} ü\n".encode())
    code, shown = person.end()
    assert (code, stored(sandbox)) == (0, f"@a.test  user:{SECRET} ü\n")
    assert b"@a.test logs in as user" in shown
    assert SECRET.encode() not in shown


def test_two_that_differ(sandbox: Sandbox) -> None:
    """A slip is found out: nothing is written, neither text is shown."""
    person = Terminal(sandbox, "a.test", "user")
    person.answer(b"Password for @a.test: ", f"{SECRET}\n".encode())
    person.answer(b"Repeat the password: ", f"{SECRET}x\n".encode())
    code, shown = person.end()
    assert (code, stored(sandbox)) == (2, None)
    assert b"the two passwords differ, so nothing was changed -- run the command again" in shown
    assert SECRET.encode() not in shown


def test_end_of_input_at_the_prompt(sandbox: Sandbox) -> None:
    """Ctrl-D ends it in order."""
    person = Terminal(sandbox, "a.test", "user")
    person.answer(b"Password for @a.test: ", b"\x04")
    code, shown = person.end()
    assert (code, stored(sandbox)) == (2, None)
    assert b"no password was entered, so nothing was changed" in shown


def test_interrupt_at_the_prompt(sandbox: Sandbox) -> None:
    """Ctrl-C ends it with 130, without a traceback."""
    person = Terminal(sandbox, "a.test", "user")
    person.answer(b"Password for @a.test: ", b"\x03")
    code, shown = person.end()
    assert (code, stored(sandbox)) == (130, None)
    assert b"Traceback" not in shown


def test_nothing_is_asked_where_an_argument_is_wrong(sandbox: Sandbox) -> None:
    """Who would type a password in vain is told first."""
    code, shown = Terminal(sandbox, "a*b.test", "user").end()
    assert code == 2
    assert b"Password" not in shown


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_standard_input(sandbox: Sandbox, end: bytes) -> None:
    """``--password-stdin`` takes all of it, but for one line end at its end."""
    done = piped(sandbox, f"{SECRET} \\1&ü".encode() + end, "a.test", "user", "--password-stdin")
    assert (done.returncode, stored(sandbox)) == (0, f"@a.test  user:{SECRET} \\1&ü\n")
    assert SECRET.encode() not in done.stdout + done.stderr
    assert b"history" not in done.stderr


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "standard input is empty -- with docker exec, add -i"),
        (b"\n", "PASSWORD: the password is empty"),
        (
            f"{SECRET}\n\n".encode(),
            "PASSWORD: the password ends in a line end, which a lookup table cannot hold",
        ),
        (
            f"{SECRET}\0".encode(),
            "PASSWORD: the password contains a line end or a NUL, which a lookup table cannot hold",
        ),
        (f"{SECRET}\xff".encode("latin-1"), "PASSWORD: it is not UTF-8 -- write it in UTF-8"),
        (f" {SECRET}".encode(), "PASSWORD: the password begins or ends with a space, which a lookup table cannot hold"),
        (
            SECRET.encode() * 10_000,
            "the password on standard input is longer than 65536 octets -- send only the password",
        ),
    ],
)
def test_wrong_standard_input(sandbox: Sandbox, data: bytes, message: str) -> None:
    """What Postfix's table cannot carry is refused with the reason: exit code 2, nothing written, nothing shown."""
    done = piped(sandbox, data, "a.test", "user", "--password-stdin")
    assert (done.returncode, stored(sandbox)) == (2, None)
    assert message in done.stderr.decode()
    assert SECRET.encode() not in done.stdout + done.stderr


def test_no_terminal_and_no_password(sandbox: Sandbox) -> None:
    """A script is not kept waiting: it is told how a password can come."""
    done = piped(sandbox, SECRET.encode(), "a.test", "user")
    assert (done.returncode, stored(sandbox)) == (2, None)
    text = "there is no password, and no terminal to ask for it -- use --password-stdin; or, with docker exec, add -it"
    assert text in done.stderr.decode()


def test_standard_input_is_a_terminal(sandbox: Sandbox) -> None:
    """It would show what is typed."""
    code, shown = Terminal(sandbox, "a.test", "user", "--password-stdin").end()
    assert (code, stored(sandbox)) == (2, None)
    assert b"standard input is a terminal, which would show the password -- leave out --password-stdin" in shown


def test_on_the_command_line(sandbox: Sandbox) -> None:
    """It works, with a warning that does not show it."""
    result = sandbox.run("add-auth", "a.test", "user", SECRET, "--no-apply")
    assert (result.code, stored(sandbox)) == (0, f"@a.test  user:{SECRET}\n")
    assert of_level(result, "warn") == [WARNING]
    assert SECRET not in result.out + result.err


@pytest.mark.parametrize("password", ["-", "-x", "-h2x", "--x", "-1", "--no", "---", "-p word", "--=$1"])
def test_a_hyphen_first(sandbox: Sandbox, password: str) -> None:
    """A password that begins with a hyphen is no option, wherever the options stand."""
    for words in (["a.test", "user", password, "--no-apply"], ["--no-apply", "a.test", "user", "--", password]):
        (sandbox.config_dir / LOGINS).unlink(missing_ok=True)
        assert sandbox.run("add-auth", *words).code == 0
        assert stored(sandbox) == f"@a.test  user:{password}\n"


@pytest.mark.parametrize(
    "slip", ["--pasword-stdin", "--password-stdn", "--no-aply", "--password", "--noapply", "--password=x"]
)
def test_a_slip_of_an_option_is_no_password(sandbox: Sandbox, slip: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is nearly an option is refused as one, and not stored as a password."""
    with pytest.raises(SystemExit) as ended:
        sandbox.run("add-auth", "a.test", "user", slip)
    assert (ended.value.code, stored(sandbox)) == (2, None)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["a.test", "user", SECRET, "more"], ["a.test", "user", "x", f"-{SECRET}"]])
def test_a_word_too_many(sandbox: Sandbox, words: list[str]) -> None:
    """A password with a blank that nobody quoted is refused, and no word of it is shown."""
    done = subprocess.run(command(sandbox, *words), capture_output=True, text=True, check=False)
    assert (done.returncode, stored(sandbox)) == (2, None)
    assert "error: unrecognized arguments: an extra word (not shown) or a mistyped option" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["add-auth", "a.test", "user", f"--password-stdin={SECRET}"],
        ["add-auth", "a.test", "user", f"--no-apply={SECRET}"],
        ["add-auth", "a.test", "user", f"--password={SECRET}"],
        ["--no-apply", "add-auth", "a.test", "user", f"-{SECRET}"],
        ["--json", "add-auth", "a.test", "user", f"--{SECRET}"],
        ["add-domain", "a.test", "user", f"-{SECRET}"],
        ["add-domain", "a.test", "user", f"--no-apply={SECRET}"],
        ["list", "add-auth", "a.test", "user", f"-{SECRET}"],
        ["list", f"--{SECRET}"],
    ],
)
def test_no_usage_error_shows_it(sandbox: Sandbox, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is mistyped around it, a usage error does not repeat what may be a password."""
    with pytest.raises(SystemExit) as ended:
        main([*sandbox.arguments(), *words], {})
    assert (ended.value.code, stored(sandbox)) == (2, None)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err


def test_an_unknown_command_is_answered_with_those_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that only completion uses is not offered."""
    with pytest.raises(SystemExit):
        main(["lst"], {})
    said = capsys.readouterr().err
    assert "'completion', 'schema', 'man')" in said


def test_a_byte_order_mark_on_standard_input(sandbox: Sandbox) -> None:
    """It is no part of a password: refused, as in a secret's file."""
    done = piped(sandbox, b"\xef\xbb\xbf" + SECRET.encode(), "a.test", "user", "--password-stdin")
    assert (done.returncode, stored(sandbox)) == (2, None)
    assert b"begins with a byte order mark -- save it as UTF-8 without one" in done.stderr


def test_not_utf_8_at_the_prompt(sandbox: Sandbox) -> None:
    """What the terminal sends in another encoding is refused, and not shown."""
    person = Terminal(sandbox, "a.test", "user")
    person.answer(b"Password for @a.test: ", b"p\xfc\n")
    code, shown = person.end()
    assert (code, stored(sandbox)) == (2, None)
    assert b"not UTF-8" in shown


def test_two_passwords(sandbox: Sandbox) -> None:
    """One on the command line and one on standard input: it is not guessed which."""
    done = piped(sandbox, b"x", "a.test", "user", SECRET, "--password-stdin")
    assert (done.returncode, stored(sandbox)) == (2, None)
    assert SECRET.encode() not in done.stderr


def test_no_program_is_given_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """No program that we start has the password in its arguments or its environment."""
    log = tmp_path / "arguments"
    script = f'{{ printf "%s\\n" "$0" "$@"; cat /proc/$$/environ; }} >> {log}\nexec {which("postmap")} "$@"'
    programs = programs_with(tmp_path, postmap=script, postfix="exit 1")
    arguments = [
        sys.executable,
        "-m",
        "dms_relay",
        *sandbox.arguments("add-auth", "[r.test]:25", "user", "--password-stdin"),
    ]
    sandbox.write("postfix-relaymap.cf", "@a.test [r.test]:25\n")
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "RELAY_PASSWORD": SECRET, "RELAY_TABLES": "cdb"}
    subprocess.run(arguments, input=SECRET, text=True, capture_output=True, check=True, env=env)
    assert sandbox.table("sasl_passwd") == {"[r.test]:25": f"user:{SECRET}"}
    said = log.read_bytes()
    assert b"programs/postmap\n" in said
    assert SECRET.encode() not in said
