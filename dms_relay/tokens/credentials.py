"""Digests of the secrets of a login: whether a kept token came from those that it has now is seen without keeping them.

A digest has a random salt and is two: of all secrets but the refresh token, and of the refresh token that the operator gave.
A new client secret is no reason to drop a refresh token that the server has replaced since.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model.oauth2 import OAuth2

#: Octets of the salt, and of each digest.
_SALT, _SIZE = 16, 32


def digests(oauth2: OAuth2, like: str = "") -> str:
    """Return ``SALT:DIGEST:DIGEST``; with the salt of other digests, which are then equal where the secrets are."""
    salt = _salt(like)
    others = (oauth2.client_secret, oauth2.client_key, oauth2.client_certificate, oauth2.service_account)
    return f"{salt}:{_digest(salt, *others)}:{_digest(salt, oauth2.refresh_token)}"


def is_same_refresh_token(oauth2: OAuth2, like: str) -> bool:
    """Return True if digests were made with the refresh token that a login has from its operator."""
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
