"""Writes an operator's file, whose mode and owner stay: by rename where that can be, else in place.

A file that is mounted singly into a container cannot be renamed over (EBUSY), and one that belongs to another user would
change its owner. Such a file is written in place, from its first octet on, with the old and the new text kept beside it:

    killed after            the file           beside it     what the next edit does
    new and old text kept   old                both          takes both away, and its work
    some of the writing     new, then old      both          writes the old text back, then the same
    written and synced      new                both          takes both away, and its work
    old text taken away     new                new           the same

Until then ``is_cut_short`` tells a file that is half the new text and half the old one. A file that is neither was edited by
somebody else meanwhile, and counts as it is. Only the holder of the directory's lock (``files.lock``) may write; readers
that hold ``files.reading`` see no half of it. Raises ``WriteError``.

Known limits: where the mount is new with each container, what was kept is lost with the old container. After a loss of
power, a file of several blocks may be a mixture that is not told from an edit of somebody else.
"""

from __future__ import annotations

import os
from errno import EBUSY, EPERM
from pathlib import Path
from stat import S_IMODE, S_ISREG

from dms_relay import files
from dms_relay.errors import WriteError

#: Permission bits of the two texts while they are kept: a login may stand in them.
_KEPT_MODE = 0o600
_OLD, _NEW = ".dms-relay.old", ".dms-relay.new"


def kept_name(path: Path, suffix: str = _OLD) -> Path:
    """Name the file that keeps the old text of ``path``, or of what it points to, while that is written in place."""
    target = _target(path)
    return target.with_name(f".{target.name}{suffix}")


def _target(path: Path) -> Path:
    """Follow links. ``Path.resolve`` would raise where they point in a circle."""
    return Path(os.path.realpath(path))


def is_cut_short(path: Path) -> bool:
    """Return True if an in-place write was interrupted: the file begins as the new text and ends as the old."""
    try:
        old, new = kept_name(path).read_bytes(), kept_name(path, _NEW).read_bytes()
        content = path.read_bytes()
    except OSError:
        return False
    written = next((at for at, (one, other) in enumerate(zip(content, new, strict=False)) if one != other), len(new))
    return content not in {old, new} and content[written:] == old[written:]


def recover(path: Path) -> bool:
    """Restore the previous text after an interrupted write; return True if there was one."""
    was_cut_short = is_cut_short(path)
    if was_cut_short:
        _write_back(path, kept_name(path).read_bytes())
    _forget(path)
    return was_cut_short


def _forget(path: Path) -> None:
    """Remove the kept texts, the old one first: without it, the new one means nothing."""
    for kept in (kept_name(path), kept_name(path, _NEW)):
        if os.path.lexists(kept):
            files.remove(kept)


def rewrite(path: Path, content: bytes) -> None:
    """Put ``content`` into a file that is there; where it is a link, into the file that it points to."""
    target = _target(path)
    status = target.stat()
    if not S_ISREG(status.st_mode):
        raise WriteError(f"{path} is not a file", "remove it, or mount a file there")
    if not _is_ours_to_give(status):
        _overwrite(target, content)
        return
    try:
        files.replace(target, content, S_IMODE(status.st_mode), (status.st_uid, status.st_gid), age=0)
    except WriteError as error:
        # EPERM: root in a container that may not give files away (CAP_CHOWN).
        if error.errno not in {EBUSY, EPERM}:
            raise
        _overwrite(target, content)


def _is_ours_to_give(status: os.stat_result) -> bool:
    """Return True if a new file can have the owner of the old one (chown(2))."""
    if os.geteuid() == 0:
        return True
    return status.st_uid == os.geteuid() and status.st_gid in {os.getegid(), *os.getgroups()}


def _overwrite(path: Path, content: bytes) -> None:
    """Write in place, both texts kept beside it until the new one is synced."""
    try:
        old = path.read_bytes()
        # Where it cannot be written, nothing is begun.
        os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        raise files.cannot_write(path, error) from error
    for suffix, text in ((_NEW, content), (_OLD, old)):
        files.replace(kept_name(path, suffix), text, _KEPT_MODE, (os.geteuid(), os.getegid()), age=0)
    try:
        _write(path, content)
    except BaseException as error:
        _write_back(path, old)
        _forget(path)
        if isinstance(error, OSError):
            raise files.cannot_write(path, error) from error
        raise
    _forget(path)


def _write_back(path: Path, old: bytes) -> None:
    try:
        _write(path, old)
    except OSError as error:
        remedy = f"its old content is in {kept_name(path)}; free space or repair the file system, then run again"
        raise WriteError(f"{path} is half written: {error.strerror}", remedy, errno=error.errno) from error


def _write(path: Path, content: bytes) -> None:
    """Write over what is there, so that the room that it takes is not given to others meanwhile; then cut off the rest."""
    with open(path, "r+b") as file:  # noqa: PTH123 -- the tests of kills count what open gives
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
