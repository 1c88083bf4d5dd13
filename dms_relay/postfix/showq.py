"""Runs ``postqueue -j`` and yields its output line by line, since a queue can be too long for memory (postqueue(1)).

``child`` keeps all output of a program; this module keeps only one line. If the caller stops reading, by an error or because
it has read enough, the program is ended. Raises ``PostfixError`` if postqueue is missing or fails, even after some lines.

If Postfix does not run, postqueue reads the queue's files itself, for root only (seen, 3.7). Known limits: only the first
``_ERROR_MAX`` octets of standard error are kept.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
from typing import TYPE_CHECKING

from dms_relay.errors import PostfixError
from dms_relay.postfix.child import TimeoutExpired, which, why_not_run
from dms_relay.postfix.programs import PROGRAM_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

_PROGRAM = "postqueue"
#: Maximum octets of a line: a message with 100,000 recipients, each with a reason of 600 octets.
LINE_MAX = 1 << 26
#: Octets to read at once: the capacity of a pipe (pipe(7)).
_CHUNK = 1 << 16
#: Octets of standard error that are kept: a few lines.
_ERROR_MAX = 1 << 14
#: Part of a message that is no error.
_WARNING = " warning: "
_QUOTED = re.compile(r'"[^"]*"')


def queue_lines(directory: Path, timeout: float = PROGRAM_TIMEOUT) -> Iterator[bytes]:
    """Yield a line of JSON for each message in the queue of the Postfix with this configuration directory.

    ``timeout`` is how many seconds postqueue may be silent; time that the reader takes does not count.
    """
    if (path := which(_PROGRAM)) is None:
        remedy = "install Postfix, or add its directory, often /usr/sbin, to PATH"
        raise PostfixError(f"{_PROGRAM} is not found", remedy, program=_PROGRAM)
    try:
        code, warned = yield from _lines([path, "-c", str(directory), "-j"], timeout)
    except (OSError, TimeoutExpired) as error:
        text, remedy = why_not_run(error, timeout)
        raise PostfixError(f"{_PROGRAM} -j cannot be run: {text}", remedy, program=_PROGRAM) from None
    if code:
        said = (line.strip() for line in warned.decode("utf-8", "replace").splitlines() if _WARNING not in line)
        # A message about main.cf quotes the value, login and all.
        reason = _QUOTED.sub('"…"', "; ".join(line for line in said if line))
        text = f"{_PROGRAM} -j failed with exit code {code}: {reason or 'without a message'}"
        raise PostfixError(text, program=_PROGRAM, program_code=code, reason=reason)


def _lines(command: list[str], timeout: float) -> Generator[bytes, None, tuple[int, bytes]]:
    """Yield each line without its end; return the exit code, and the program's standard error."""
    environ = {key: os.environ[key] for key in ("PATH", "TZ") if key in os.environ}
    with subprocess.Popen(  # noqa: S603 -- a Postfix program, by its path
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        warned = bytearray()
        try:
            yield from _split(_chunks(program, warned, timeout))
            return program.wait(timeout), bytes(warned)
        except subprocess.TimeoutExpired:
            raise TimeoutExpired from None
        finally:
            program.kill()


def _chunks(program: subprocess.Popen[bytes], warned: bytearray, timeout: float) -> Iterator[bytes]:
    """Yield the program's standard output; append its standard error to ``warned``."""
    stdout, stderr = (stream.fileno() for stream in (program.stdout, program.stderr) if stream)
    poll = select.poll()
    poll.register(stdout, select.POLLIN)
    poll.register(stderr, select.POLLIN)
    left = {stdout, stderr}
    while left:
        if not (ready := poll.poll(timeout * 1000)):
            raise TimeoutExpired
        for descriptor, _ in ready:
            if not (chunk := os.read(descriptor, _CHUNK)):
                poll.unregister(descriptor)
                left.discard(descriptor)
            elif descriptor == stdout:
                yield chunk
            elif len(warned) < _ERROR_MAX:
                warned += chunk


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        parts.append(first)
        size += len(first)
        if size > LINE_MAX:
            raise PostfixError(f"{_PROGRAM} -j: a line is longer than {LINE_MAX} octets", program=_PROGRAM)
        if rest:
            yield b"".join(parts)
            yield from rest[:-1]
            parts, size = [rest[-1]], len(rest[-1])
    if size:
        yield b"".join(parts)
