"""Digests of a login's secrets: they show if a stored token came from the current secrets, without storing these.

There is a random salt and two digests: of the operator's refresh token, and of all other secrets. A new client secret is
no reason to drop a refresh token that the server has replaced since.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model.oauth2 import OAuth2

#: Octets of the salt, and of each digest.
_SALT, _SIZE = 16, 32


def digests(oauth2: OAuth2, like: str = "") -> str:
    """Return ``SALT:DIGEST:DIGEST``; with the salt of other digests, so that equal secrets have equal digests."""
    salt = _salt(like)
    others = (oauth2.client_secret, oauth2.client_key, oauth2.client_certificate, oauth2.service_account)
    return f"{salt}:{_digest(salt, *others)}:{_digest(salt, oauth2.refresh_token)}"


def is_same_refresh_token(oauth2: OAuth2, like: str) -> bool:
    """Return True if digests are of the refresh token that the operator set."""
    return bool(like) and digests(oauth2, like).rpartition(":")[2] == like.rpartition(":")[2]


def _salt(like: str) -> str:
    salt = like.partition(":")[0]
    if len(salt) == 2 * _SALT and set(salt) <= set("0123456789abcdef"):
        return salt
    import os  # noqa: PLC0415 -- rarely

    return os.urandom(_SALT).hex()


def _digest(salt: str, *secrets: str) -> str:
    import hashlib  # noqa: PLC0415 -- only who has OAuth2 needs it
    import json  # noqa: PLC0415 -- the same

    return hashlib.blake2b(json.dumps(secrets).encode(), key=bytes.fromhex(salt), digest_size=_SIZE).hexdigest()
