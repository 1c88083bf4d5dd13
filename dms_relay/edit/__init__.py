"""Changes one of the operator's ``.cf`` files in the configuration directory, under that directory's lock.

Reads and writes the one file. All that the change does not concern stays to the octet, and so do mode and owner; a file that
is not there yet is made with the owner of the directory. Killed at any moment, the file is old or new (``in_place.py`` says
how, where it is mounted singly).

Raises ``InputError`` where what stands in the file cannot be edited, ``MissingInputError`` where it cannot be read,
``WriteError`` where it cannot be written, and ``BusyError`` where another edit does not finish; the file is then as before.
"""

from __future__ import annotations

import os
from stat import S_IROTH
from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.errors import InputError, MissingInputError, WriteError
from dms_relay.files import in_place
from dms_relay.log import NO_LOG
from dms_relay.model import Origin, Problem
from dms_relay.postfix.nexthop import SyntaxProblem
from dms_relay.sources.sasl_password import NAME as LOGINS
from dms_relay.sources.text import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dms_relay.log import Log
    from dms_relay.model import Paths

#: Seconds to wait for another edit, which takes milliseconds; a hundred may stand in line.
LOCK_TIMEOUT = 30.0
#: Permission bits of a file that we make.
_MODES = {LOGINS: 0o600}
_MODE = 0o644


def edit(paths: Paths, name: str, change: Callable[[bytes], bytes], *, log: Log = NO_LOG) -> bool:
    """Have ``change`` make a new text of the file's old one, and put it there; say whether the two differ.

    ``name`` is a file's name in the configuration directory. A file that is not there is an empty text, and is made only
    where the new text is not empty.
    """
    if not paths.config_dir.is_dir():
        remedy = "mount the configuration directory there, or name it with --config-dir"
        raise WriteError(f"{paths.config_dir} is not there", remedy)
    path = paths.config_dir / name
    with files.lock(paths.config_dir, LOCK_TIMEOUT):
        if in_place.recover(path):
            log.warn(f"{name}: an edit that was cut short is taken back")
        old = _read(path, name)
        new = _changed(old or b"", name, change)
        if new != (old or b""):
            _write(path, name, new, is_there=old is not None)
        _warn_of_readers(path, name, log)
    return new != (old or b"")


def _write(path: Path, name: str, content: bytes, *, is_there: bool) -> None:
    if is_there:
        in_place.rewrite(path, content)
    else:
        _make(path, content, _MODES.get(name, _MODE))


def _make(path: Path, content: bytes, mode: int) -> None:
    """Make a file, which belongs to the owner of its directory, who could otherwise not read what stands there."""
    ours = (os.geteuid(), os.getegid())
    status = path.parent.stat()
    try:
        files.replace(path, content, mode, (status.st_uid, status.st_gid) if os.geteuid() == 0 else ours, age=0)
    except WriteError as error:
        # Root in a container that may not give files away (CAP_CHOWN).
        if not isinstance(error.__cause__, PermissionError) or os.geteuid() != 0:
            raise
        files.replace(path, content, mode, ours, age=0)


def _warn_of_readers(path: Path, name: str, log: Log) -> None:
    """Warn where everyone can read a file with logins: docker-mailserver's own commands have made it so."""
    if name in _MODES and path.exists() and path.stat().st_mode & S_IROTH:
        log.warn(f"{name}: every user of this machine can read it -- chmod 600 {name}")


def _read(path: Path, name: str) -> bytes | None:
    problems: list[Problem] = []
    content = read_bytes(path, name, problems)
    if problems:
        raise MissingInputError(problems)
    return content


def _changed(old: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    try:
        return change(old)
    except SyntaxProblem as problem:
        raise InputError([Problem(Origin(name), problem.text, problem.remedy)]) from None
