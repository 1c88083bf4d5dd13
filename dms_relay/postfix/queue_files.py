"""Counts the files of Postfix's queue without a Postfix program: quick for a queue of any size.

Only reads. Raises ``PermissionError`` if we may not read the queue: it is only for root and Postfix. A message that moves
meanwhile may be counted twice, or not at all.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: The queues (qmgr(8), "Mail queues"), in the order in which a message passes them.
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
#: Maximum files to open for arrival times: at 10 us each, from memory, that is 0.05 s.
OPENED_MAX = 5000
#: Octets at the start of a file that contain the time: in the second record, or the first (cleanup(8), postdrop(1)).
_HEAD = 256
#: A time record: its type, its length in one octet, seconds since 1970 (rec_type.h, REC_TYPE_TIME).
_TIME = re.compile(rb"T[\x01-\x7f](\d{9,11})(?: |$|[^\d])")


class Queued(NamedTuple):
    """The number of waiting messages, and when the oldest arrived, in seconds since 1970; ``None`` if not known."""

    messages: int
    oldest: int | None


def queued(queue: Path) -> Queued:
    """Return the waiting messages of a queue directory; with more than ``OPENED_MAX``, without the arrival time."""
    found = (entry.path for name in QUEUES for entry in files_of(queue / name))
    first = list(islice(found, OPENED_MAX))
    rest = sum(1 for _ in found)
    return Queued(len(first) + rest, None if rest else min(_arrivals(first), default=None))


def files_of(directory: str | Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files of a queue, whose directories may be nested (postconf(5), hash_queue_names)."""
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files_of(entry.path)
            else:
                yield entry


def _arrivals(paths: Iterable[str]) -> Iterator[int]:
    for path in paths:
        with suppress(OSError), open(path, "rb", buffering=0) as file:  # noqa: PTH123 -- 5,000 of them, or gone by now
            if found := _TIME.search(file.read(_HEAD)):
                yield int(found[1])
