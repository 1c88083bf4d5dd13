"""Detects changes of files without reading them. Calls stat(2) on names; writes nothing.

A look is a text: two are equal as long as nothing has changed. Links are followed, so a change of their target counts,
even if a directory on the path is swapped, as Kubernetes does with ``..data``: another file has another inode number.

Known limits: misses the second of two writes in place within a tick of the file system's clock (4 ms) that leave the
same size, if the look falls in between. Does not see rights from an access control list.
"""

from __future__ import annotations

import os
from errno import EINVAL, errorcode
from stat import S_ISDIR, S_ISREG

#: The field with the time of the last change, in nanoseconds, in a look that has times.
_CTIME = 7
#: What a look covers: everything that stat(2) shows, or only the owner and rights, as of a directory on the path.
FILE, WAY = "file", "way"


def look(path: str, kind: str) -> str:
    """Return the look of ``path``; if there is nothing, the reason."""
    try:
        seen = os.stat(path) if kind == FILE else os.lstat(path)  # noqa: PTH116 -- pathlib takes 1 MiB of memory
        itself = os.lstat(path) if kind == FILE else seen
    except (OSError, ValueError) as error:
        return errorcode.get(getattr(error, "errno", None) or EINVAL, "?")
    is_whole = S_ISREG(seen.st_mode) or (kind == FILE and S_ISDIR(seen.st_mode))
    # The times of a device change with each use.
    times = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns) if is_whole else ()
    link = (itself.st_ino,) if itself.st_ino != seen.st_ino else ()
    return ":".join(map(str, (seen.st_dev, seen.st_ino, seen.st_mode, seen.st_uid, seen.st_gid, *times, *link)))


def changed_at(found: str) -> float:
    """Return when the file of a look, or its rights, last changed, in seconds since 1970; 0 if the look has no times."""
    parts = found.split(":")
    return int(parts[_CTIME]) / 1e9 if len(parts) > _CTIME else 0.0


def time_of(path: str) -> int:
    """Return when names in a directory last came, went or were replaced, in nanoseconds; 0 if it does not exist."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 -- as above
    except OSError:
        return 0


def look_again(looks: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the current looks of the same names: name to kind and look."""
    return {path: [kind, look(path, kind)] for path, (kind, _) in looks.items()}


def changed(before: dict[str, list[str]], now: dict[str, list[str]]) -> list[str]:
    """Return the names whose looks differ."""
    return [path for path, found in now.items() if before.get(path) != found]
