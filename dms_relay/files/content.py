"""Reads a file that somebody may be writing now, or that never ends; every file that others have written is read here.

Anything but a regular file is refused without blocking; so is a file larger than a limit, or one still being written after
``PATIENCE``. A file that has just changed and does not end with a line end may be incomplete: it is read again until it has
one or has rested, as Postfix does with "hot" files (readlline and dict_open). An old file, or one that ends with a line
end, costs no wait. Raises ``OSError``, with the reason in words.

Known limits: a file written in several steps counts as complete if a step has just ended with a whole line.
"""

from __future__ import annotations

import os
import stat
import time
from errno import EFBIG, EINVAL, EISDIR, ETXTBSY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

#: Maximum octets of an input, of main.cf and of master.cf: a million senders with their relays, ten times what we measure.
INPUT_MAX = 64 << 20
#: Maximum octets of a table and of the state file: each sender of the largest input may have a nexthop of 255 octets.
TABLE_MAX = 8 * INPUT_MAX
#: Seconds that a file without a final line end must rest to count as complete: as long as Postfix waits (readlline).
HOT = 2.0
#: Seconds that an empty file must rest: ``cat new > file`` empties it just before filling it, but it may stay empty.
HOT_EMPTY = 0.25
#: Seconds after which a file that is still being written is refused: no run holds its lock longer for such a file.
PATIENCE = 10.0
_INTERVAL = 0.05


def read_whole(path: Path, limit: int = INPUT_MAX) -> bytes:
    """Return the content of a regular file of lines."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor, not a path
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            number = EISDIR if stat.S_ISDIR(mode) else EINVAL
            raise OSError(number, os.strerror(number) if stat.S_ISDIR(mode) else "it is not a file")
        return read_open(file, limit)


def read_open(file: BinaryIO, limit: int = INPUT_MAX, *, has_lines: bool = True) -> bytes:
    """Return the content of an open file. Without ``has_lines``, up to ``limit`` octets; it is complete unless empty."""
    deadline = 0.0
    while True:
        # A sparse file can be huge without using disk space: do not read it.
        is_larger = has_lines and os.fstat(file.fileno()).st_size > limit
        found = b"" if is_larger else file.read(limit + has_lines)
        if is_larger or len(found) > limit:
            raise OSError(EFBIG, f"it is larger than {limit >> 20} MiB")
        if found.endswith(b"\n") or not _is_hot(os.fstat(file.fileno()), has_lines=has_lines):
            return found
        deadline = deadline or time.monotonic() + PATIENCE
        if time.monotonic() > deadline:
            raise OSError(ETXTBSY, "it is being written")
        time.sleep(_INTERVAL)
        file.seek(0)


def _is_hot(status: os.stat_result, *, has_lines: bool) -> bool:
    rests = abs(time.time() - status.st_mtime)
    if not stat.S_ISREG(status.st_mode):
        return False
    return rests < HOT_EMPTY if status.st_size == 0 else has_lines and rests < HOT
