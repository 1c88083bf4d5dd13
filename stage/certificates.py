"""Certificates for the relays of the stage, and the authority that signed them.

Everything lives in memory, except for the authority's own certificate, which
`Authority.write_certificate` puts where an SMTP client can read it
(`smtp_tls_CAfile`).
"""

import ssl
from pathlib import Path

import trustme

_MINIMUM_TLS = ssl.TLSVersion.TLSv1_2


class Authority:
    """A certificate authority that exists for one run only."""

    def __init__(self) -> None:
        """Make a new key and a self-signed certificate."""
        self._ca = trustme.CA()

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Give a TLS server context whose certificate is for `names`.

        A name is a host name or an IP address in text form.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _MINIMUM_TLS
        self._ca.issue_cert(*names).configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Give a TLS client context that trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = _MINIMUM_TLS
        self._ca.configure_trust(context)
        return context

    def write_certificate(self, path: Path) -> Path:
        """Write the authority's certificate (PEM, mode 0644) to `path`."""
        self._ca.cert_pem.write_to_path(str(path))
        path.chmod(0o644)
        return path
