"""A file in a directory that is held open, so that nobody can replace it with another file or a link while root uses it.

``hold`` finds the file once; everything else uses the open directory and the file's name, and follows no link (openat(2),
``O_NOFOLLOW``). Links on the way are followed if they are ours, in a directory that only we can change. Another user's
links are followed only to a file in a directory of theirs, where they could write anyway.

Raises ``WriteError`` for a link that is not followed, and ``OSError``. Known limits: an absolute link is resolved from the
root of this process.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from errno import ELOOP, ENOENT
from stat import S_ISLNK, S_ISREG, S_IWGRP, S_IWOTH

from dms_relay import files
from dms_relay.errors import WriteError
from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Maximum number of links followed (path_resolution(7)).
_LINKS_MAX = 40
#: Represents all users who can write to a directory besides its owner.
_ANYBODY = -1


@frozen
class HeldFile:
    """A file, which need not exist: its open directory, and its name in it. ``shown`` is its name in messages.

    ``is_ours``: only root and we can change that directory. ``is_link``: a link led there.
    """

    directory: int
    name: str
    shown: Path
    is_ours: bool
    is_link: bool

    def beside(self, name: str) -> HeldFile:
        """Return another file in the same directory."""
        return HeldFile(self.directory, name, self.shown.with_name(name), self.is_ours, is_link=False)


@contextmanager
def hold(path: Path) -> Iterator[HeldFile]:
    """Hold the directory of a file open; if ``path`` is a link, the directory of its target."""
    walk = _Walk(path)
    try:
        yield walk.end()
    finally:
        walk.close()


class _Walk:
    """Goes from directory to directory, opening each in the previous one, and records whose links it has followed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = [path.name]
        self.links = 0
        #: Users other than us who could have chosen where it goes.
        self.guides: set[int] = set()
        self.at = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self.at)

    def end(self) -> HeldFile:
        """Return the file where it ends."""
        while True:
            name = self.names.pop()
            status = self._look(name)
            if status and S_ISLNK(status.st_mode):
                self._follow(name, status)
            elif self.names:
                self._enter(name)
            else:
                break
        whose = _others(os.fstat(self.at))
        if self.guides - whose or _ANYBODY in self.guides:
            text = f"{self.path} is a link that somebody else could have made, and is not followed"
            raise WriteError(text, "put the file itself there")
        return HeldFile(self.at, name, self.path.parent / name, not whose, is_link=self.links > 0)

    def _look(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self.at, follow_symlinks=False)
        except FileNotFoundError:
            if self.names:
                raise
            return None

    def _enter(self, name: str) -> None:
        before, self.at = self.at, os.open(name, _DIRECTORY, dir_fd=self.at)
        os.close(before)

    def _follow(self, name: str, status: os.stat_result) -> None:
        self.links += 1
        if self.links > _LINKS_MAX:
            raise OSError(ELOOP, os.strerror(ELOOP))
        self.guides |= _others(os.fstat(self.at)) | ({status.st_uid} - _ours())
        target = os.readlink(name, dir_fd=self.at)
        parts = [part for part in target.split("/") if part not in {"", "."}]
        if not parts:
            raise OSError(ENOENT, os.strerror(ENOENT))
        self.names += parts[::-1]
        if target.startswith("/"):
            self._enter("/")


def _ours() -> set[int]:
    return {0, os.geteuid()}


def _others(directory: os.stat_result) -> set[int]:
    """Return the users other than us who could put a file into a directory."""
    is_open = directory.st_mode & S_IWOTH or (directory.st_mode & S_IWGRP and directory.st_gid)
    return ({directory.st_uid} - _ours()) | ({_ANYBODY} if is_open else set())


def open_file(held: HeldFile, flags: int = os.O_RDONLY) -> int:
    """Open the file and return the descriptor. A pipe does not block."""
    return os.open(held.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=held.directory)


def status_of(held: HeldFile) -> os.stat_result | None:
    """Return the status of the file; ``None`` if there is none."""
    try:
        return os.stat(held.name, dir_fd=held.directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def read_own(held: HeldFile) -> bytes | None:
    """Return the content of a file that only root or we can access; ``None`` for any other file."""
    try:
        with open(open_file(held), "rb") as file:
            seen = os.fstat(file.fileno())
            is_own = (
                S_ISREG(seen.st_mode) and seen.st_uid in _ours() and seen.st_nlink == 1 and not seen.st_mode & 0o077
            )
            return file.read() if is_own else None
    except OSError:
        return None


def replace(held: HeldFile, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    """Replace a file with ``content``, as ``files.replace`` does; its modification time is now."""
    temporary = files.temporary_name(held.shown).name
    try:
        _unlink(held, temporary)
        descriptor = os.open(temporary, files.NEW_FILE, 0o600, dir_fd=held.directory)
        files.fill(descriptor, content, mode, owner, 0)
        os.rename(temporary, held.name, src_dir_fd=held.directory, dst_dir_fd=held.directory)
    except OSError as error:
        with suppress(OSError):
            _unlink(held, temporary)
        raise files.cannot_write(held.shown, error) from error
    files.sync_parent(held.shown)


def remove(held: HeldFile) -> None:
    """Remove a file, if it exists."""
    try:
        _unlink(held, held.name)
    except OSError as error:
        raise files.cannot_write(held.shown, error) from error
    files.sync_parent(held.shown)


def _unlink(held: HeldFile, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=held.directory)
