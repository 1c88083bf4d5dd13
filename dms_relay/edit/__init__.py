"""Changes one of the operator's ``.cf`` files in the configuration directory, under that directory's lock.

Reads and writes one file. Preserves mode, owner, and every octet outside the change; a new file gets the owner of the
directory. After a kill at any moment the file is either old or new (``in_place.py`` explains files mounted one by one).

Raises ``InputError`` if the content cannot be edited, ``MissingInputError`` if the file cannot be read, ``WriteError`` if it
cannot be written, and ``BusyError`` if another edit does not finish; the file is then unchanged.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from stat import S_IROTH, S_ISREG
from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.errors import InputError, MissingInputError, WriteError
from dms_relay.files import in_place
from dms_relay.files.content import read_open
from dms_relay.files.held import HeldFile, hold, open_file, replace, status_of
from dms_relay.files.leftovers import clean_up
from dms_relay.files.trust import DistrustError, require_way
from dms_relay.log import NO_LOG
from dms_relay.model import Origin, Problem
from dms_relay.model.places import lacks_mount
from dms_relay.postfix.nexthop import SyntaxProblem
from dms_relay.sources.sasl_password import NAME as LOGINS
from dms_relay.sources.text import distrusted, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dms_relay.log import Log
    from dms_relay.model import Paths

#: Seconds to wait for other edits; each takes milliseconds, and a hundred may wait.
LOCK_TIMEOUT = 30.0
#: Permission bits of a new file.
_MODES = {LOGINS: 0o600}
_MODE = 0o644


def edit(paths: Paths, name: str, change: Callable[[bytes], bytes], *, log: Log = NO_LOG) -> bool:
    """Replace the content of a file with the result of ``change``; return True if the content has changed.

    ``name`` is a file's name in the configuration directory. A missing file counts as empty, and is created only if the new
    content is not empty.
    """
    if not paths.config_dir.is_dir():
        remedy = "mount the configuration directory there, or name it with --config-dir"
        raise WriteError(f"{paths.config_dir} does not exist", remedy)
    if lacks_mount(str(paths.config_dir)):
        text = f"nothing is mounted at {paths.config_dir}, so what is written there is lost with this container"
        raise WriteError(text, "mount the configuration directory there")
    with files.lock(paths.config_dir, LOCK_TIMEOUT), _held(paths, name) as held:
        for left in clean_up(paths.config_dir):
            log.info("file of an interrupted run removed", file=str(left))
        if in_place.recover(held):
            log.warn(f"{name}: an interrupted edit was undone -- repeat it if you still need it")
        old, status = _read(held, name)
        new = _changed(old, name, change)
        if new != old:
            _write(held, name, new, status)
        _warn_of_readers(held, name, log)
    return new != old


@contextmanager
def _held(paths: Paths, name: str) -> Iterator[HeldFile]:
    """Hold the file open. Refuses a directory that another user could have made: it must get no login."""
    try:
        with hold(paths.config_dir / name) as held:
            require_way(str(paths.config_dir))
            yield held
    except DistrustError as error:
        raise InputError([distrusted(error)]) from None
    except FileNotFoundError as error:
        raise MissingInputError([unreadable(error, name, is_link=True)]) from None
    except OSError as error:
        raise MissingInputError([unreadable(error, name)]) from None


def _write(held: HeldFile, name: str, content: bytes, status: os.stat_result | None) -> None:
    if status:
        in_place.rewrite(held, content, status)
    else:
        _make(held, content, _MODES.get(name, _MODE))


def _make(held: HeldFile, content: bytes, mode: int) -> None:
    """Create a file that belongs to the owner of its directory, who could otherwise not read it."""
    ours = (os.geteuid(), os.getegid())
    status = os.fstat(held.directory)
    try:
        replace(held, content, mode, (status.st_uid, status.st_gid) if os.geteuid() == 0 else ours)
    except WriteError as error:
        # Root in a container without CAP_CHOWN.
        if not isinstance(error.__cause__, PermissionError) or os.geteuid() != 0:
            raise
        replace(held, content, mode, ours)


def _warn_of_readers(held: HeldFile, name: str, log: Log) -> None:
    """Warn if every user can read a file with logins: docker-mailserver's own commands create it that way."""
    if name in _MODES and (status := status_of(held)) and status.st_mode & S_IROTH:
        log.warn(f"{name}: every user of this machine can read it -- run chmod 600 {name}")


def _read(held: HeldFile, name: str) -> tuple[bytes, os.stat_result | None]:
    """Return content and status; a file that does not exist is empty."""
    try:
        with open(open_file(held), "rb") as file:  # noqa: PTH123 -- a descriptor, not a path
            status = os.fstat(file.fileno())
            return read_open(file) if S_ISREG(status.st_mode) else b"", status
    except FileNotFoundError as error:
        if not held.is_link:
            return b"", None
        raise MissingInputError([unreadable(error, name, is_link=True)]) from None
    except OSError as error:
        raise MissingInputError([unreadable(error, name)]) from None


def _changed(old: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    try:
        return change(old)
    except SyntaxProblem as problem:
        raise InputError([Problem(Origin(name), problem.text, problem.remedy)]) from None
