"""Facts about an access token that are safe to show: expiry, audience, scope; never the token. Pure.

A JSON Web Token (RFC 7519) states them itself; its signature is not verified, since they are only shown, and no decision
about trust depends on them. For other tokens they are known from the token endpoint's answer.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dms_relay.relay_test.secrets import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The parts of a signed token (RFC 7515, section 7.1), of which the second is the payload.
_PARTS = 3
#: The permissions to send through Microsoft 365: of an application with its own token, and of a person.
MICROSOFT_ROLE, MICROSOFT_SCOPE = "SMTP.SendAsApp", "SMTP.Send"


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """When a token expires (``None``: unknown), its scopes, its audience, an application's permissions (``roles``).

    ``is_new``: this command requested it. ``is_read``: its payload could be read.
    """

    valid_until: datetime | None = None
    scope: str = ""
    audience: str = ""
    roles: tuple[str, ...] = ()
    is_new: bool = False
    is_read: bool = False

    @property
    def permissions(self) -> frozenset[str]:
        """All that the token permits, as far as it states it."""
        return frozenset((*self.roles, *self.scope.split()))

    def lines(self) -> Iterator[str]:
        """Yield each known fact, for people."""
        until = f"valid until {self.valid_until:%Y-%m-%d %H:%M} UTC" if self.valid_until else "its expiry is unknown"
        yield f"{until}, {'requested now' if self.is_new else 'from the state directory'}"
        named = (("audience", self.audience), ("scope", self.scope), ("roles", " ".join(self.roles)))
        if found := "; ".join(f"{name} {text}" for name, text in named if text):
            yield found


def facts_of(token: str, known: TokenFacts) -> TokenFacts:
    """Return the known facts about a token, overridden by those that it states itself."""
    payload = _payload(token)
    if payload is None:
        return known
    scope = payload.get("scp", payload.get("scope"))
    return replace(
        known,
        valid_until=_time(payload.get("exp")) or known.valid_until,
        scope=_text(scope) or known.scope,
        audience=_text(payload.get("aud")) or known.audience,
        roles=tuple(_texts(payload.get("roles"))),
        is_read=True,
    )


def _payload(token: str) -> dict[str, Any] | None:
    """Return the payload of a JSON Web Token; ``None`` if the token is not one."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        found = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _time(value: object) -> datetime | None:
    """Return a NumericDate (RFC 7519, section 2)."""
    try:
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None
    except (OverflowError, ValueError, OSError):
        return None


def _text(value: object) -> str:
    return printable(" ".join(_texts(value)))


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of a value that is one text or a list of them."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield printable(item)
