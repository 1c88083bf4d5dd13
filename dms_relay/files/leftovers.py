"""What a killed run has left in the configuration directory: temporary files, which hold what it was about to write.

Such a file can hold logins. Reads names, removes files; each is in the open directory, and no link is followed. The kept
texts of an interrupted writing in place (``files.in_place``) are needed to undo it, so they are left to the next edit of
that file; those that are not ours mean nothing.
"""

from __future__ import annotations

import os
from errno import ENOENT

from dms_relay import files
from dms_relay.errors import RelayError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: How the names of the two texts end that are kept beside a file which is written in place: the old one, and the new one.
OLD, NEW = SUFFIXES = (".dms-relay.old", ".dms-relay.new")


def kept_name(path: Path, suffix: str = OLD) -> Path:
    """Name the file that keeps the old text of ``path``, or of what it points to, while that is written in place.

    Links are followed. ``Path.resolve`` would raise where they point in a circle.
    """
    target = type(path)(os.path.realpath(path))
    return target.with_name(f".{target.name}{suffix}")


def leftovers(directory: Path) -> list[Path]:
    """Return temporary files and kept texts in a configuration directory; none where it cannot be listed."""
    return [directory / name for name in _names(directory) if files.is_temporary_name(name) or _is_kept(name)]


def _names(directory: Path) -> list[str]:
    """Return the names of what is no directory: that was not made here."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _is_kept(name: str) -> bool:
    return name.startswith(".") and name.endswith(SUFFIXES)


def clean_up(directory: Path) -> list[Path]:
    """Remove temporary files, and return them; the caller holds the lock of the directory. What stays there stops nobody."""
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
    """Do the same without the lock, where nobody else has it and the directory can be written to."""
    if not any(files.is_temporary_name(path.name) for path in leftovers(directory)):
        return []
    try:
        with files.lock(directory, 0):
            return clean_up(directory)
    except (RelayError, OSError):
        return []
