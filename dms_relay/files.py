"""Atomic replacement of files, and the lock. Knows nothing of relays.

A file is replaced by rename: a reader sees the old one or the new one, never half; after a crash too, since the content is
on the disk before the name is. The temporary file has a fixed name, so that a run that was killed leaves at most one, and
the next one takes it away. Only the holder of the lock may write.

Raises ``WriteError`` where a target cannot be written (the old one is then untouched) and ``BusyError`` where the lock is
not to be had in time. Known limits: a file that is itself a mount point cannot be renamed over (EBUSY).
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dms_relay.errors import BusyError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds that a file's modification time is set back. Postfix waits for a file that was modified less than 2 s ago to
#: "cool down" (readlline and dict_open of Postfix, "hot" files; measured: 2.7 s to the first message instead of 0.3 s).
#: A file that was put in place by rename needs no such wait.
MTIME_BACK = 5
#: Seconds between two tries for the lock.
_LOCK_INTERVAL = 0.05
_TEMPORARY = ".dms-relay.tmp"


def temporary_name(path: Path) -> Path:
    """Name the temporary file that ``replace`` uses for ``path``."""
    return path.with_name(f".{path.name}{_TEMPORARY}")


def replace(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    """Put ``content`` in place of ``path``: mode and owner (uid, gid) are set before the first octet is written.

    ``owner`` ``None`` leaves the owner to the system; it is needed where the caller may not change it.
    """
    temporary = temporary_name(path)
    try:
        _write(temporary, content, mode, owner)
        temporary.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise WriteError(_cannot_write(path, error)) from None


def _cannot_write(path: Path, error: OSError) -> str:
    return f"{path} cannot be written: {error.strerror} -- the old one is untouched; free or mend the place, then run again"


def _write(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    # O_EXCL and O_NOFOLLOW: nobody else's file, and no link that somebody laid there.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb", closefd=True) as file:  # noqa: PTH123 -- a descriptor, not a path
        if owner is not None:
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        set_back(descriptor)
        os.fsync(descriptor)


def set_back(path: Path | int) -> None:
    """Set the modification time ``MTIME_BACK`` seconds back."""
    then = time.time() - MTIME_BACK
    os.utime(path, (then, then))


def remove(path: Path) -> None:
    """Take a file away; fine where there is none."""
    try:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise WriteError(_cannot_write(path, error)) from None


def sync_directory(path: Path) -> None:
    """Have the directory's entries on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def lock(directory: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of ``directory``, an flock(2) on the directory itself, so that no lock file is left behind.

    Waits up to ``timeout`` seconds, then raises ``BusyError``. The lock goes with the process, however that ends.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise WriteError(f"{directory} cannot be opened: {error.strerror} -- is Postfix installed there?") from None
    try:
        _wait_for_lock(descriptor, directory, time.monotonic() + timeout)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, directory: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"another dms-relay works on {directory} and does not finish -- wait for it, then run again"
                ) from None
            time.sleep(_LOCK_INTERVAL)
        else:
            return
