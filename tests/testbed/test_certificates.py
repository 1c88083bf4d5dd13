"""The certificates that relays show: good ones, and each kind of bad one."""

import hashlib
import smtplib
import ssl

import pytest

from testbed import PLAIN, SMTPS, SUBMISSION, Certificate, Mode, Relay
from testbed.certificates import Authority

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return the authority that the client trusts."""
    return Authority()


def shown(relay: Relay, context: ssl.SSLContext) -> bytes:
    """Connect with TLS and give the certificate (DER); raises ssl.SSLError where the client does not trust it."""
    with smtplib.SMTP_SSL(relay.host, relay.port, context=context) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.getpeercert(binary_form=True) or b""


def test_a_good_one(authority: Authority) -> None:
    """A client that trusts the authority, and asks for the relay's name or address, takes the certificate."""
    with Relay("relay", SMTPS, authority=authority) as relay:
        assert shown(relay, authority.client_context())


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (Certificate.OTHER_NAME, "IP address mismatch"),
        (Certificate.EXPIRED, "certificate has expired"),
        (Certificate.UNKNOWN_AUTHORITY, "unable to get local issuer certificate"),
    ],
)
def test_a_bad_one(authority: Authority, certificate: Certificate, reason: str) -> None:
    """Such a client refuses each kind of bad certificate, for the reason that the kind names, and for no other."""
    mode = Mode(SMTPS.tls, SMTPS.auth, certificate=certificate)
    with Relay("relay", mode, authority=authority) as relay, pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shown(relay, authority.client_context())


def test_its_fingerprint(authority: Authority) -> None:
    """The fingerprint is the SHA-256 of what the relay shows, in pairs of upper-case digits; without TLS there is none."""
    with Relay("relay", SMTPS, authority=authority) as relay:
        digest = hashlib.sha256(shown(relay, authority.client_context())).hexdigest().upper()
        assert relay.fingerprint.split(":") == [digest[at : at + 2] for at in range(0, 64, 2)]
    assert Relay("starttls", SUBMISSION, authority=authority).fingerprint.count(":") == 31
    assert Relay("plain", PLAIN).fingerprint == ""
