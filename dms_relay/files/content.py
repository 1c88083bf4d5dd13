"""Reads a file that somebody may be writing at this moment, or that never ends: the door for all that others have written.

What is no regular file is refused without waiting for its other side; so is what is larger than a limit, and what is still
being written after ``PATIENCE``. A file that was changed a moment ago and has no line end at its end is half a file, as far
as anybody can tell: it is read again, until it ends or has rested, as Postfix does with "hot" files (readlline and
dict_open). A file that is old, or that ends, costs no wait. Raises ``OSError``, with the reason in words.

Known limits: a file that is written in several goes is taken for whole where one of them has just ended with a line.
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

#: Octets of an input, of main.cf and of master.cf: a million senders with their relays, ten times what we measure.
INPUT_MAX = 64 << 20
#: Octets of a lookup table and of what we remember of tables: each sender of the largest input may have a nexthop of 255.
TABLE_MAX = 8 * INPUT_MAX
#: Seconds that a file must rest to be whole without a line end: what Postfix waits (readlline of Postfix).
HOT = 2.0
#: Seconds that an empty file must rest: it is emptied by whoever fills it at once (``cat new > file``), and may stay so.
HOT_EMPTY = 0.25
#: Seconds after which a file that is written on and on is refused: no run holds its lock for longer on this account.
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
    """Return what an open file holds. Without ``has_lines``, up to ``limit`` octets; it is whole unless it is empty."""
    deadline = 0.0
    while True:
        # What has a hole in it is large and takes no room: it is not read.
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
