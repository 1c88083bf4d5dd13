"""Writes an operator's file, whose mode and owner stay: by rename where that can be, else in place.

A file that is mounted singly into a container cannot be renamed over (EBUSY), and one that belongs to another user would
change its owner. Such a file is written in place, as follows; whoever is killed meanwhile leaves what the next edit needs:

    killed after            the file        beside it              what the next edit does
    nothing                 old             nothing                its work
    old text kept           old             the old text           takes the old text away
    some of the writing     half            the old text           writes the old text back, then its work
    written and synced      new             the old text           the same: that edit is taken back
    old text taken away     new             nothing                its work

Until then ``is_cut_short`` says that the file is not to be trusted. Only the holder of the directory's lock
(``files.lock``) may write; readers that hold ``files.reading`` see no half of it. Raises ``WriteError``.

Known limits: where the mount is new with each container, the old text that lay beside it is lost with the old container.
"""

from __future__ import annotations

import os
from errno import EBUSY
from pathlib import Path
from stat import S_IMODE, S_ISREG

from dms_relay import files
from dms_relay.errors import WriteError

#: Permission bits of the old text while it is kept: a login may stand in it.
_KEPT_MODE = 0o600
_KEPT = ".dms-relay.old"


def kept_name(path: Path) -> Path:
    """Name the file that keeps the old text of ``path``, or of what it points to, while that is written in place."""
    target = _target(path)
    return target.with_name(f".{target.name}{_KEPT}")


def _target(path: Path) -> Path:
    """Follow links. ``Path.resolve`` would raise where they point in a circle."""
    return Path(os.path.realpath(path))


def is_cut_short(path: Path) -> bool:
    """Whether a writing in place was begun and not ended, so that the file may be half written."""
    try:
        return kept_name(path).read_bytes() != path.read_bytes()
    except OSError:
        return False


def recover(path: Path) -> bool:
    """Write back the text from before a writing that was cut short; say whether there was one."""
    kept = kept_name(path)
    if not kept.exists():
        return False
    was_cut_short = is_cut_short(path)
    if was_cut_short:
        _write_back(path, kept.read_bytes(), kept)
    files.remove(kept)
    return was_cut_short


def rewrite(path: Path, content: bytes) -> None:
    """Put ``content`` into a file that is there; where it is a link, into the file that it points to."""
    target = _target(path)
    status = target.stat()
    if not S_ISREG(status.st_mode):
        raise WriteError(
            f"{path} is not a file, so nothing can be written to it -- take it away, or mount a file there"
        )
    if not _is_ours_to_give(status):
        _overwrite(target, content)
        return
    try:
        files.replace(target, content, S_IMODE(status.st_mode), (status.st_uid, status.st_gid), age=0)
    except WriteError as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno != EBUSY:
            raise
        _overwrite(target, content)


def _is_ours_to_give(status: os.stat_result) -> bool:
    """Whether a new file can have the owner of the old one (chown(2))."""
    if os.geteuid() == 0:
        return True
    return status.st_uid == os.geteuid() and status.st_gid in {os.getegid(), *os.getgroups()}


def _overwrite(path: Path, content: bytes) -> None:
    """Write in place, the old text kept beside it until the new one is synced."""
    try:
        old = path.read_bytes()
        # Where it cannot be written, nothing is begun.
        os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        raise files.cannot_write(path, error) from error
    kept = kept_name(path)
    files.replace(kept, old, _KEPT_MODE, (os.geteuid(), os.getegid()), age=0)
    try:
        _write(path, content)
    except OSError as error:
        _write_back(path, old, kept)
        files.remove(kept)
        raise files.cannot_write(path, error) from error
    files.remove(kept)


def _write_back(path: Path, old: bytes, kept: Path) -> None:
    try:
        _write(path, old)
    except OSError as error:
        raise _half_written(path, kept, error) from error


def _write(path: Path, content: bytes) -> None:
    """Write over what is there, so that the room that it takes is not given to others meanwhile; then cut off the rest."""
    with open(path, "r+b") as file:  # noqa: PTH123 -- the tests of kills count what open gives
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _half_written(path: Path, kept: Path, error: OSError) -> WriteError:
    remedy = f"its old text stands in {kept}; free or mend the place, then run again"
    return WriteError(f"{path} is half written: {error.strerror} -- {remedy}")
