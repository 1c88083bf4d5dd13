"""Detects if this command is all that its container runs, as in ``docker run --rm IMAGE setup relay …``.

Reads the arguments of process 1 and whether a directory is a mount (proc(5)). Writes nothing.

Known limits: does not look inside a shell that runs the command (``sh -c 'setup relay …'``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

#: The arguments of the first process, a NUL after each, and the mount points (proc(5)).
_FIRST_PROCESS, _MOUNTS = Path("/proc/1/cmdline"), Path("/proc/self/mountinfo")
#: The field of a line that has the mount point, counted from 0.
_PLACE = 4


def ends_with_this_command(directory: Path) -> bool:
    """Return True if a directory vanishes with this command: it belongs to the container, and is no mount."""
    words = [os.fsencode(word) for word in sys.argv[1:]]
    try:
        first = _FIRST_PROCESS.read_bytes().split(b"\0")[:-1]
        mounts = {line.split()[_PLACE] for line in _MOUNTS.read_text("utf-8", "replace").splitlines()}
    except OSError:
        return False
    return bool(words) and first[-len(words) :] == words and str(directory) not in mounts
