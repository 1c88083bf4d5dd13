"""Looks at the queue's files, and at the sessions of smtpd(8), as often as a drain wants: no program is started for it.

Reads; of other processes it ends the sessions that it is told to end. A message that moves while it is looked for is
counted twice rather than not at all: the directories are read in the order that it takes, to its end and to the next try.
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

#: What is to be delivered now (qmgr(8), "Mail queues"), and what waits for the next try. ``hold`` waits for a person.
_NOW, _LATER = ("maildrop", "incoming", "active"), "deferred"
#: A queue file that cleanup(8) has written to its end may be executed by its owner (mail_queue(3)).
_COMPLETE = 0o100
_SESSION = "smtpd"


@frozen
class Count:
    """How many messages are to be delivered now, and how many wait for the next try."""

    now: int
    later: int

    @property
    def all(self) -> int:
        """All of them."""
        return self.now + self.later


def count(queue: Path) -> Count:
    """Count the messages in a queue directory."""
    now = sum(_number(queue / name) for name in _NOW)
    later = _number(queue / _LATER)
    # The queue manager has moved them while we read: from there to here.
    return Count(max(now, sum(_number(queue / name) for name in _NOW[1:])), later)


def is_receiving(queue: Path) -> bool:
    """Return True if a message is being written: somebody is about to send it, and has no answer yet."""
    return any(map(_is_incomplete, files_of(queue / "incoming")))


def _is_incomplete(entry: os.DirEntry[str]) -> bool:
    with suppress(FileNotFoundError):
        return not entry.stat(follow_symlinks=False).st_mode & _COMPLETE
    return False


def _number(directory: Path) -> int:
    return sum(1 for _ in files_of(directory))


def sessions(master: int) -> list[int]:
    """Return the processes of smtpd(8) that a master daemon started before mail was refused: each has an open session.

    One without a session ends when Postfix is reloaded; those that are started later have the refusal among their arguments.
    """
    return [number for number in children(master) if command(number) == _SESSION and not _refuses(number)]


def _refuses(number: int) -> bool:
    try:
        return REPLY.encode() in Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return True  # it has ended


def end(numbers: list[int]) -> None:
    """End sessions."""
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
