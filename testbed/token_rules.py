"""A token endpoint's checks of a request (RFC 6749, 7521, 7523, 7636): who the client is, and what it has signed.

Verifies signatures with `cryptography` itself, not with the library that creates
them in the package under test.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_MAX = 3600
"""Maximum seconds from `iat` to `exp` that Google accepts."""
_HALF = 32
"""Octets of each number of an ES256 signature (RFC 7518, section 3.4)."""


class Refusal(Exception):  # noqa: N818 -- an answer, not a failure
    """The endpoint's answer instead of a token (RFC 6749, section 5.2)."""

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        """Store the parts of the answer."""
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


@dataclass
class OAuth2Client:
    """A registered client: with a secret, with the certificate of its key (PEM), or, as a public one, with neither."""

    secret: str = ""
    certificate: str = ""
    users: tuple[str, ...] = ()
    """The users whose mailboxes its own token opens; empty means everybody's."""


@dataclass
class ServiceAccount:
    """A service account: the public half of its key (PEM), and the users for whom it may act."""

    public_key: str
    key_id: str
    subjects: tuple[str, ...] = ()


@dataclass
class Clock:
    """The endpoint's time, and the assertions that it has seen."""

    now: float
    seen: set[str] = field(default_factory=set)


def authenticate(
    form: dict[str, str], authorization: str, clients: dict[str, OAuth2Client], url: str, clock: Clock
) -> tuple[str, OAuth2Client]:
    """Return the requesting client; refuse one that does not authenticate, or does so in two ways (RFC 6749, 2.3)."""
    ways = [bool(authorization), "client_secret" in form, "client_assertion" in form]
    if sum(ways) > 1:
        raise Refusal("invalid_request", "more than one way of client authentication")
    name, secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization:
        name, secret = _basic(authorization)
    if "client_assertion" in form:
        name = _asserted(form, clients, url, clock)
        return name, clients[name]
    client = clients.get(name)
    if client is None:
        raise Refusal("invalid_client", "AADSTS700016: Application was not found in the directory.", 401)
    if client.certificate or secret != client.secret:
        raise Refusal("invalid_client", f"AADSTS7000215: Invalid client secret provided: {secret}", 401)
    return name, client


def _basic(authorization: str) -> tuple[str, str]:
    name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    return unquote_plus(name), unquote_plus(secret)


def _asserted(form: dict[str, str], clients: dict[str, OAuth2Client], url: str, clock: Clock) -> str:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Refusal("invalid_client", "wrong client_assertion_type", 401)
    header, claims = _parts(form["client_assertion"])
    name = claims.get("sub", "")
    client = clients.get(name)
    if client is None or not client.certificate or claims.get("iss") != name:
        raise Refusal("invalid_client", "unknown issuer", 401)
    certificate = x509.load_pem_x509_certificate(client.certificate.encode())
    _check_thumbprint(header, certificate)
    check_signature(form["client_assertion"], header, certificate.public_key())
    check_claims(claims, url, clock)
    if not claims.get("jti") or claims["jti"] in clock.seen:
        raise Refusal("invalid_client", "jti is missing or was used", 401)
    clock.seen.add(claims["jti"])
    return str(name)


def _check_thumbprint(header: dict[str, Any], certificate: x509.Certificate) -> None:
    # `x5t` is defined as SHA-1 (RFC 7515, section 4.1.7), and protects nothing here.
    known = {"x5t": hashes.SHA1(), "x5t#S256": hashes.SHA256()}  # noqa: S303
    shown = {name: encoded(certificate.fingerprint(kind)) for name, kind in known.items() if name in header}
    if not shown or any(header[name] != value for name, value in shown.items()):
        raise Refusal("invalid_client", "AADSTS700027: The certificate with identifier is not registered.", 401)


def check_bearer(form: dict[str, str], accounts: dict[str, ServiceAccount], url: str, clock: Clock) -> tuple[str, str]:
    """Return the user and the scope of a service account's request (RFC 7523, section 2.1, as Google implements it)."""
    header, claims = _parts(form.get("assertion", ""))
    account = accounts.get(claims.get("iss", ""))
    if account is None or header.get("kid") != account.key_id:
        raise Refusal("invalid_grant", "Invalid grant: account not found")
    key = serialization.load_pem_public_key(account.public_key.encode())
    check_signature(form["assertion"], header, key)
    check_claims(claims, url, clock)
    if claims.get("sub") not in account.subjects:
        raise Refusal("unauthorized_client", "Client is unauthorized to retrieve access tokens using this method", 401)
    return claims["sub"], claims.get("scope", "")


def check_claims(claims: dict[str, Any], url: str, clock: Clock) -> None:
    """Refuse claims for another endpoint, expired, not yet valid, or valid for too long. No leeway for clocks."""
    begin = max(claims.get("iat", 0), claims.get("nbf", 0))
    if claims.get("aud") != url:
        raise Refusal("invalid_grant", "wrong audience")
    if not begin <= clock.now < claims.get("exp", 0) or claims["exp"] - claims.get("iat", 0) > LIFETIME_MAX:
        raise Refusal("invalid_grant", "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe.")


def check_signature(token: str, header: dict[str, Any], key: object) -> None:
    """Refuse a token signed by somebody else, or by nobody."""
    signed, _, signature = token.rpartition(".")
    try:
        if header.get("alg") == "ES256" and isinstance(key, ec.EllipticCurvePublicKey):
            numbers = [int.from_bytes(part) for part in (decoded(signature)[:_HALF], decoded(signature)[_HALF:])]
            key.verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256()))
        elif header.get("alg") in _PADDINGS and isinstance(key, rsa.RSAPublicKey):
            key.verify(decoded(signature), signed.encode(), _PADDINGS[header["alg"]], hashes.SHA256())
        else:
            raise Refusal("invalid_client", f"algorithm {header.get('alg')} is not for this key", 401)
    except InvalidSignature:
        raise Refusal("invalid_grant", "Invalid JWT Signature.") from None


_PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size),
}


def check_verifier(challenge: str, verifier: str) -> None:
    """Refuse a client that did not begin the flow in the browser (RFC 7636, section 4.6)."""
    if encoded(hashlib.sha256(verifier.encode()).digest()) != challenge:
        raise Refusal("invalid_grant", "code_verifier does not match")


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header, claims, _ = token.split(".")
        return json.loads(decoded(header)), json.loads(decoded(claims))
    except ValueError:
        raise Refusal("invalid_grant", "Bad JWT") from None


def encoded(data: bytes) -> str:
    """Return octets in the encoding of a JWT (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Return the decoded octets."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
