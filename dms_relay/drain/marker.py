"""The marker of a drained Postfix: a file beside the one into which master(8) writes its process number at each start.

``docker/healthcheck`` looks at it before it asks Postfix. A marker older than the other file is left from a drain before
the last start, and means nothing. It is created before Postfix refuses mail, and removed after it takes mail again: so
if master.cf has traces of a drain, there is a marker. Raises ``WriteError`` if it cannot be written or removed.
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
    """Return the path of the marker."""
    return postfix.queue_directory() / MARKER


def set_marker(postfix: Postfix) -> None:
    """Create the marker; one of a drain that still lasts keeps its time."""
    if not is_draining(postfix):
        files.replace(path_of(postfix), b"", _MODE, None, age=0)


def is_draining(postfix: Postfix) -> bool:
    """Return True if there is a marker from after Postfix's last start; times of files may have whole seconds only."""
    queue = postfix.queue_directory()
    try:
        began = os.stat(queue / MARKER).st_mtime_ns  # noqa: PTH116 -- a missing one is no error
        return began >= (queue / _MASTER).stat().st_mtime_ns
    except OSError:
        return False
