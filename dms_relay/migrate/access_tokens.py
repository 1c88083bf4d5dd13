"""Logins with an access token (OAuth2) of the plugin sasl-xoauth2: its settings, and a file for each login.

With the plugin, the password in Postfix's table is the name of a JSON file with the refresh token. The client's ID, its
secret and the token endpoint are in the same file or in /etc/sasl-xoauth2.conf. Reads both, and turns them into the keys
of ``oauth2`` in ``relay.yaml``.

Known limits: looks for a file in Postfix's chroot first, and then outside.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dms_relay.files.content import read_whole
from dms_relay.migrate.draft import TakenLogin
from dms_relay.model.providers import GOOGLE, MICROSOFT

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The plugin's settings, and its default endpoint.
SETTINGS = Path("/etc/sasl-xoauth2.conf")
_MICROSOFT = re.compile(r"https://login\.microsoftonline\.com/([^/]+)/oauth2/.*token")
_GOOGLE = re.compile(r"https://(?:accounts\.google\.com|oauth2\.googleapis\.com|www\.googleapis\.com)/.*token")
#: Keys of the plugin's files, each with the key of ``relay.yaml``.
_KEYS = {"client_id": "client_id", "client_secret": "client_secret", "refresh_token": "refresh_token"}


def provider(endpoint: str) -> list[tuple[str, str]]:
    """Return the keys that say where to request tokens; the default endpoint is Google's."""
    if match := _MICROSOFT.fullmatch(endpoint):
        return [("provider", MICROSOFT), ("tenant", match[1])]
    return [("provider", GOOGLE)] if not endpoint or _GOOGLE.fullmatch(endpoint) else [("token_url", endpoint)]


def of_plugin(username: str, path: str, chroot: str, settings: Path = SETTINGS) -> TakenLogin | None:
    """Return the login whose token is in a file; ``None`` if the files do not say how to obtain one."""
    found = {**_read(settings), **(_read(Path(f"{chroot}{path}")) or _read(Path(path)))}
    parts = [(key, str(found[name])) for name, key in _KEYS.items() if found.get(name)]
    if not {"client_id", "refresh_token"} <= dict(parts).keys():
        return None
    return TakenLogin(username, path, oauth2=(*provider(str(found.get("token_endpoint") or "")), *parts))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(read_whole(path))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
