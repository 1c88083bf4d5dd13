"""Replaces files atomically, and holds the lock. Knows nothing of relays.

A file is replaced by rename: a reader sees the old one or the new one, never half; even after a crash, since the content is
on disk before the name is. The temporary file has a fixed name, so a killed run leaves at most one, and the next run removes
it. Only the holder of the lock may write. ``in_place.py`` handles files that cannot be renamed over.

Raises ``WriteError`` if a target cannot be written (the file is then unchanged) and ``BusyError`` if the lock is not free in
time.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from errno import EACCES, EBUSY, EINVAL, EISDIR, ENOTSUP, EPERM, EROFS

from dms_relay.errors import BusyError, WriteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Seconds by which a file's modification time is set back. Postfix waits for a file that was modified less than 2 s ago to
#: "cool down" (readlline and dict_open of Postfix, "hot" files; measured: 2.7 s to the first message, not 0.3 s).
MTIME_BACK = 5
#: Seconds that a reader waits for a writer, whose work takes milliseconds.
READING_TIMEOUT = 5.0
#: Seconds between two attempts to take the lock.
_LOCK_INTERVAL = 0.05
_TEMPORARY = ".dms-relay.tmp"
_OTHERWISE = "free space or repair the file system, then run again"
_REMEDIES = {
    EROFS: "mount it without :ro, or edit it where it comes from",
    **dict.fromkeys((EACCES, EPERM), "run as root"),
    EBUSY: "mount the directory, not the single file",
    EISDIR: "move the directory {} away, then run again",
}
#: Flags for a new file: open no existing file, and follow no link that somebody put there.
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def temporary_name(path: Path) -> Path:
    """Return the temporary file that ``replace`` uses for ``path``."""
    return path.with_name(f".{path.name}{_TEMPORARY}")


def is_temporary_name(name: str) -> bool:
    """Return True if ``temporary_name`` can return this file name."""
    return name.startswith(".") and name.endswith(_TEMPORARY)


def require_writable(directory: Path) -> None:
    """Raise ``WriteError`` if ``directory`` is not writable, before any work is started."""
    if not os.access(directory, os.W_OK):
        text = f"{directory} is not writable, so nothing was changed"
        raise WriteError(text, "run as root, or mount it without :ro")


def replace(  # noqa: PLR0913 -- what a file has
    path: Path, content: bytes, mode: int, owner: tuple[int, int] | None, *, age: float = MTIME_BACK, sync: bool = True
) -> None:
    """Replace ``path`` with ``content``; mode and owner (uid, gid) are set before the first octet is written.

    ``owner`` ``None`` leaves the owner to the system. The modification time is set to ``age`` seconds ago. Without ``sync``,
    a power failure may bring the old file back, whole, until the caller calls ``sync_parent``.
    """
    _put(path, lambda temporary: _write(temporary, content, mode, owner, age))
    if sync:
        sync_parent(path)


def link(path: Path, target: bytes) -> None:
    """Replace ``path`` with a symbolic link to ``target``; call ``sync_parent`` afterwards."""
    _put(path, lambda temporary: os.symlink(target, temporary))  # noqa: PTH211 -- a path of octets


def _put(path: Path, make: Callable[[Path], None]) -> None:
    temporary = temporary_name(path)
    try:
        with suppress(FileNotFoundError):
            temporary.unlink()
        make(temporary)
        temporary.rename(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> WriteError:
    """Return the error that ``path`` cannot be written: why, and what to do. Raise it from the system's error."""
    remedy = _REMEDIES.get(error.errno or 0, _OTHERWISE).format(error.filename2 or error.filename)
    return WriteError(f"{path} cannot be written, and is unchanged: {error.strerror}", remedy, errno=error.errno)


def _write(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None, age: float) -> None:
    fill(os.open(path, NEW_FILE, 0o600), content, mode, owner, age)


def fill(descriptor: int, content: bytes, mode: int, owner: tuple[int, int] | None, age: float) -> None:
    """Write and close a new file: first set its owner, then its mode, then write its content."""
    with open(descriptor, "wb", closefd=True) as file:
        if owner is not None:
            give(descriptor, owner)
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        set_back(descriptor, age)
        os.fsync(descriptor)


def give(descriptor: int, owner: tuple[int, int]) -> None:
    """Set the owner if we are root. Other users cannot change it (chown(2)), so their files stay their own."""
    try:
        os.fchown(descriptor, *owner)
    except PermissionError:
        if os.geteuid() == 0:
            raise


def set_back(path: Path | int, age: float = MTIME_BACK) -> None:
    """Set the modification time to ``age`` seconds ago."""
    then = time.time() - age
    os.utime(path, (then, then))


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only we may read, as input for a program; it need not survive a power failure."""
    try:
        descriptor = os.open(path, NEW_FILE, 0o600)
        with open(descriptor, "wb", closefd=True) as file:  # noqa: PTH123 -- a descriptor, not a path
            os.fchmod(descriptor, 0o600)  # whatever the umask is: a program must be able to read it
            file.write(content)
            file.flush()
            set_back(descriptor)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove(path: Path) -> None:
    """Remove a file, if it exists."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    sync_parent(path)


def make_directory(path: Path, mode: int) -> None:
    """Make a directory, unless it exists."""
    try:
        path.mkdir(mode)
        path.chmod(mode)  # whatever the umask is
    except FileExistsError:
        return
    except OSError as error:
        raise cannot_write(path, error) from error
    sync_parent(path)


def remove_empty_directory(path: Path) -> None:
    """Remove a directory, if it exists and is empty."""
    with suppress(OSError):
        path.rmdir()


def remove_directory(path: Path) -> None:
    """Remove a managed directory, if it exists, with the files in it; or any other file of that name."""
    try:
        if path.is_dir() and not path.is_symlink():
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def sync_parent(path: Path) -> None:
    """Sync the creation or removal of a name to disk. Some network file systems cannot do that."""
    try:
        sync_directory(path.parent)
    except OSError as error:
        if error.errno not in {EINVAL, ENOTSUP}:
            text = f"{path} is changed, but a power failure may bring the old one back: {error.strerror}"
            raise WriteError(text, "repair the disk, then run again", errno=error.errno) from error


def remove_leftover(path: Path) -> bool:
    """Remove a temporary file or directory, unless a process holds the file's flock(2); return True if it is gone."""
    if path.is_dir():
        remove_directory(path)
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # a link, a socket, or gone
        remove(path)
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def stamp(path: Path) -> str:
    """Return a file's permissions, size, and times of the last write and of any change; ``""`` if there is none."""
    try:
        seen = path.lstat()
    except OSError:
        return ""
    return f"{seen.st_mode:o}:{seen.st_uid}:{seen.st_gid}:{seen.st_size}:{seen.st_mtime_ns}:{seen.st_ctime_ns}"


def sync_directory(path: Path) -> None:
    """Sync the directory's entries to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def lock(directory: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of ``directory``, an flock(2) on the directory itself, so that no lock file is left behind.

    Waits up to ``timeout`` seconds, then raises ``BusyError``. If this process is killed, the lock lasts until the programs
    that inherited it have ended: the descriptor survives exec(2) where others are closed.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise WriteError(f"{directory} cannot be opened: {error.strerror}", "run as root", errno=error.errno) from None
    try:
        os.set_inheritable(descriptor, True)
        if not _wait_for_lock(descriptor, fcntl.LOCK_EX, timeout):
            raise BusyError(f"another dms-relay holds the lock of {directory}", "wait until it ends, then run again")
        yield
    except _CannotLockError as error:
        raise WriteError(f"{directory} cannot be locked: {error}", "put it on a file system with flock(2)") from None
    finally:
        os.close(descriptor)


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Keep writers that use the lock out of ``directory`` while the body reads there.

    Readers do not block each other. If the lock is not free within ``READING_TIMEOUT``, the body reads without it.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        with suppress(_CannotLockError):
            _wait_for_lock(descriptor, fcntl.LOCK_SH, READING_TIMEOUT)
        yield
    finally:
        os.close(descriptor)


class _CannotLockError(Exception):
    """The file system has no locks."""


def _wait_for_lock(descriptor: int, kind: int, timeout: float) -> bool:
    """Take a lock; return True if it was free in time."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOCK_INTERVAL)
        except OSError as error:
            raise _CannotLockError(error.strerror) from None
        else:
            return True
