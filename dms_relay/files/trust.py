"""Who may steer a run: whose files are believed. See docs/security.md for what is promised.

An input is believed if nobody can change it but root, whoever runs us, and where it is mounted, the owner of the mount. So a
container gets the directory of a host's user, with that user's number. All on the way to it counts: each directory, each
link and each directory that a link leads through. Looks at owners and modes (lstat(2)); writes nothing.

    it belongs to anybody else                                  not believed
    every user can write to it                                  not believed
    a group can write to it                                     believed if that is the group of root, of whoever runs us,
                                                                or of the mount where that is a user's or a pod's
    others can write to it, but it is mounted read-only         believed: nobody here can
    the same of a directory, and what is next is mounted in it  believed: nobody can replace that (EBUSY)
    others can write to a directory, and it is sticky, as       believed: they can put files there, but replace none, and
    /tmp is, or a tmpfs of Docker                               what counts is whose the next thing in it is

The look comes after the file was opened, and must find that very file. Whoever could swap something on the way is then seen
there: so nothing is believed that was another's at the moment of opening.

Known limits: an access control list shows as rights of the group. What a read-only mount shows may be written elsewhere, by
whom the host lets. In a user namespace, all users that it does not know are one (``_own``).
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

#: Links that are followed (path_resolution(7)).
_LINKS_MAX = 40
#: Why something is not believed.
OWNER, OTHERS, GROUP = "owner", "others", "group"


class DistrustError(OSError):
    """What is at ``path``, an input or something on the way to it, is not believed. ``why`` is one of the three reasons."""

    def __init__(self, path: str, why: str, status: os.stat_result) -> None:
        """Keep the parts."""
        super().__init__(EPERM, f"{path} is not believed")
        self.path, self.why, self.status = path, why, status


class NotReadableError(OSError):
    """A user who chose what is read may not read it: by ``link``, or where that is empty, by naming it in a file."""

    def __init__(self, uid: int, link: str = "") -> None:
        """Keep the parts."""
        super().__init__(EPERM, os.strerror(EPERM))
        self.uid, self.link = uid, link


class ReplacedError(OSError):
    """What was opened is not what stands there now."""


def require_believed(path: str, opened: os.stat_result | None = None, reader: tuple[int, int] | None = None) -> None:
    """Raise ``DistrustError`` unless what is at ``path`` is believed, with all that is on the way to it.

    ``opened`` is how it looked once it was open; ``ReplacedError`` where that is not what is found. ``reader`` is the owner
    (uid, gid) of the file that names this one: ``NotReadableError`` where they may not read it. The same holds for the owner
    of each link. Raises ``OSError``.
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
    """Raise ``DistrustError`` unless all on the way to ``path`` is believed, so that no stranger has put it there.

    Whose it is counts only where every user can make one of that name. Raises ``OSError``.
    """
    ids, is_for_all = _own(), False
    for at, seen, is_end in _believed_steps(path, ids, has_end=False):
        if is_end and is_for_all and _why(at, seen, ids) == OWNER:
            raise DistrustError(at, OWNER, seen)
        if S_ISDIR(seen.st_mode):
            is_for_all = bool(seen.st_mode & S_IWOTH)


def _believed_steps(path: str, ids: Ids, *, has_end: bool = True) -> Iterator[tuple[str, os.stat_result, bool]]:
    """Yield the steps to ``path``, as long as they are believed; the end counts where ``has_end``.

    A directory that others can write to is believed if what is next is mounted in it.
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
    """Return why something is not believed, mounts considered; empty where it is."""
    why = fault(seen, *ids) and fault(seen, *_with_mount(at, *ids))
    return "" if why in {OTHERS, GROUP} and not is_writable(at) else why


def fault(status: os.stat_result, uids: frozenset[int], gids: frozenset[int]) -> str:
    """Return why something is not believed, where these users and groups are; empty where it is. Pure."""
    mode = status.st_mode
    if status.st_uid not in uids:
        return OWNER
    if not (S_ISREG(mode) or S_ISDIR(mode)) or (mode & S_ISVTX and S_ISDIR(mode)):
        return ""
    if mode & S_IWOTH:
        return OTHERS
    return GROUP if mode & S_IWGRP and status.st_gid not in gids else ""


def steps(path: str) -> Iterator[tuple[str, os.stat_result, bool]]:
    """Yield each directory and link on the way to ``path``, and what is there in the end: name, looks, if it is the end.

    As path_resolution(7), from the root on, which itself is left out: whoever owns it could replace anything. A relative
    path begins in the working directory.
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
    """Return who is believed everywhere: root, whoever runs us, and who owns the root directory.

    That is root, but in a user namespace, which knows neither root nor any other user outside: they are one number there.
    """
    return frozenset({0, os.geteuid(), os.lstat("/").st_uid}), frozenset({0, os.getegid()})


def _with_mount(at: str, uids: frozenset[int], gids: frozenset[int]) -> Ids:
    """Add who owns what is mounted where ``at`` is. A user's own group is that user's; root's files have root's.

    Or they have one that the container's first process was given as well, and with it root alone: a pod's ``fsGroup``.
    What users mount themselves does not count, but in a container, where it was mounted from outside.
    """
    found = mount_of(at, mounts())
    if found is None or (found.is_of_user and not is_container()):
        return uids, gids
    root = os.lstat(found.place)
    is_known = root.st_uid not in uids or (is_container() and root.st_gid in os.getgroups())
    return uids | {root.st_uid}, gids | {root.st_gid} if is_known else gids


def is_writable(path: str) -> bool:
    """Return True unless what is at ``path`` is mounted read-only."""
    return not os.statvfs(path).f_flag & os.ST_RDONLY


def _may_read(status: os.stat_result, uid: int, gid: int) -> bool:
    """Return True if a user may read a file, or pass a directory, whose groups are not known beyond one."""
    mode = status.st_mode
    if S_ISLNK(mode):
        return True
    shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
    return bool(mode >> shift & (1 if S_ISDIR(mode) else 4))
