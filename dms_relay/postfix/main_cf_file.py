"""Writes main.cf as ``postconf -e`` does, under the lock that ``postconf`` takes, without starting it, which takes 6 ms.

The lock is an flock(2) on main.cf.tmp, which then becomes main.cf by rename (edit_file.c), so a concurrent ``postconf``
waits, and no change is lost. ``postconf`` itself would do harm: a value that can hold a login would be in its arguments,
which every process can read; it makes every main.cf 0644; and if the last line has no line end, it appends to that line.
Here mode, owner and octets that are not UTF-8 are preserved.

Raises ``WriteError`` if main.cf cannot be written (it is then unchanged) and ``BusyError`` if another program holds the lock
for too long.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from stat import S_IMODE

from dms_relay import files
from dms_relay.errors import BusyError
from dms_relay.files.content import read_whole
from dms_relay.postfix import main_cf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds to wait for a program that writes main.cf, which takes milliseconds.
TIMEOUT = 30.0
#: Seconds between two attempts.
_INTERVAL = 0.02


def temporary_name(path: Path) -> Path:
    """Return the file that ``postconf`` locks and writes before it replaces ``path`` with it (edit_file.c)."""
    return path.with_name(f"{path.name}.tmp")


def edit(path: Path, changes: dict[str, str | None]) -> None:
    """Set parameters, or remove those whose value is ``None``, in one step."""
    temporary = temporary_name(path)
    try:
        with _locked(temporary) as descriptor:
            text = main_cf.edit(read_whole(path).decode("utf-8", "surrogateescape"), changes)
            try:
                _fill(descriptor, text.encode("utf-8", "surrogateescape"), path)
                temporary.rename(path)
            except OSError:
                with suppress(OSError):
                    temporary.unlink()
                raise
    except OSError as error:
        raise files.cannot_write(path, error) from error
    files.sync_parent(path)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock of the temporary file; create it if needed, and try again if it was renamed meanwhile."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if _is_locked(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        if time.monotonic() >= deadline:
            raise BusyError(f"another program has {path} locked", "wait until it ends, then run again")
        time.sleep(_INTERVAL)


def _is_locked(descriptor: int, path: Path) -> bool:
    """Take the lock; return False if another has it, or had it and has renamed the file meanwhile."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _fill(descriptor: int, content: bytes, like: Path) -> None:
    """Write the content to disk, with mode and owner of the file ``like``."""
    status = like.stat()
    # Users who may read main.cf may read a login in it: the operator chose that. Nobody else may, at any moment, and a
    # file that a killed postconf has left may be readable for all.
    os.fchmod(descriptor, 0o600)
    os.ftruncate(descriptor, 0)
    files.give(descriptor, (status.st_uid, status.st_gid))
    os.fchmod(descriptor, S_IMODE(status.st_mode))
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    # It is renamed into place, so programs of Postfix need not wait for it (files.MTIME_BACK).
    files.set_back(descriptor)
    os.fsync(descriptor)
