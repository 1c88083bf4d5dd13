"""Reads a file of the state directory only if nobody but root, or whoever runs us, could have written it.

A volume may come open to everybody, and what stands in a file there decides to whom secrets are sent (``logins.json``) and
as whom mail is (``tokens``). Who may have written a file is what ``files.trust`` says of an input, without what is mounted:
the directories are made ours before anything is kept. Raises ``DistrustError``, and ``OSError`` for what cannot be read.

Known limits: that others can read a file is not looked at, since nobody's secret is safer once it is dropped; the next
renewal writes it for root alone.
"""

from __future__ import annotations

import os
from errno import EINVAL
from stat import S_ISREG

from dms_relay.files.trust import DistrustError, fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: What is added to the name of a file that is not believed once there is another one.
ASIDE = ".not-believed"


def read(path: Path) -> bytes:
    """Return what is in a file. A link is not followed."""
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
    """Give a file that is not believed another name: it may be an operator's who has copied the directory."""
    try:
        _require(path, path.lstat())
    except DistrustError:
        path.rename(path.with_name(f"{path.name}{ASIDE}"))
    except OSError:
        pass  # not there, or nothing that could be kept
