"""Reads the contents of a certificate, and checks that it matches the demands. Pure.

Reads certificates with ``cryptography``, even unverified ones. Matches names as Postfix does (TLS_README,
"Mandatory server certificate verification"; tls_client.c): ``.example.com`` matches every name below it, ``*.`` in a
certificate matches one label, the common name counts only if there is no DNS name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from cryptography import x509


#: Bits of a key with 80 bits of security (NIST SP 800-57, part 1, table 2).
_WEAK_RSA, _WEAK_EC = 1024, 160


@dataclass(frozen=True, slots=True)
class Certificate:
    """``names`` are its DNS names, else its common name; ``fingerprint`` is the SHA-256 of all of it, as ``AB:CD:…``."""

    names: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    issuer: str
    fingerprint: str


def read(der: bytes) -> Certificate | None:
    """Return the certificate of DER data; ``None`` if it cannot be read."""
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415 -- 60 ms, and only ``test`` needs it

    try:
        found = load_der_x509_certificate(der)
        names = tuple(_dns_names(found)) or tuple(_common_names(found.subject))
        issuer = ", ".join(_common_names(found.issuer)) or found.issuer.rfc4514_string()
        begin, end = found.not_valid_before_utc, found.not_valid_after_utc
    except Exception:  # noqa: BLE001 -- a server can send anything; that must not end the test
        return None
    return Certificate(names, begin, end, issuer, digest(der, "sha256"))


def _dns_names(certificate: x509.Certificate) -> list[str]:
    from cryptography.x509 import DNSName, ExtensionNotFound, SubjectAlternativeName  # noqa: PLC0415 -- loaded by now

    try:
        extension = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
    except ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(DNSName)


def _common_names(name: x509.Name) -> list[str]:
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 -- loaded by now

    return [str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]


def digest(data: bytes, algorithm: str) -> str:
    """Return a fingerprint as ``openssl x509 -fingerprint`` writes it; empty for an unknown algorithm."""
    try:
        return hashlib.new(algorithm, data, usedforsecurity=False).digest().hex(":").upper()
    except ValueError:
        return ""


def is_weak(der: bytes) -> bool:
    """Return True if the key is below OpenSSL's security level 1, 80 bits (SSL_CTX_set_security_level(3))."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa  # noqa: PLC0415 -- see ``read``
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415 -- the same

    try:
        key = load_der_x509_certificate(der).public_key()
    except Exception:  # noqa: BLE001 -- as in ``read``
        return False
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        return key.key_size < _WEAK_RSA
    return isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _WEAK_EC


def has_fingerprint(der: bytes, wanted: Iterable[str], algorithm: str) -> bool:
    """Return True if the certificate, or its public key, has one of the fingerprints (postconf(5), fingerprint)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 -- see ``read``
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415 -- the same

    try:
        key = load_der_x509_certificate(der).public_key()
        both = (der, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    except Exception:  # noqa: BLE001 -- as in ``read``
        both = (der, b"")
    found = {digest(data, algorithm) for data in both if data}
    return bool(found & {fingerprint.upper() for fingerprint in wanted} - {""})


def wanted_names(patterns: Sequence[str], host: str, nexthop: str) -> tuple[str, ...]:
    """Replace ``hostname``, ``nexthop`` and ``dot-nexthop`` with the names; ``host`` is the connected host."""
    places = {"hostname": host, "nexthop": nexthop, "dot-nexthop": f".{nexthop}"}
    return tuple(places.get(pattern, pattern) for pattern in patterns)


def matches(names: Iterable[str], wanted: Iterable[str]) -> bool:
    """Return True if a name of the certificate is wanted; wanted names may be in any script (tls_client.c)."""
    patterns = [ascii_name(pattern).casefold() for pattern in wanted]
    return any(_match(name.casefold(), pattern) for name in names for pattern in patterns)


def ascii_name(name: str) -> str:
    """Return a name, with its leading dot, in A-labels (RFC 5891); unchanged if it has none."""
    if name.isascii():
        return name
    import idna  # noqa: PLC0415 -- rarely needed

    host = name.removeprefix(".")
    try:
        return name[: -len(host)] + idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return name


def _match(name: str, wanted: str) -> bool:
    if wanted.startswith("."):
        return name.endswith(wanted) and len(name) > len(wanted)
    label, dot, parent = wanted.partition(".")
    return name == wanted or bool(label and dot and name == f"*.{parent}")
