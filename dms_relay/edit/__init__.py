"""Changes one of the operator's ``.cf`` files in the configuration directory, under that directory's lock.

Reads and writes one file. Preserves mode, owner, and every octet that the change does not concern; a new file gets the owner
of the directory. After a kill at any moment the file is old or new (``in_place.py`` explains files that are mounted singly).

Raises ``InputError`` where the content cannot be edited, ``MissingInputError`` where the file cannot be read, ``WriteError``
where it cannot be written, and ``BusyError`` where another edit does not finish; the file is then unchanged.
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

#: Seconds to wait for other edits; each takes milliseconds, and a hundred may be waiting.
LOCK_TIMEOUT = 30.0
#: Permission bits of a new file.
_MODES = {LOGINS: 0o600}
_MODE = 0o644


def edit(paths: Paths, name: str, change: Callable[[bytes], bytes], *, log: Log = NO_LOG) -> bool:
    """Replace the content of a file with the result of ``change``; return True if that differs.

    ``name`` is a file's name in the configuration directory. A missing file counts as empty, and is created only for a
    content that is not empty.
    """
    if not paths.config_dir.is_dir():
        remedy = "mount the configuration directory there, or name it with --config-dir"
        raise WriteError(f"{paths.config_dir} does not exist", remedy)
    path = paths.config_dir / name
    with files.lock(paths.config_dir, LOCK_TIMEOUT):
        if in_place.recover(path):
            log.warn(f"{name}: an interrupted edit was undone -- repeat it if you still need it")
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
    """Create a file with the owner of its directory, who could otherwise not read it."""
    ours = (os.geteuid(), os.getegid())
    status = path.parent.stat()
    try:
        files.replace(path, content, mode, (status.st_uid, status.st_gid) if os.geteuid() == 0 else ours, age=0)
    except WriteError as error:
        # Root in a container without CAP_CHOWN.
        if not isinstance(error.__cause__, PermissionError) or os.geteuid() != 0:
            raise
        files.replace(path, content, mode, ours, age=0)


def _warn_of_readers(path: Path, name: str, log: Log) -> None:
    """Warn where every user can read a file with logins: docker-mailserver's own commands create it so."""
    if name in _MODES and path.exists() and path.stat().st_mode & S_IROTH:
        log.warn(f"{name}: every user of this machine can read it -- run chmod 600 {name}")


def _read(path: Path, name: str) -> bytes | None:
    problems: list[Problem] = []
    content = read_bytes(path, name, problems)
    if any(problem.rule == "untrusted-input" for problem in problems):
        return path.read_bytes()  # whose it is does not matter to who writes there
    if problems:
        raise MissingInputError(problems)
    return content


def _changed(old: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    try:
        return change(old)
    except SyntaxProblem as problem:
        raise InputError([Problem(Origin(name), problem.text, problem.remedy)]) from None
