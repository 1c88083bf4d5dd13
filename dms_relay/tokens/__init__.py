"""The access tokens that are kept (``tokens/ID.json`` in the state directory). Reads and writes these files alone."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from dms_relay import files
from dms_relay.model.values import field, frozen

if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.model.oauth2 import OAuth2

DIRECTORY = "tokens"
_FILE_MODE, _DIRECTORY_MODE = 0o600, 0o700


@frozen
class Failure:
    """Why no token was given the last time. ``is_final``: a person must act."""

    at: float
    code: str
    text: str
    remedy: str
    is_final: bool


@frozen
class Kept:
    """What is kept of a login; times are Unix seconds by our own clock."""

    access_token: str = field(default="", repr=False)
    issued_at: float = 0.0
    expires_at: float = 0.0
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    audience: str = ""
    credentials: str = field(default="", repr=False)
    failure: Failure | None = None
    failures: int = 0
    next_try: float = 0.0


def login_id(relay: str, username: str, oauth2: OAuth2) -> str:
    """Return the identifier of a login; there is no secret in it."""
    parts = (relay, username, oauth2.token_url, oauth2.client_id, oauth2.grant, oauth2.scope)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def load(state_dir: Path, login: str) -> Kept:
    """Return what is kept of a login; nothing where there is no such file."""
    try:
        document = json.loads((state_dir / DIRECTORY / f"{login}.json").read_bytes())
    except FileNotFoundError:
        return Kept()
    failure = document.pop("failure")
    return Kept(**document, failure=Failure(**failure) if failure else None)


def save(state_dir: Path, login: str, kept: Kept) -> None:
    """Keep it."""
    document: dict[str, Any] = {name: getattr(kept, name) for name in Kept.__match_args__ if name != "failure"}
    failure = kept.failure
    document["failure"] = {name: getattr(failure, name) for name in Failure.__match_args__} if failure else None
    for directory in (state_dir, state_dir / DIRECTORY):
        files.make_directory(directory, _DIRECTORY_MODE)
    content = json.dumps(document, sort_keys=True).encode()
    files.replace(state_dir / DIRECTORY / f"{login}.json", content, _FILE_MODE, None)


def is_valid(kept: Kept, now: float) -> bool:
    """Return True if there is a token that has not ended."""
    return bool(kept.access_token) and now < kept.expires_at


#: Seconds before its end at which a token is renewed at the latest.
_LATEST = 600.0


def due_at(kept: Kept, now: float) -> float:
    """Return when it is to be renewed: at half its life, at the latest 10 minutes before its end."""
    half = (kept.issued_at + kept.expires_at) / 2
    return max(kept.next_try, min(half, kept.expires_at - _LATEST) if is_valid(kept, now) else 0.0)
