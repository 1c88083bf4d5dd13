"""The OAuth2 logins in force: ``renew`` works from these, so that a wrong edit of the inputs does not stop renewal.

Reads and writes ``logins.json`` in the state directory (0600 like the password tables, since it contains client
secrets). Only ``apply`` writes it, under the lock of Postfix's directory. A file that cannot be understood counts as
missing, and so does one that others could have written (``believed``).
"""

from __future__ import annotations

import json
import os

from dms_relay import files
from dms_relay.model.oauth2 import OAuth2
from dms_relay.model.values import frozen
from dms_relay.tokens import believed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME, _MODE, _DIRECTORY_MODE = "logins.json", 0o600, 0o700


@frozen
class InForce:
    """An OAuth2 login: the name of its token's file, and the table entries that contain the token.

    ``tables`` are pairs of a table's name and a lookup key in it.
    """

    id: str
    relay: str
    username: str
    oauth2: OAuth2
    tables: tuple[tuple[str, str], ...] = ()


def load(state_dir: Path) -> tuple[InForce, ...]:
    """Return the logins in force; none if the file is missing or cannot be understood."""
    try:
        return tuple(_login(item) for item in json.loads(believed.read(state_dir / NAME)))
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def _login(item: dict[str, object]) -> InForce:
    tables = tuple((str(table), str(key)) for table, key in item["tables"])  # type: ignore[attr-defined]
    known = {name: str(value) for name, value in dict(item["oauth2"]).items() if name in OAuth2.__annotations__}  # type: ignore[call-overload]
    return InForce(str(item["id"]), str(item["relay"]), str(item["username"]), OAuth2(**known), tables)


def save(state_dir: Path, logins: Iterable[InForce]) -> bool:
    """Store the logins, or remove the file if there are none. Return True if that changed anything."""
    path, content = state_dir / NAME, _text(logins)
    try:
        if believed.read(path) == content:
            return False
    except OSError:
        if not content:
            return False
    if content:
        files.make_directory(state_dir, _DIRECTORY_MODE)
        files.replace(path, content, _MODE, (os.geteuid(), os.getegid()), age=0)
    else:
        files.remove(path)
    return True


def _text(logins: Iterable[InForce]) -> bytes:
    items = [
        {
            "id": login.id,
            "relay": login.relay,
            "username": login.username,
            "oauth2": {name: getattr(login.oauth2, name) for name in OAuth2.__annotations__},
            "tables": [list(pair) for pair in login.tables],
        }
        for login in sorted(logins, key=lambda login: login.id)
    ]
    return json.dumps(items, indent=1).encode() if items else b""
