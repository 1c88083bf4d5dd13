"""Reads a file of the state directory only if nobody but root, or whoever runs us, could have written it.

A volume may be writable by everybody, and its files decide where secrets are sent (``logins.json``) and who mail is sent
as (``tokens``). ``files.trust`` checks these files like inputs, without the exception for mounts: the directories are
made ours before anything is stored. Raises ``DistrustError``, and ``OSError`` for a file that cannot be read.

Known limits: does not check if others can read a file, since dropping it would make no secret safer; the next renewal
writes it for root only.
"""

from __future__ import annotations

import os
from errno import EINVAL
from stat import S_ISREG

from dms_relay.files.trust import DistrustError, fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: The suffix of a distrusted file's new name.
ASIDE = ".not-believed"


def read(path: Path) -> bytes:
    """Return the contents of a file. Does not follow links."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _require(path, os.fstat(descriptor))
        return file.read()


def _require(path: Path, status: os.stat_result) -> None:
    if not S_ISREG(status.st_mode):
        raise OSError(EINVAL, "not a file")
    why = fault(status, frozenset({0, os.geteuid()}), frozenset({0, os.getegid()}))
    if why:
        raise DistrustError(str(path), why, status)


def set_aside(path: Path) -> None:
    """Rename a distrusted file instead of deleting it: an operator may have copied the directory."""
    try:
        _require(path, path.lstat())
    except DistrustError:
        path.rename(path.with_name(f"{path.name}{ASIDE}"))
    except OSError:
        pass  # missing, or nothing that could be kept
