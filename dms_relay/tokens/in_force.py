"""The logins by OAuth2 that are in force (``logins.json`` in the state directory). Reads and writes that file alone.

``apply`` writes it under the lock of Postfix's directory; ``renew`` works from it, so that a wrong edit of the inputs never
stops a renewal. Secrets are in it, as in the password tables, so it is 0600 in a directory that is 0700.

Raises ``WriteError`` where the file cannot be written, or is there and cannot be understood.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from dms_relay import files
from dms_relay.errors import WriteError
from dms_relay.model.oauth2 import OAuth2
from dms_relay.model.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME = "logins.json"
_FILE_MODE, _DIRECTORY_MODE = 0o600, 0o700
_VERSION = 1
#: No login has more: relay.yaml can be long, and it says where.
_LOGINS_MAX = 1 << 27


@frozen
class InForce:
    """A login that is in force. ``tables`` are the password tables that hold it, each with the lookup key.

    ``id`` names its token in the store (``tokens.login_id``).
    """

    id: str
    relay: str
    username: str
    oauth2: OAuth2
    tables: tuple[tuple[str, str], ...]


def load(state_dir: Path) -> tuple[InForce, ...]:
    """Return the logins in force; none where there is no such file."""
    path = state_dir / NAME
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_LOGINS_MAX))
        if document["version"] != _VERSION:
            raise WriteError(f"{path} was written by another version of dms-relay", "run dms-relay apply with this one")
        return tuple(map(_login, document["logins"]))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise WriteError(f"{path} cannot be read: {error.strerror}", "run as root", errno=error.errno) from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise WriteError(f"{path} is damaged", "remove it, and run dms-relay apply") from None


def _login(document: dict[str, Any]) -> InForce:
    tables = tuple((str(table), str(key)) for table, key in document["tables"])
    oauth2 = OAuth2(**{name: str(document["oauth2"][name]) for name in OAuth2.__match_args__})
    return InForce(str(document["id"]), str(document["relay"]), str(document["username"]), oauth2, tables)


def save(state_dir: Path, logins: Iterable[InForce]) -> None:
    """Write the logins in force; where there are none, remove the file."""
    path, found = state_dir / NAME, [_document(login) for login in logins]
    if not found:
        if os.path.lexists(path):
            files.remove(path)
        return
    files.make_directory(state_dir, _DIRECTORY_MODE)
    content = json.dumps({"version": _VERSION, "logins": found}, indent=1, sort_keys=True).encode("ascii")
    files.replace(path, content, _FILE_MODE, None)


def _document(login: InForce) -> dict[str, Any]:
    oauth2 = {name: getattr(login.oauth2, name) for name in OAuth2.__match_args__}
    tables = [list(pair) for pair in login.tables]
    return {"id": login.id, "relay": login.relay, "username": login.username, "oauth2": oauth2, "tables": tables}
