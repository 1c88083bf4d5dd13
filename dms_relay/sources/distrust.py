"""The messages about an input that is not trusted: its owner, who can change it, and the command that fixes that.

Reads the names of users and groups (passwd(5), group(5)). Writes nothing.
"""

from __future__ import annotations

import grp
import pwd
from shlex import quote as shell_word
from stat import S_IMODE, S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING

from dms_relay.files.trust import GROUP, OWNER, DistrustError
from dms_relay.model.places import HOST_DIRECTORY, is_below

if TYPE_CHECKING:
    from dms_relay.files.trust import NotReadableError
    from dms_relay.sources.text import Owner


def said(error: DistrustError | NotReadableError) -> tuple[str, str]:
    """Return what is wrong, and what to do."""
    if not isinstance(error, DistrustError):
        text = f"{error.link} is a link owned by {user(error.uid)}, who may not read its target, so it is not followed"
        return text, f"if you trust it, run chown -h root {shell_word(error.link)}"
    status, path = error.status, shell_word(error.path)
    mode = status.st_mode
    if error.why == OWNER:
        whose = f"it belongs to {user(status.st_uid)}, who could decide where mail goes and with which login"
        if S_ISLNK(mode):
            return whose, f"if you trust it, run chown -h root {path}"
        if _is_home(error.path, status.st_uid):
            remedy = (
                f"copy the inputs to a directory owned by root, such as {HOST_DIRECTORY}, and name it with --config-dir"
            )
            return whose, remedy
        return whose, f"if you trust its content, run chown root {path} && chmod go-w {path}"
    who = group(status.st_gid) if error.why == GROUP else "every user"
    what = "put files into it" if S_ISDIR(mode) else "write to it"
    return f"{who} can {what} (mode {S_IMODE(mode):04o})", f"run chmod go-w {path}, or mount it read-only"


def _is_home(path: str, owner: int) -> bool:
    """Return True if a directory is its owner's home, or above it: root should not take that."""
    try:
        return is_below(pwd.getpwuid(owner).pw_dir, path)
    except KeyError:
        return False


def said_of_named(error: DistrustError | NotReadableError, source: str, namer: Owner | None) -> tuple[str, str]:
    """Return the same for a file that an input names; ``source`` is the name of that input, ``namer`` its owner."""
    if isinstance(error, DistrustError):
        text, remedy = said(error)
        return f"the file that it names is not trusted, because of {error.path}: {text}", remedy
    if error.link:
        text, remedy = said(error)
        return f"the file that it names is not used: {text}", remedy
    uid = namer[0] if namer else 0
    text = f"{user(uid)}, who owns {source}, may not read the file that it names, so it is not used"
    return text, f"if you trust {source}, run chown root {source} in the configuration directory"


def user(number: int) -> str:
    """Return a user's name and number."""
    try:
        return f"{pwd.getpwuid(number).pw_name} (user {number})"
    except KeyError:
        return f"user {number}"


def group(number: int) -> str:
    """Return a group's name and number."""
    try:
        return f"the group {grp.getgrgid(number).gr_name} ({number})"
    except KeyError:
        return f"group {number}"
