"""One SMTP connection, line by line (RFC 5321, section 4).

Not smtplib: that tries the same password with every mechanism in turn, which locks accounts; and its time limit restarts
with each octet, so that a slow server can hold it forever.

Raises ``StepError`` if the server is late, disconnects, or does not speak SMTP. No error text contains a secret.
"""

from __future__ import annotations

import re
import ssl
import time
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from dms_relay.relay_test.outcome import Failure, StepError
from dms_relay.relay_test.replies import Reply

if TYPE_CHECKING:
    import socket

    from dms_relay.relay_test.secrets import Secrets

#: Maximum octets of one line of a reply: RFC 5321 allows 512, RFC 4954 for AUTH 12288.
LINE_MAX = 12288
#: Maximum lines of one reply; EHLO lists one extension on each.
LINES_MAX = 200
_CHUNK = 4096
#: Seconds for a write when none are left: it goes into a buffer, and only the answer is late.
_MOMENT = 0.01
_REPLY = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)


class SmtpConnection:
    """A socket that speaks SMTP; ``timeout`` is in seconds for each whole reply, ``deadline`` is the end of the session."""

    def __init__(self, sock: socket.socket, timeout: float, secrets: Secrets, deadline: float = inf) -> None:
        """Wrap a connected socket, with or without TLS. ``deadline`` is on the monotonic clock."""
        self.socket = sock
        self.timeout = timeout
        self.deadline = deadline
        self.secrets = secrets
        self._buffer = b""

    def ask(self, line: str, what: str) -> Reply:
        """Send a line and read the reply; ``what`` names the line in errors, since it may contain a secret."""
        if "\r" in line or "\n" in line or "\0" in line:
            raise ValueError("a line of SMTP with a line end in it")
        try:
            self.send(f"{line}\r\n".encode("utf-8", "surrogateescape"), what)
        except StepError as error:
            return self._last_words(error)
        return self.read(f"answer to {what}")

    def _last_words(self, error: StepError) -> Reply:
        """Return what the server said before it closed the connection; raise the error if it said nothing."""
        with suppress(StepError):
            return self.read("last words")
        raise error

    def send(self, data: bytes, what: str) -> None:
        """Send octets as they are."""
        self.socket.settimeout(max(min(self.timeout, self.deadline - time.monotonic()), _MOMENT))
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise StepError(Failure.TIMED_OUT, f"{what} could not be sent within {self.timeout:g} s") from None
        except OSError as error:
            raise StepError(Failure.LOST, f"the connection broke at {what}: {reason_of(error)}") from None

    def read(self, what: str) -> Reply:
        """Read one reply, of one line or several; the time limit is for the whole reply. ``what`` names it."""
        end = min(time.monotonic() + self.timeout, self.deadline)
        lines: list[str] = []
        while len(lines) < LINES_MAX:
            match = _REPLY.fullmatch(self._line(what, end))
            if match is None:
                raise StepError(Failure.NOT_SMTP, f"the {what} is not SMTP")
            lines.append((match[3] or b"").decode("utf-8", "replace"))
            if match[2] != b"-":
                code = int(match[1])
                return Reply(code, tuple(lines), self.secrets.hide(f"{code} {' '.join(lines)}"))
        raise StepError(Failure.NOT_SMTP, f"the {what} has more than {LINES_MAX} lines")

    def _line(self, what: str, end: float) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_MAX:
                raise StepError(Failure.NOT_SMTP, f"the {what} has a line of more than {LINE_MAX} octets")
            self._buffer += self._receive(what, end)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def _receive(self, what: str, end: float) -> bytes:
        late = StepError(Failure.TIMED_OUT, f"no {what} within {self.timeout:g} s")
        left = end - time.monotonic()
        if left <= 0:
            raise late
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(_CHUNK)
        except TimeoutError:
            raise late from None
        except OSError as error:
            raise StepError(Failure.LOST, f"the connection broke before the {what}: {reason_of(error)}") from None
        if not data:
            raise StepError(Failure.LOST, f"the server closed the connection before the {what}")
        return data

    def take_over(self, sock: socket.socket) -> None:
        """Continue inside TLS. Discard what the server sent before: an attacker may have sent it (CVE-2011-0411)."""
        self.socket = sock
        self._buffer = b""


def reason_of(error: OSError) -> str:
    """Return why a connection broke, in words: OpenSSL's own texts are for its programmers."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "closed by the server"
    if isinstance(error, ssl.SSLError):
        return (error.reason or type(error).__name__).replace("_", " ").lower()
    return error.strerror or type(error).__name__
