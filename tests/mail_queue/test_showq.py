"""postqueue's lines are read as they come, and what goes wrong with it is said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dms_relay.errors import PostfixError
from dms_relay.mail_queue import listing
from dms_relay.postfix import showq
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.showq import queue_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MESSAGE = (
    '{"queue_name": "deferred", "queue_id": "A1", "arrival_time": 7, "message_size": 3, "sender": "MAILER-DAEMON",'
    ' "recipients": [{"address": "b@x.test"}]}'
)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what puts a script in postqueue's place: a real one fails only where the machine is broken."""

    def write(script: str) -> None:
        path = tmp_path / "bin" / "postqueue"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return write


def test_lines(tmp_path: Path, program: Callable[[str], None]) -> None:
    """Each line comes whole, however the program writes it: in pieces, many at once, the last one without an end."""
    program("printf 'a'; sleep 0.1; printf 'b\\n\\ncc\\nlast'")
    assert list(queue_lines(tmp_path)) == [b"ab", b"", b"cc", b"last"]


def test_no_line_is_kept(tmp_path: Path, program: Callable[[str], None]) -> None:
    """A line is there before the next one is written; who stops reading ends the program."""
    program(f"echo $$ >{tmp_path}/pid; echo first; exec sleep 600")
    found = queue_lines(tmp_path)
    assert next(found) == b"first"
    found.close()  # type: ignore[attr-defined]
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_failure(tmp_path: Path, program: Callable[[str], None]) -> None:
    """A program that fails is an error with what it says, after the lines that it wrote; warnings are none."""
    program(
        "echo line; echo 'postqueue: warning: x' >&2; echo 'postqueue: fatal: malformed showq server response' >&2; exit 69"
    )
    found = queue_lines(tmp_path)
    assert next(found) == b"line"
    with pytest.raises(PostfixError) as caught:
        next(found)
    assert (
        caught.value.text == "postqueue -j failed with exit code 69: postqueue: fatal: malformed showq server response"
    )
    assert caught.value.program_code == os.EX_UNAVAILABLE


def test_silence(tmp_path: Path, program: Callable[[str], None]) -> None:
    """A program that says nothing for too long is an error, and has ended."""
    program("exec sleep 600")
    with pytest.raises(PostfixError, match=r"postqueue -j cannot be run: it did not end within 0\.2 s"):
        list(queue_lines(tmp_path, timeout=0.2))


def test_long_line(tmp_path: Path, program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without an end does not fill the memory."""
    monkeypatch.setattr(showq, "LINE_MAX", 1 << 20)
    program("exec cat /dev/zero")
    with pytest.raises(PostfixError, match="a line is longer than 1048576 octets"):
        list(queue_lines(tmp_path))


def test_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without postqueue, the remedy names what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PostfixError, match="postqueue is not found -- install Postfix"):
        list(queue_lines(tmp_path))


@pytest.mark.parametrize(
    "line", ["no JSON", "[]", "{}", MESSAGE.replace("7", '"x"'), MESSAGE.replace("[{", "{").replace("}]", "}")]
)
def test_unknown_form(tmp_path: Path, program: Callable[[str], None], line: str) -> None:
    """A message in an unknown form is an error: to leave it out would say that nothing waits."""
    (tmp_path / "main.cf").write_text("")
    program(f"cat <<'EOF'\n{line}\nEOF")
    with pytest.raises(PostfixError, match="in an unknown form"):
        list(listing(Postfix(tmp_path)))


def test_null_sender(tmp_path: Path, program: Callable[[str], None]) -> None:
    """The null sender is empty, also where main.cf has another name for it; a message not tried has no reason."""
    program(f"cat <<'EOF'\n{MESSAGE}\nEOF")
    (tmp_path / "main.cf").write_text("")
    [message] = listing(Postfix(tmp_path))
    assert (message.sender, message.arrived, message.size) == ("", 7.0, 3)
    assert [(recipient.address, recipient.reason) for recipient in message.recipients] == [("b@x.test", "")]
    (tmp_path / "main.cf").write_text("empty_address_recipient = nobody\n")
    [message] = listing(Postfix(tmp_path))
    assert message.sender == "MAILER-DAEMON"
