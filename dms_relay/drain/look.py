"""Looks at the queue's files, and at the sessions of smtpd(8), as often as a drain wants: starts no program.

Reads, and ends the sessions that it is told to end. A message that moves meanwhile is counted twice rather than not at
all: the directories are read in the order in which a message passes through them.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from dms_relay.model.values import frozen
from dms_relay.postfix.drained import REPLY
from dms_relay.postfix.processes import children, command
from dms_relay.postfix.queue_files import files_of

#: The queues of mail to deliver now (qmgr(8), "Mail queues"), and of mail that waits for the next try. ``hold`` waits for
#: a person.
_NOW, _LATER = ("maildrop", "incoming", "active"), "deferred"
#: cleanup(8) sets the owner's execute bit on a queue file once it is complete (mail_queue(3)).
_COMPLETE = 0o100
_SESSION = "smtpd"


@frozen
class Count:
    """The number of messages to deliver now, and of those that wait for the next try."""

    now: int
    later: int

    @property
    def all(self) -> int:
        """The number of all messages."""
        return self.now + self.later


def count(queue: Path) -> Count:
    """Count the messages in a queue directory."""
    now = sum(_number(queue / name) for name in _NOW)
    later = _number(queue / _LATER)
    # Messages that the queue manager moved here while we read.
    return Count(max(now, sum(_number(queue / name) for name in _NOW[1:])), later)


def is_receiving(queue: Path) -> bool:
    """Return True if a message is being written: its sender is not done, and has no reply yet."""
    return any(map(_is_incomplete, files_of(queue / "incoming")))


def _is_incomplete(entry: os.DirEntry[str]) -> bool:
    with suppress(FileNotFoundError):
        return not entry.stat(follow_symlinks=False).st_mode & _COMPLETE
    return False


def _number(directory: Path) -> int:
    return sum(1 for _ in files_of(directory))


def sessions(master: int) -> list[int]:
    """Return the processes of smtpd(8) that a master daemon started before mail was refused: each has an open session.

    A process without a session ends when Postfix is reloaded; later ones have the refusal in their arguments.
    """
    return [number for number in children(master) if command(number) == _SESSION and not _refuses(number)]


def _refuses(number: int) -> bool:
    try:
        return REPLY.encode() in Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return True  # it has ended


def end(numbers: list[int]) -> None:
    """End sessions, by the numbers of their processes."""
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
