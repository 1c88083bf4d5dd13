"""Removes the temporary files that a killed run left in the configuration directory.

Such a file can hold logins. Reads names and removes files, all in the open directory, and follows no link. The kept texts
of an interrupted in-place write (``files.in_place``) are needed to undo it, so they are left to the next edit of that file;
kept texts that are not ours have no meaning.
"""

from __future__ import annotations

import os
from errno import ENOENT

from dms_relay import files
from dms_relay.errors import RelayError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: Suffixes of the old and the new text that are kept beside a file while it is written in place.
OLD, NEW = SUFFIXES = (".dms-relay.old", ".dms-relay.new")


def kept_name(path: Path, suffix: str = OLD) -> Path:
    """Return the file that keeps the old text of ``path``, or of its target, while that is written in place.

    Links are followed. ``Path.resolve`` would raise an error if they form a circle.
    """
    target = type(path)(os.path.realpath(path))
    return target.with_name(f".{target.name}{suffix}")


def leftovers(directory: Path) -> list[Path]:
    """Return temporary files and kept texts in a configuration directory; none if it cannot be listed."""
    return [directory / name for name in _names(directory) if files.is_temporary_name(name) or _is_kept(name)]


def _names(directory: Path) -> list[str]:
    """Return all names except those of directories, which we never make here."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _is_kept(name: str) -> bool:
    return name.startswith(".") and name.endswith(SUFFIXES)


def clean_up(directory: Path) -> list[Path]:
    """Remove temporary files, and return them; the caller holds the directory's lock. A file that stays does no harm."""
    temporary = [path for path in leftovers(directory) if files.is_temporary_name(path.name)]
    if not temporary:
        return []
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return [path for path in temporary if _is_removed(descriptor, path.name)]
    finally:
        os.close(descriptor)


def _is_removed(directory: int, name: str) -> bool:
    """Remove a file, or a link itself; return True if it is gone."""
    try:
        os.unlink(name, dir_fd=directory)
    except OSError as error:
        return error.errno == ENOENT
    return True


def clean_up_if_free(directory: Path) -> list[Path]:
    """Take the lock and call ``clean_up``, if nobody else holds the lock and the directory is writable."""
    if not any(files.is_temporary_name(path.name) for path in leftovers(directory)):
        return []
    try:
        with files.lock(directory, 0):
            return clean_up(directory)
    except (RelayError, OSError):
        return []
