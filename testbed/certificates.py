"""Certificates for the relays of the testbed, and the authority that signed them.

Everything lives in memory, except for the authority's own certificate, which
`Authority.write_certificate` puts where an SMTP client can read it
(`smtp_tls_CAfile`).
"""

import hashlib
import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

_MINIMUM_TLS = ssl.TLSVersion.TLSv1_2
_EXPIRED = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
_ANY_STRENGTH = "DEFAULT:@SECLEVEL=0"
"""What OpenSSL needs for versions of TLS before 1.2."""


@dataclass(frozen=True)
class ServerTls:
    """What a server needs for TLS, and what a client can know it by."""

    context: ssl.SSLContext
    fingerprint: str
    """SHA-256 of the certificate (DER), as `openssl x509 -fingerprint` writes it: `AB:CD:…`."""


class Authority:
    """A certificate authority that exists for one run only."""

    def __init__(self) -> None:
        """Make a new key and a self-signed certificate."""
        self._ca = trustme.CA()

    def server(self, *names: str, expired: bool = False, days: int | None = None) -> ServerTls:
        """Return what a server needs whose certificate is for `names`; an expired one where that is asked for.

        A name is a host name or an IP address in text form. `days` is how long it is
        still valid, where that matters.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _MINIMUM_TLS
        begin, end = _EXPIRED if expired else (None, None)
        if days is not None:
            end = datetime.now(UTC) + timedelta(days=days)
        certificate = self._ca.issue_cert(*names, not_before=begin, not_after=end)
        certificate.configure_cert(context)
        return ServerTls(context, _fingerprint(certificate.cert_chain_pems[0].bytes().decode()))

    def client_context(self) -> ssl.SSLContext:
        """Return a TLS client context that trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = _MINIMUM_TLS
        self._ca.configure_trust(context)
        return context

    def write_certificate(self, path: Path) -> Path:
        """Write the authority's certificate (PEM, mode 0644) to `path`."""
        self._ca.cert_pem.write_to_path(str(path))
        path.chmod(0o644)
        return path


def limit(context: ssl.SSLContext, newest: ssl.TLSVersion) -> None:
    """Have a server know no version of TLS after `newest`, and all before it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # an old version is the point of it
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
    context.set_ciphers(_ANY_STRENGTH)


def _fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper()
