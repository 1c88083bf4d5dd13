"""How files look, so that a change of them is seen without reading them. Looks at names (stat(2)); writes nothing.

A look is a text: two are equal as long as nothing has changed. Links are followed, and so a change of where they lead
counts, also where it is a directory on the way that is swapped, as Kubernetes does with ``..data``: another file has
another number.

Known limits: a file that is written in place twice within a tick of the file system's clock (4 ms), with the same size,
looks the same after both, where the look falls in between. Rights that an access control list gives are not seen.
"""

from __future__ import annotations

import os
from errno import EINVAL, errorcode
from stat import S_ISDIR, S_ISREG

#: Where the time of the last change, in nanoseconds, stands in a look that has times.
_CTIME = 7
#: What a name is looked at for: all that can be seen of what is there, or only whose it is, as of a directory on the
#: way.
FILE, WAY = "file", "way"


def look(path: str, kind: str) -> str:
    """Return how what is at ``path`` looks; for what is not there, why."""
    try:
        seen = os.stat(path) if kind == FILE else os.lstat(path)  # noqa: PTH116 -- pathlib takes 1 MiB of memory
        itself = os.lstat(path) if kind == FILE else seen
    except (OSError, ValueError) as error:
        return errorcode.get(getattr(error, "errno", None) or EINVAL, "?")
    is_whole = S_ISREG(seen.st_mode) or (kind == FILE and S_ISDIR(seen.st_mode))
    # The times of a device change with each use of it.
    times = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns) if is_whole else ()
    link = (itself.st_ino,) if itself.st_ino != seen.st_ino else ()
    return ":".join(map(str, (seen.st_dev, seen.st_ino, seen.st_mode, seen.st_uid, seen.st_gid, *times, *link)))


def changed_at(found: str) -> float:
    """Return when a file that looks so was changed, or its rights were, in seconds since 1970; 0 where that is not seen."""
    parts = found.split(":")
    return int(parts[_CTIME]) / 1e9 if len(parts) > _CTIME else 0.0


def time_of(path: str) -> int:
    """Return when names in a directory came, went or were replaced, in nanoseconds; 0 where there is none."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 -- as above
    except OSError:
        return 0


def look_again(looks: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return how the same names look now: name to kind and look."""
    return {path: [kind, look(path, kind)] for path, (kind, _) in looks.items()}


def changed(before: dict[str, list[str]], now: dict[str, list[str]]) -> list[str]:
    """Return the names that look otherwise."""
    return [path for path, found in now.items() if before.get(path) != found]
