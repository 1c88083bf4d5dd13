"""Certificates for the relays of the testbed, and the authority that signed them.

Everything lives in memory, except for the authority's own certificate, which
`Authority.write_certificate` puts where an SMTP client can read it
(`smtp_tls_CAfile`).
"""

import hashlib
import secrets
import ssl
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_MINIMUM_TLS = ssl.TLSVersion.TLSv1_2
_EXPIRED = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
_NOT_YET = datetime(2998, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
_VALID = datetime(2001, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
_EXPONENT = 65537
_RSA_MIN = 1024
"""Minimum bits of an RSA key that `cryptography` generates."""
_ANY_STRENGTH = "DEFAULT:@SECLEVEL=0"
"""Ciphers that OpenSSL needs for versions of TLS before 1.2."""


@dataclass(frozen=True)
class ServerTls:
    """What a server needs for TLS, and what identifies it to a client."""

    context: ssl.SSLContext
    fingerprint: str
    """SHA-256 of the certificate (DER), as `openssl x509 -fingerprint` writes it: `AB:CD:…`."""


class Authority:
    """A certificate authority that exists for one run only."""

    def __init__(self) -> None:
        """Create a new key and a self-signed certificate."""
        self._ca = trustme.CA()

    def server(
        self,
        *names: str,
        expired: bool = False,
        days: int | None = None,
        not_yet: bool = False,
        bits: int | None = None,
    ) -> ServerTls:
        """Return what a server needs, with a certificate for `names`; `expired` makes it an expired one.

        A name is a host name or an IP address in text form. `days` is how long the
        certificate is still valid, if that matters; `not_yet` makes it start in the far
        future; `bits` is the length of its RSA key, in place of a modern key.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _MINIMUM_TLS
        if bits is not None:
            return self._weak(context, names[0], bits)
        begin, end = _EXPIRED if expired else _NOT_YET if not_yet else (None, None)
        if days is not None:
            end = datetime.now(UTC) + timedelta(days=days)
        certificate = self._ca.issue_cert(*names, not_before=begin, not_after=end)
        certificate.configure_cert(context)
        return ServerTls(context, _fingerprint(certificate.cert_chain_pems[0].bytes().decode()))

    def _weak(self, context: ssl.SSLContext, name: str, bits: int) -> ServerTls:
        key = _rsa(bits)
        issuer = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes()).subject
        authority = serialization.load_pem_private_key(self._ca.private_key_pem.bytes(), None)
        made = (
            x509.CertificateBuilder(issuer, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_VALID[0])
            .not_valid_after(_VALID[1])
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(authority, hashes.SHA256())  # type: ignore[arg-type]  # trustme uses an elliptic curve
        )
        pem = made.public_bytes(serialization.Encoding.PEM)
        context.set_ciphers(_ANY_STRENGTH)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(pem + _private_pem(key))
            file.flush()
            context.load_cert_chain(file.name)
        return ServerTls(context, _fingerprint(pem.decode()))

    def client_context(self) -> ssl.SSLContext:
        """Return a TLS client context that trusts only this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = _MINIMUM_TLS
        self._ca.configure_trust(context)
        return context

    def write_certificate(self, path: Path) -> Path:
        """Write the authority's certificate (PEM, mode 0644) to `path`."""
        self._ca.cert_pem.write_to_path(str(path))
        path.chmod(0o644)
        return path


def anonymous() -> ServerTls:
    """Return what a server without a certificate needs (RFC 5246, appendix F.1.1.1)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = _MINIMUM_TLS
    context.set_ciphers("aNULL:!eNULL:@SECLEVEL=0")
    return ServerTls(context, "")


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    """Return a key of any length; the library itself refuses to generate short ones."""
    if bits >= _RSA_MIN:
        return rsa.generate_private_key(_EXPONENT, bits)
    p, q = (_prime(bits // 2) for _ in range(2))
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    parts = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *parts, public).private_key(unsafe_skip_rsa_key_validation=True)


def _prime(bits: int) -> int:
    """Return a prime, by Fermat's test, with the two highest bits set."""
    while True:
        number = secrets.randbits(bits) | 3 << (bits - 2) | 1
        if number % _EXPONENT != 1 and all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)):
            return number


def _private_pem(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def limit(context: ssl.SSLContext, newest: ssl.TLSVersion) -> None:
    """Make a server support all versions of TLS up to `newest`, and no later ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # an old version is the purpose
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
    context.set_ciphers(_ANY_STRENGTH)


def _fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper()
