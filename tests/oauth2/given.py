"""Makes logins of each grant, and registers them at a token endpoint."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, DEVICE_CODE, GRANTS, REFRESH_TOKEN, SERVICE_ACCOUNT, OAuth2
from testbed.token_rules import OAuth2Client, ServiceAccount

if TYPE_CHECKING:
    from testbed.token_server import TokenServer

USER = "me@example.test"
SECRET = "s3cret/with+odd=chars&more"
SCOPE = "https://mail.example.test/smtp"


@functools.cache
def key_pair(kind: str) -> tuple[str, str, str]:
    """Return a private key, its public half, and a certificate of it (PEM)."""
    key: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dms-relay")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name).public_key(key.public_key()).serial_number(1)
    made = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode(), made.public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Given:
    """Logins at one endpoint."""

    server: TokenServer
    ca_file: str

    def login(self, grant: str, **fields: str) -> OAuth2:
        """Return a login of a grant that the endpoint knows."""
        return {
            CLIENT_CREDENTIALS: self.with_secret,
            REFRESH_TOKEN: self.with_refresh_token,
            SERVICE_ACCOUNT: self.with_service_account,
            DEVICE_CODE: self.with_device,
        }[grant](**fields)

    def with_secret(self, **fields: str) -> OAuth2:
        """Return a client with a secret."""
        self.server.clients["us"] = OAuth2Client(secret=SECRET, users=(USER,))
        return self._oauth2(CLIENT_CREDENTIALS, {"client_id": "us", "client_secret": SECRET} | fields)

    def with_certificate(self, kind: str = "rsa", **fields: str) -> OAuth2:
        """Return a client with a key and its certificate."""
        private, _, certificate = key_pair(kind)
        self.server.clients["us"] = OAuth2Client(certificate=certificate, users=(USER,))
        parts = {"client_id": "us", "client_key": private, "client_certificate": certificate}
        return self._oauth2(CLIENT_CREDENTIALS, parts | fields)

    def with_refresh_token(self, **fields: str) -> OAuth2:
        """Return a public client with a refresh token."""
        self.server.clients["public"] = OAuth2Client()
        token = self.server.new_refresh_token("public", USER)
        return self._oauth2(REFRESH_TOKEN, {"client_id": "public", "refresh_token": token} | fields)

    def with_service_account(self, **fields: str) -> OAuth2:
        """Return a service account that may act for the user."""
        private, public, _ = key_pair("rsa")
        account = {"client_email": "us@project.test", "private_key": private, "private_key_id": "k1"}
        self.server.accounts["us@project.test"] = ServiceAccount(public, "k1", (USER,))
        return self._oauth2(SERVICE_ACCOUNT, {"service_account": json.dumps(account)} | fields)

    def with_device(self, **fields: str) -> OAuth2:
        """Return a public client that a person has to agree to."""
        self.server.clients["public"] = OAuth2Client()
        urls = {"device_url": self.server.device_url, "authorization_url": self.server.authorization_url}
        return self._oauth2(DEVICE_CODE, {"client_id": "public"} | urls | fields)

    def _oauth2(self, grant: str, fields: dict[str, str]) -> OAuth2:
        return OAuth2(
            **{"grant": grant, "token_url": self.server.token_url, "scope": SCOPE, "ca_file": self.ca_file} | fields
        )


__all__ = ["GRANTS", "SCOPE", "SECRET", "USER", "Given", "key_pair"]
