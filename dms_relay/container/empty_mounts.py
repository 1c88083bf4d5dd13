"""Closes empty mounts to other users, before anybody but root runs in the container.

An emptyDir of Kubernetes has mode 0777 and no sticky bit. On /tmp or /run, others could then replace what is in it; in the
configuration directory they could decide where mail goes, so it would be refused. Fixes here what root owns. A
configuration directory that is not empty stays as it is, and is refused: anybody may have filled it. Never fails.
"""

from __future__ import annotations

import os
from contextlib import suppress
from stat import S_IMODE, S_ISDIR, S_ISVTX, S_IWGRP, S_IWOTH

from dms_relay.model.places import DMS_DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: Directories in which every user may create files, and nobody may replace another's (hier(7)).
_SHARED = ("/tmp", "/run")  # noqa: S108 -- to see to its mode
_OTHERS = S_IWGRP | S_IWOTH


def close(shared: Iterable[str] = _SHARED, inputs: str = DMS_DIRECTORY) -> None:
    """Fix wrong modes of the shared directories, and of the operator's configuration directory."""
    for path in shared:
        with suppress(OSError):
            mode = _mode(path)
            if mode & S_IWOTH and not mode & S_ISVTX:
                os.chmod(path, mode | S_ISVTX)  # noqa: PTH101 -- pathlib costs more
    with suppress(OSError):
        mode = _mode(inputs)
        if mode & _OTHERS and not os.listdir(inputs):  # noqa: PTH208 -- the same
            os.chmod(inputs, mode & ~_OTHERS)  # noqa: PTH101 -- the same


def _mode(path: str) -> int:
    """Return a directory's mode; 0, which asks for no fix, if another user owns it."""
    status = os.lstat(path)
    return S_IMODE(status.st_mode) if status.st_uid == os.geteuid() and S_ISDIR(status.st_mode) else 0
