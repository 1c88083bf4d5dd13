"""Tests the lock that a keeper (``dms-relay watch``) holds while it runs: an flock(2) on a file in the state directory.

Opens that file and takes the lock for a moment, so a starting keeper tries more than once (``commands/watch.py``). Writes
nothing, raises nothing. If it is not a regular file, such as a link, no keeper can hold it.
"""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: The file's name in the state directory.
LOCK = "keeper.lock"


def is_keeper_running(state_dir: Path) -> bool:
    """Return True if a keeper runs; if the file cannot be opened, no process can hold the lock."""
    try:
        descriptor = os.open(state_dir / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
