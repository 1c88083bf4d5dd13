"""Decides whose files are trusted as inputs. docs/security.md says what we promise.

An input is trusted ("believed") if only root, the user who runs us and, if it is mounted, the owner of the mount can change
it. So a container can use the directory of a host's user, with that user's number. Everything on the way to it counts: each
directory, each link and each directory that a link leads through. Reads owners and modes (lstat(2)); writes nothing.

    it belongs to anybody else                                  not believed
    every user can write to it                                  not believed
    a group can write to it                                     believed if that is the group of root, of whoever runs us,
                                                                or of the mount where that is a user's or a pod's
    others can write to it, but it is mounted read-only         believed: nobody here can
    others can write to a directory, but the next step is a     believed: nobody can replace that (EBUSY)
    mount in it
    others can write to a directory, but it is sticky, such as  believed: they can add files there, but replace none, so
    /tmp, or a tmpfs of Docker                                  the owner of the next step counts

The check comes after the file was opened, and must find that very file. Anyone who could have swapped something on the way
is then visible there: so nothing is believed that belonged to another at the moment of opening.

Known limits: an access control list shows as permissions of the group. The files of a read-only mount may be writable
elsewhere, for users that the host permits. In a user namespace, all users that it does not know are one (``_own``).
"""

from __future__ import annotations

import os
from errno import ELOOP, EPERM
from stat import S_ISDIR, S_ISLNK, S_ISREG, S_ISVTX, S_IWGRP, S_IWOTH

from dms_relay.model.places import is_container, is_mounted, mount_of, mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Ids = tuple[frozenset[int], frozenset[int]]

#: Maximum number of links followed (path_resolution(7)).
_LINKS_MAX = 40
#: Why something is not believed.
OWNER, OTHERS, GROUP = "owner", "others", "group"


class DistrustError(OSError):
    """``path``, an input or something on the way to it, is not believed. ``why`` is one of the three reasons."""

    def __init__(self, path: str, why: str, status: os.stat_result) -> None:
        """Store the parts."""
        super().__init__(EPERM, f"{path} is not believed")
        self.path, self.why, self.status = path, why, status


class NotReadableError(OSError):
    """A user chose a file that they may not read: through ``link``, or if that is empty, by naming it in an input."""

    def __init__(self, uid: int, link: str = "") -> None:
        """Store the parts."""
        super().__init__(EPERM, os.strerror(EPERM))
        self.uid, self.link = uid, link


class ReplacedError(OSError):
    """The opened file is not the one that is there now."""


def require_believed(path: str, opened: os.stat_result | None = None, reader: tuple[int, int] | None = None) -> None:
    """Raise ``DistrustError`` unless ``path`` and everything on the way to it is believed.

    ``opened`` is the status of the open file: ``ReplacedError`` if another file is found. ``reader`` is the owner (uid, gid)
    of the file that names this one: ``NotReadableError`` if they may not read it. The same holds for the owner of each link.
    Raises ``OSError``.
    """
    ids = _own()
    last: os.stat_result | None = None
    readers = [(*reader, "")] if reader else []
    for at, last, _ in _believed_steps(path, ids):
        for uid, gid, link in readers:
            if uid not in ids[0] and not _may_read(last, uid, gid):
                raise NotReadableError(uid, link)
        if S_ISLNK(last.st_mode):
            readers.append((last.st_uid, last.st_gid, at))
    if opened and last and (last.st_dev, last.st_ino) != (opened.st_dev, opened.st_ino):
        raise ReplacedError(EPERM, "it is being replaced")


def require_way(path: str) -> None:
    """Raise ``DistrustError`` unless everything on the way to ``path`` is believed, so that no other user has put it there.

    The owner of ``path`` itself counts only if every user can create a file of that name. Raises ``OSError``.
    """
    ids, is_for_all = _own(), False
    for at, seen, is_end in _believed_steps(path, ids, has_end=False):
        if is_end and is_for_all and _why(at, seen, ids) == OWNER:
            raise DistrustError(at, OWNER, seen)
        if S_ISDIR(seen.st_mode):
            is_for_all = bool(seen.st_mode & S_IWOTH)


def _believed_steps(path: str, ids: Ids, *, has_end: bool = True) -> Iterator[tuple[str, os.stat_result, bool]]:
    """Yield the steps to ``path`` while they are believed; with ``has_end``, the last one must be, too.

    A directory that others can write to is believed if the next step is a mount in it.
    """
    doubts: dict[str, DistrustError] = {}
    is_end = True
    for at, seen, is_end in steps(path):
        doubt = doubts.get(at.rpartition("/")[0])
        if doubt and not is_mounted(at):
            raise doubt
        if (has_end or not is_end) and (why := _why(at, seen, ids)):
            doubts[at] = DistrustError(at, why, seen)
            if why == OWNER or is_end:
                raise doubts[at]
        yield at, seen, is_end
    for doubt in () if is_end else doubts.values():  # it ends with "..", and where that is was one of them
        raise doubt


def _why(at: str, seen: os.stat_result, ids: Ids) -> str:
    """Return why something is not believed, mounts considered; ``""`` if it is."""
    why = fault(seen, *ids) and fault(seen, *_with_mount(at, *ids))
    return "" if why in {OTHERS, GROUP} and not is_writable(at) else why


def fault(status: os.stat_result, uids: frozenset[int], gids: frozenset[int]) -> str:
    """Return why something is not believed, if these users and groups are; ``""`` if it is. Pure."""
    mode = status.st_mode
    if status.st_uid not in uids:
        return OWNER
    if not (S_ISREG(mode) or S_ISDIR(mode)) or (mode & S_ISVTX and S_ISDIR(mode)):
        return ""
    if mode & S_IWOTH:
        return OTHERS
    return GROUP if mode & S_IWGRP and status.st_gid not in gids else ""


def steps(path: str) -> Iterator[tuple[str, os.stat_result, bool]]:
    """Yield each directory and link on the way to ``path``, and its end: name, status, and True for the end.

    Follows path_resolution(7); a relative path begins in the working directory. The root directory itself is left out: its
    owner could replace anything.
    """
    if not path.startswith("/"):
        path = f"{os.getcwd()}/{path}"  # noqa: PTH109 -- a name, as all here
    rest = path.split("/")[::-1]
    at, links = "", 0
    while rest:
        name = rest.pop()
        if name in {"", "."}:
            continue
        if name == "..":
            at = at.rpartition("/")[0]
            continue
        here = f"{at}/{name}"
        seen = os.lstat(here)
        yield here, seen, not any(rest) and not S_ISLNK(seen.st_mode)
        if not S_ISLNK(seen.st_mode):
            at = here
            continue
        links += 1
        if links > _LINKS_MAX:
            raise OSError(ELOOP, os.strerror(ELOOP))
        target = os.readlink(here)  # noqa: PTH115 -- a name, as all here
        at = "" if target.startswith("/") else at
        rest += target.split("/")[::-1]


def _own() -> Ids:
    """Return who is believed everywhere: root, the user who runs us, and the owner of the root directory.

    The last is root, except in a user namespace: there root and all other users outside share one number.
    """
    return frozenset({0, os.geteuid(), os.lstat("/").st_uid}), frozenset({0, os.getegid()})


def _with_mount(at: str, uids: frozenset[int], gids: frozenset[int]) -> Ids:
    """Add the owner of the mount that holds ``at``, and its group.

    The group counts if it is the user's own; or for root's files, if it is root's, or one that the container's first process
    also has and only root uses: a pod's ``fsGroup``. Mounts by users themselves count only in a container, where they were
    made outside.
    """
    found = mount_of(at, mounts())
    if found is None or (found.is_of_user and not is_container()):
        return uids, gids
    root = os.lstat(found.place)
    is_known = root.st_uid not in uids or (is_container() and root.st_gid in os.getgroups())
    return uids | {root.st_uid}, gids | {root.st_gid} if is_known else gids


def is_writable(path: str) -> bool:
    """Return True unless ``path`` is mounted read-only."""
    return not os.statvfs(path).f_flag & os.ST_RDONLY


def _may_read(status: os.stat_result, uid: int, gid: int) -> bool:
    """Return True if a user may read a file or enter a directory; only one of the user's groups is known."""
    mode = status.st_mode
    if S_ISLNK(mode):
        return True
    shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
    return bool(mode >> shift & (1 if S_ISDIR(mode) else 4))
