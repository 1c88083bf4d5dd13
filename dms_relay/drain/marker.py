"""The marker of a Postfix that is drained: a file beside the one that master(8) writes its number into at each start.

``docker/healthcheck`` looks at it before it asks Postfix. A marker that is older than the other file is of a drain before
the last start, and says nothing. It is there before Postfix refuses mail, and goes after it takes mail again: so where
master.cf has something of a drain in it, there is a marker. Raises ``WriteError`` where it cannot be written or removed.
"""

from __future__ import annotations

import os

from dms_relay import files
from dms_relay.postfix.drained import MARKER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.postfix.programs import Postfix

_MASTER = "pid/master.pid"
_MODE = 0o644


def path_of(postfix: Postfix) -> Path:
    """Return where the marker is."""
    return postfix.queue_directory() / MARKER


def set_marker(postfix: Postfix) -> None:
    """Have the marker there; one of a drain that still lasts keeps its time."""
    if not is_draining(postfix):
        files.replace(path_of(postfix), b"", _MODE, None, age=0)


def is_draining(postfix: Postfix) -> bool:
    """Return True if there is a marker since Postfix was started last; a file system may keep no more than seconds."""
    queue = postfix.queue_directory()
    try:
        began = os.stat(queue / MARKER).st_mtime  # noqa: PTH116 -- one that is not there is no error
        return began >= (queue / _MASTER).stat().st_mtime
    except OSError:
        return False
