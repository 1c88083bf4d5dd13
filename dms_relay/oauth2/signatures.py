"""Signed requests (RFC 7523): of a client with a key and a certificate, and of a Google service account.

Raises ``OAuth2Error`` if a key cannot be used. No text contains a part of one.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dms_relay.model.providers import MICROSOFT
from dms_relay.oauth2.error import OAuth2Error

if TYPE_CHECKING:
    from dms_relay.model.oauth2 import OAuth2

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Seconds that this machine's clock may be ahead of the server's, or behind it: an assertion is valid since that long ago,
#: and that long beyond the minutes of a slow request. Five minutes, as in Kerberos, and half a minute more.
CLOCK_SKEW = 330
_LASTS = CLOCK_SKEW + 270


def client_assertion(oauth2: OAuth2) -> str:
    """Return the client's assertion (section 2.2), signed with its key; its certificate's digests name the key.

    Microsoft asks for PS256 with ``x5t#S256`` ("certificate credentials", learn.microsoft.com); all others know RS256.
    """
    key = _key(oauth2.client_key, "client_key")
    headers = _thumbprints(oauth2.client_certificate, key) if oauth2.client_certificate else {}
    algorithm = "PS256" if oauth2.provider == MICROSOFT else "RS256"
    claims = {
        "iss": oauth2.client_id,
        "sub": oauth2.client_id,
        "aud": oauth2.token_url,
        "jti": secrets.token_urlsafe(24),
    }
    return _signed(claims, key, "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else algorithm, headers)


def account_assertion(oauth2: OAuth2, username: str) -> str:
    """Return the assertion of a service account (section 2.1) that acts for a mailbox (``sub``)."""
    account = _account(oauth2.service_account)
    claims = {"iss": account["client_email"], "sub": username, "aud": oauth2.token_url, "scope": oauth2.scope}
    return _signed(claims, _key(account["private_key"], "private_key"), "RS256", {"kid": account["private_key_id"]})


def _signed(claims: dict[str, str], key: Any, algorithm: str, headers: dict[str, str]) -> str:  # noqa: ANN401 -- two types
    now = int(time.time())
    times = {"iat": now - CLOCK_SKEW, "nbf": now - CLOCK_SKEW, "exp": now + _LASTS}
    return jwt.encode({**claims, **times}, key, algorithm, headers)


def _key(pem: str, name: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except TypeError:
        raise _unusable(f"{name} is encrypted", "write it without a passphrase") from None
    except Exception:  # noqa: BLE001 -- the library has no common class for all that may be wrong with a key
        raise _unusable(f"{name} is not a private key (PEM)", "write the whole file, with its BEGIN and END") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise _unusable(f"{name} is of a kind that no provider accepts", "use an RSA key")
    return key


def _thumbprints(pem: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> dict[str, str]:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise _unusable("client_certificate is not a certificate (PEM)", "write the whole file") from None
    if certificate.public_key() != key.public_key():
        raise _unusable("client_certificate is not that of client_key", "name the two that belong together")
    # SHA-1 is what the name means (RFC 7515, section 4.1.7); it protects nothing.
    kinds = {"x5t": hashes.SHA1(), "x5t#S256": hashes.SHA256()}  # noqa: S303
    return {
        name: base64.urlsafe_b64encode(certificate.fingerprint(kind)).rstrip(b"=").decode()
        for name, kind in kinds.items()
    }


def _account(text: str) -> dict[str, str]:
    try:
        account = json.loads(text)
        found = {name: account[name] for name in ("client_email", "private_key", "private_key_id")}
    except (ValueError, TypeError, KeyError):
        found = {}
    if not found or not all(isinstance(value, str) for value in found.values()):
        raise _unusable(
            "the service account's file is not a service account key", "download a key of the type JSON at Google"
        )
    return found


def _unusable(text: str, remedy: str) -> OAuth2Error:
    return OAuth2Error(text, remedy, "key", is_final=True)
