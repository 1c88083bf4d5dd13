"""Looks at the queue's files, and at the sessions of smtpd(8), as often as a drain wants: no program is started for it.

Reads; of other processes it ends the sessions that it is told to end. A message that moves while it is looked for is
counted twice rather than not at all: the directories are read in the order that it takes, to its end and to the next try.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from dms_relay.model.values import frozen
from dms_relay.postfix.processes import children, command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    return any(map(_is_incomplete, _files(queue / "incoming")))


def _is_incomplete(entry: os.DirEntry[str]) -> bool:
    with suppress(FileNotFoundError):
        return not entry.stat(follow_symlinks=False).st_mode & _COMPLETE
    return False


def _number(directory: Path) -> int:
    return sum(1 for _ in _files(directory))


def _files(directory: str | Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files of a queue, whose directories may be nested (postconf(5), hash_queue_names)."""
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                yield entry


def sessions(master: int) -> list[int]:
    """Return the processes of smtpd(8) that a master daemon has started."""
    return [number for number in children(master) if command(number) == _SESSION]


def still_open(numbers: list[int]) -> list[int]:
    """Return those of them that have not ended."""
    return [number for number in numbers if command(number) == _SESSION]


def end(numbers: list[int]) -> None:
    """End sessions."""
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
