"""Closes to others what was mounted empty, before anybody but root runs in the container.

An emptyDir of Kubernetes has mode 0777 and no sticky bit. On /tmp or /run, others could then replace what is in it; as the
configuration directory, they could decide where mail goes, so it would be refused. What root owns is put right here. A
configuration directory that is not empty is left, and refused: who has filled it cannot be known. Never fails.
"""

from __future__ import annotations

import os
from contextlib import suppress
from stat import S_IMODE, S_ISDIR, S_ISVTX, S_IWGRP, S_IWOTH

from dms_relay.model.places import DMS_DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: Directories in which every user may make files, and nobody may replace another's (hier(7)).
_SHARED = ("/tmp", "/run")  # noqa: S108 -- to see to its mode
_OTHERS = S_IWGRP | S_IWOTH


def close(shared: Iterable[str] = _SHARED, inputs: str = DMS_DIRECTORY) -> None:
    """Set the modes, where they are not right: of directories for everybody, and of the operator's."""
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
    """Return a directory's mode; 0, where nothing is to be done, if it is another's."""
    status = os.lstat(path)
    return S_IMODE(status.st_mode) if status.st_uid == os.geteuid() and S_ISDIR(status.st_mode) else 0
