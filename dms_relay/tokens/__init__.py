"""The store of access and refresh tokens: one file for each login, in ``tokens`` of the state directory.

Reads and writes ``tokens/ID.json`` (0600, replaced as a whole) and locks ``tokens/ID.lock``; the directories are 0700. A
refresh token that replaces another exists nowhere else, so ``Room`` reserves space for the answer before the request is
sent: a full disk is noticed while the previous refresh token is still valid.

A file that cannot be read or understood counts as missing, and the next renewal writes it again; so does one that others
could have written, which is then renamed (``believed``). Raises ``WriteError`` if nothing can be stored, and
``BusyError`` if another process holds a login's lock for too long.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress
from stat import S_IMODE

from dms_relay import files
from dms_relay.errors import BusyError, WriteError
from dms_relay.model.values import field, frozen
from dms_relay.tokens import believed
from dms_relay.tokens.credentials import digests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from dms_relay.model.oauth2 import OAuth2

#: Octets to reserve for an answer: more than an answer may have (``oauth2.http``).
ROOM = 256 * 1024
#: Seconds between two tries for the lock of a login.
_LOCK_INTERVAL = 0.05
#: Seconds before expiry at which a token is renewed at the latest, and the part of its life for which it is used at least.
BEFORE_END = 600.0
_HALF, _LEAST = 1 / 2, 1 / 3
#: The part of a token's life over which renewals are spread, so that not all logins renew at once.
_SPREAD = 0.1
#: Seconds by which the clock may go back without causing renewals.
_CLOCK_MARGIN = 60.0
_CRC = 1 << 32
_DIRECTORY, _OWN, _FILE = "tokens", 0o700, 0o600
_OTHERS = 0o077


@frozen
class Failure:
    """Why a token could not be obtained, without secrets. ``is_final``: a person must act; retries are rare."""

    at: float
    code: str
    text: str
    remedy: str
    is_final: bool = False


@frozen
class Kept:
    """What is stored for one login's token. Times are Unix seconds by this machine's clock.

    ``credentials`` are digests of the secrets that obtained it, ``tried`` of those of the last try (``credentials``).
    ``next_try`` is when a failed renewal may be tried again.
    """

    access_token: str = field(default="", repr=False)
    issued_at: float = 0.0
    expires_at: float = 0.0
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    audience: str = ""
    credentials: str = field(default="", repr=False)
    tried: str = field(default="", repr=False)
    failure: Failure | None = None
    failures: int = 0
    next_try: float = 0.0


def login_id(relay: str, username: str, oauth2: OAuth2) -> str:
    """Return the name of a login's file: hexadecimal digits, the same as long as the same token is requested."""
    import hashlib  # noqa: PLC0415 -- only who has OAuth2 needs it

    parts = (relay, username, oauth2.token_url, oauth2.client_id, oauth2.grant, oauth2.scope)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def is_valid(kept: Kept, now: float) -> bool:
    """Return True if there is a token that has not expired."""
    return bool(kept.access_token) and now < kept.expires_at


def is_current(kept: Kept, oauth2: OAuth2) -> bool:
    """Return True if the last try used the login's current secrets."""
    return digests(oauth2, kept.tried) == kept.tried


def due_at(kept: Kept, now: float, oauth2: OAuth2 | None = None) -> float:
    """Return when to renew a token; 0 is at once: there is none, or ``oauth2`` has secrets that were not tried.

    At half its life, and at the latest ``BEFORE_END`` before it expires; a very short life is used for at least a third. A
    clock that was set back says nothing about expiry. After a failure only ``next_try`` counts.
    """
    if oauth2 is not None and not is_current(kept, oauth2):
        return 0.0
    if kept.failure is not None:
        return kept.next_try
    if not kept.access_token or now < kept.issued_at - _CLOCK_MARGIN:
        return 0.0
    from binascii import crc32  # noqa: PLC0415 -- not needed to only read tokens

    life = kept.expires_at - kept.issued_at
    age = max(life * _LEAST, min(life * _HALF, life - BEFORE_END))
    return kept.issued_at + age * (1 - _SPREAD * crc32(kept.access_token.encode()) / _CRC)


def load(state_dir: Path, name: str) -> Kept:
    """Return what is stored for a login; an empty value if there is nothing that can be understood."""
    return _read(state_dir / _DIRECTORY / f"{name}.json") or Kept()


def _read(path: Path) -> Kept | None:
    try:
        # A file not yet put in place still has its reserved space at the end.
        data = json.loads(believed.read(path).rstrip(b"\0"))
        failure = data.pop("failure", None)
        return Kept(**_known(Kept, data), failure=Failure(**_known(Failure, failure)) if failure else None)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def complete(state_dir: Path, name: str) -> None:
    """Put in place a file that a killed run had written; the caller holds the login's lock.

    The server may have revoked the previous refresh token already.
    """
    path = state_dir / _DIRECTORY / f"{name}.json"
    left = files.temporary_name(path)
    found = _read(left)
    if found is None or found.issued_at <= load(state_dir, name).issued_at:
        return
    try:
        descriptor = os.open(left, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, len(_text(found)))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        left.rename(path)
    except OSError as error:
        raise files.cannot_write(path, error) from error
    files.sync_parent(path)


def _known(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that this version knows, if their types are right."""
    known = cls.__annotations__
    types: dict[str, tuple[type, ...]] = {"str": (str,), "float": (int, float), "int": (int,), "bool": (bool,)}
    for name, value in data.items():
        if name in known and not isinstance(value, types.get(known[name], ())):
            raise TypeError(name)
    return {name: value for name, value in data.items() if name in known}


def save(state_dir: Path, name: str, kept: Kept) -> None:
    """Store a token; on the disk when this returns."""
    path = _prepared(state_dir) / f"{name}.json"
    believed.set_aside(path)
    files.replace(path, _text(kept), _FILE, _owner(), age=0)


def _text(kept: Kept) -> bytes:
    data = {key: getattr(kept, key) for key in kept.__match_args__}
    if kept.failure is not None:
        data["failure"] = {key: getattr(kept.failure, key) for key in kept.failure.__match_args__}
    return json.dumps(data, indent=1).encode()


class Room:
    """Reserved space for a login's file; a context manager, which frees unused space."""

    def __init__(self, state_dir: Path, name: str) -> None:
        """Reserve the space. Raises ``WriteError`` if there is none."""
        self.path = _prepared(state_dir) / f"{name}.json"
        self._temporary = files.temporary_name(self.path)
        try:
            believed.set_aside(self.path)
            self._temporary.unlink(missing_ok=True)
            self._descriptor = os.open(self._temporary, files.NEW_FILE | os.O_CLOEXEC, _FILE)
        except OSError as error:
            raise files.cannot_write(self.path, error) from error
        try:
            os.posix_fallocate(self._descriptor, 0, ROOM)
        except OSError as error:
            self.__exit__()
            raise files.cannot_write(self.path, error) from error

    def save(self, kept: Kept) -> None:
        """Store a token in it; on the disk when this returns."""
        content = _text(kept)
        try:
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))
            os.fsync(self._descriptor)
            self._temporary.rename(self.path)
        except OSError as error:
            raise files.cannot_write(self.path, error) from error
        files.sync_parent(self.path)

    def __enter__(self) -> Room:  # noqa: PYI034 -- typing's Self would be imported for it
        """Return the room."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free unused space."""
        os.close(self._descriptor)
        with suppress(OSError):
            self._temporary.unlink()


@contextmanager
def lock(state_dir: Path, name: str, timeout: float) -> Iterator[None]:
    """Lock one login against other processes and threads. Raises ``BusyError`` after ``timeout`` seconds."""
    path = _prepared(state_dir) / f"{name}.lock"
    deadline = time.monotonic() + timeout
    while (descriptor := _locked(path)) is None:
        if time.monotonic() >= deadline:
            raise BusyError(f"another dms-relay renews the token of {name}", "wait until it ends, then run again")
        time.sleep(_LOCK_INTERVAL)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE)
    except OSError as error:
        raise files.cannot_write(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # ``forget`` may have removed the file between open and lock: then another file gets that name.
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def forget(state_dir: Path, keep: Iterable[str]) -> None:
    """Remove the tokens of all other logins: a token of a removed relay is a key that nobody guards."""
    kept = set(keep)
    try:
        found = sorted((state_dir / _DIRECTORY).iterdir())
    except OSError:
        return
    for path in found:
        if path.name.lstrip(".").partition(".")[0] not in kept:
            files.remove(path)


def _prepared(state_dir: Path) -> Path:
    """Return the directory of tokens; create it if it is missing, and close it to others."""
    directory = state_dir / _DIRECTORY
    for path in (state_dir, directory):
        files.make_directory(path, _OWN)
        _close(path)
    return directory


def _close(path: Path) -> None:
    """Close a directory to others: a volume may have any rights."""
    try:
        status = path.lstat()
        if status.st_uid != os.geteuid():
            raise WriteError(f"{path} belongs to somebody else, who could read tokens there", f"chown root {path}")
        if S_IMODE(status.st_mode) & _OTHERS:
            path.chmod(_OWN)
    except OSError as error:
        raise files.cannot_write(path, error) from error


def _owner() -> tuple[int, int]:
    return os.geteuid(), os.getegid()
