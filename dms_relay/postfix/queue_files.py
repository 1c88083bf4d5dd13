"""The files of Postfix's queue, counted without a program of Postfix's: quick for a queue of any size.

Reads only. What may not be read raises ``PermissionError``: the queue is for root and Postfix alone. A message that moves
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

#: Where messages wait (qmgr(8), "Mail queues"), in the order that each takes.
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
#: How many files are opened at most, to see when their messages arrived: at 10 us each, from memory, that is 0.05 s.
OPENED_MAX = 5000
#: Octets of a file in which the time stands: the second record, or the first one (cleanup(8), postdrop(1)).
_HEAD = 256
#: A record of that kind: its sign, its length in an octet, seconds since 1970 (rec_type.h, REC_TYPE_TIME).
_TIME = re.compile(rb"T[\x01-\x7f](\d{9,11})(?: |$|[^\d])")


class Queued(NamedTuple):
    """How many messages wait, and when the oldest arrived, in seconds since 1970: ``None`` where that is not known."""

    messages: int
    oldest: int | None


def queued(queue: Path) -> Queued:
    """Return what waits in a queue directory; of more than ``OPENED_MAX`` messages, not since when."""
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
