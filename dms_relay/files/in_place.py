"""Writes an operator's file and keeps its mode and owner: by rename if possible, else in place.

A single file mounted into a container cannot be renamed over (EBUSY), and one that belongs to another user would change its
owner. Such a file is written in place, from its first octet on, with the old and the new text kept beside it:

    killed after            the file           beside it     what the next edit does
    new and old text kept   old                both          removes both, then edits
    part of the writing     new, then old      both          restores the old text, then the same
    written and synced      new                both          removes both, then edits
    old text removed        new                new           the same

Until then ``is_cut_short`` recognises a file that is part new text and part old. If it is neither, somebody else has edited
the file meanwhile, and it is left as it is. Kept texts count only if root or we made them, with access for nobody else. Only
the holder of the directory's lock (``files.lock``) may write; readers that hold ``files.reading`` never see half of it. All
work is done in the open directory (``held.py``), so that its owner cannot trick root with a link. Raises ``WriteError``.

Known limits: if each container gets a new mount, the kept texts are lost with the old container. After a power failure, a
file of several blocks may be a mixture that looks like somebody else's edit.
"""

from __future__ import annotations

import os
from errno import EBUSY, EPERM
from stat import S_IMODE, S_ISREG

from dms_relay import files
from dms_relay.errors import WriteError
from dms_relay.files import held as held_file
from dms_relay.files.leftovers import NEW, OLD, SUFFIXES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.files.held import HeldFile

#: Permission bits of the two kept texts: they may hold logins.
_KEPT_MODE = 0o600


def is_cut_short(path: Path) -> bool:
    """Return True if an in-place write was interrupted: the file begins with the new text and ends with the old."""
    try:
        with held_file.hold(path) as held:
            return _cut_short(held)
    except (OSError, WriteError):
        return False


def _kept(held: HeldFile, suffix: str) -> HeldFile:
    return held.beside(f".{held.name}{suffix}")


def _cut_short(held: HeldFile) -> bool:
    old, new = (held_file.read_own(_kept(held, suffix)) for suffix in SUFFIXES)
    if old is None or new is None:
        return False
    try:
        with open(held_file.open_file(held), "rb") as file:  # noqa: PTH123 -- a descriptor, not a path
            # Read only enough to see that it is neither: the owner of the file decides how large it is.
            content = file.read(len(old) + len(new) + 1)
    except OSError:
        return False
    written = next((at for at, (one, other) in enumerate(zip(content, new, strict=False)) if one != other), len(new))
    return content not in {old, new} and content[written:] == old[written:]


def recover(held: HeldFile) -> bool:
    """Restore the previous text after an interrupted write; return True if there was one."""
    was_cut_short = _cut_short(held)
    old = held_file.read_own(_kept(held, OLD))
    if was_cut_short and old is not None:
        _write_back(held, old)
    _forget(held)
    return was_cut_short


def _forget(held: HeldFile) -> None:
    """Remove the kept texts, the old one first: without it, the new one means nothing."""
    for kept in (_kept(held, suffix) for suffix in SUFFIXES):
        if held_file.status_of(kept):
            held_file.remove(kept)


def rewrite(held: HeldFile, content: bytes, status: os.stat_result) -> None:
    """Write ``content`` into an existing file and keep its owner. ``status`` is its status when it was read."""
    if not S_ISREG(status.st_mode):
        raise WriteError(f"{held.shown} is not a file", "remove it, or mount a file there")
    if not _is_ours_to_give(status):
        _overwrite(held, content, status)
        return
    try:
        held_file.replace(held, content, S_IMODE(status.st_mode), (status.st_uid, status.st_gid))
    except WriteError as error:
        # EPERM: root in a container without CAP_CHOWN.
        if error.errno not in {EBUSY, EPERM}:
            raise
        _overwrite(held, content, status)


def _is_ours_to_give(status: os.stat_result) -> bool:
    """Return True if a new file can have the owner of the old one (chown(2))."""
    if os.geteuid() == 0:
        return True
    return status.st_uid == os.geteuid() and status.st_gid in {os.getegid(), *os.getgroups()}


def _overwrite(held: HeldFile, content: bytes, status: os.stat_result) -> None:
    """Write in place, with both texts kept beside it until the new one is synced."""
    try:
        old = _old(held, status)
    except OSError as error:
        raise files.cannot_write(held.shown, error) from error
    for suffix, text in ((NEW, content), (OLD, old)):
        held_file.replace(_kept(held, suffix), text, _KEPT_MODE, (os.geteuid(), os.getegid()))
    try:
        _write(_opened(held, status), content)
    except BaseException as error:
        _write_back(held, old)
        _forget(held)
        if isinstance(error, OSError):
            raise files.cannot_write(held.shown, error) from error
        raise
    _forget(held)


def _old(held: HeldFile, status: os.stat_result) -> bytes:
    """Return the content to be overwritten. If the file cannot be written, this raises before any change."""
    with open(_opened(held, status), "r+b") as file:
        return file.read()


def _opened(held: HeldFile, status: os.stat_result | None = None) -> int:
    """Open the file for writing. Raises ``OSError``, and ``WriteError`` if it is not the file that was read.

    If the file has a second name, it may be root's: anyone who can write to the directory could have linked it.
    """
    descriptor = held_file.open_file(held, os.O_RDWR)
    seen = os.fstat(descriptor)
    is_same = status is None or (seen.st_dev, seen.st_ino) == (status.st_dev, status.st_ino)
    if is_same and S_ISREG(seen.st_mode) and (held.is_ours or seen.st_nlink == 1):
        return descriptor
    os.close(descriptor)
    raise WriteError(f"{held.shown} was replaced meanwhile, or has a second name", "check who owns it, then run again")


def _write_back(held: HeldFile, old: bytes) -> None:
    try:
        _write(_opened(held), old)
    except OSError as error:
        kept = held.shown.with_name(f".{held.name}{OLD}")
        remedy = f"its old content is in {kept}; free space or repair the file system, then run again"
        raise WriteError(f"{held.shown} is half written: {error.strerror}", remedy, errno=error.errno) from error


def _write(descriptor: int, content: bytes) -> None:
    """Overwrite the content, so that its disk space cannot go to others meanwhile; then truncate the rest."""
    with open(descriptor, "r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
