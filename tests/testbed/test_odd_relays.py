"""The relays that misbehave do so in the way that their mode says, and the listeners say what they are told."""

import smtplib
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509 import load_der_x509_certificate

from testbed import Auth, Certificate, Login, Mode, Relay, Tls
from testbed.certificates import Authority
from testbed.listener import Listener, closing, saying, silent


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return the authority that relays and clients share."""
    return Authority()


def test_greeting() -> None:
    """A relay greets with what its mode says, once; all that comes after is as ever."""
    with Relay("relay", Mode(Tls.NONE, Auth.NONE, greeting="554 5.7.1 no")) as relay:
        client = smtplib.SMTP()
        assert client.connect(relay.host, relay.port) == (554, b"5.7.1 no")
        assert client.ehlo()[0] == 250
        client.close()


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_refusals(verb: str) -> None:
    """A command is refused as its mode says, and no message is taken."""
    refusals = {verb: "550 5.7.1 not that"}
    with (
        Relay("relay", Mode(Tls.NONE, Auth.NONE, refusals=refusals)) as relay,
        smtplib.SMTP(relay.host, relay.port) as client,
    ):
        replies = {
            "EHLO": client.ehlo(),
            "HELO": client.helo(),
            "MAIL": client.mail("a@example.com"),
            "RCPT": client.rcpt("b@example.com"),
            "DATA": client.docmd("DATA"),
        }
        assert replies[verb] == (550, b"5.7.1 not that")
        client.close()
        assert relay.received == ()


def test_mechanisms() -> None:
    """A relay announces the mechanisms of its mode; one that it does not have is refused."""
    mode = Mode(Tls.NONE, Auth.OFFERED, mechanisms=("XOAUTH2", "LOGIN"))
    with Relay("relay", mode) as relay, smtplib.SMTP(relay.host, relay.port) as client:
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["XOAUTH2", "LOGIN"]
        assert client.docmd("AUTH", "XOAUTH2 x")[0] == 504


def test_cram_md5() -> None:
    """CRAM-MD5 is there where the mode has it; the ledger has the password only where it is the right one."""
    mode = Mode(Tls.NONE, Auth.OFFERED, mechanisms=("CRAM-MD5",), logins={"user": "right"})
    with Relay("relay", mode) as relay, smtplib.SMTP(relay.host, relay.port) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("user", "wrong")
        client.login("user", "right")
        assert [(a.login, a.accepted) for a in relay.attempts] == [
            (Login("user", ""), False),
            (Login("user", "right"), True),
        ]


def test_no_cram_md5_otherwise() -> None:
    """A relay of every other mode has PLAIN and LOGIN, as before."""
    with Relay("relay", Mode(Tls.NONE, Auth.OFFERED)) as relay, smtplib.SMTP(relay.host, relay.port) as client:
        client.ehlo()
        assert sorted(client.esmtp_features["auth"].split()) == ["LOGIN", "PLAIN"]


def test_auth_reply() -> None:
    """A login that is not taken gets the reply of the mode, with the password in it where that is asked for."""
    mode = Mode(Tls.NONE, Auth.OFFERED, logins={"user": "right"}, auth_reply="535 5.7.8 {password} {encoded}")
    with Relay("relay", mode) as relay, smtplib.SMTP(relay.host, relay.port) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.login("user", "wrong")
        assert caught.value.smtp_error == b"5.7.8 wrong d3Jvbmc="
        assert client.login("user", "right")[0] == 235


def test_newest_tls(authority: Authority) -> None:
    """A relay that knows TLSv1.2 at most uses that."""
    mode = Mode(auth=Auth.NONE, newest_tls=ssl.TLSVersion.TLSv1_2)
    with (
        Relay("relay", mode, authority=authority) as relay,
        smtplib.SMTP(relay.host, relay.port) as client,
    ):
        client.starttls(context=authority.client_context())
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() == "TLSv1.2"


def test_an_expiring_certificate(authority: Authority) -> None:
    """It is still good, and for a few days only."""
    mode = Mode(auth=Auth.NONE, certificate=Certificate.EXPIRING)
    with (
        Relay("relay", mode, authority=authority) as relay,
        smtplib.SMTP(relay.host, relay.port) as client,
    ):
        client.starttls(context=authority.client_context())
        assert isinstance(client.sock, ssl.SSLSocket)
        end = load_der_x509_certificate(client.sock.getpeercert(binary_form=True) or b"").not_valid_after_utc
        assert timedelta(days=4) < end - datetime.now(UTC) < timedelta(days=6)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listener(host: str) -> None:
    """It says its text to whoever comes, writes down what it hears, and counts."""
    with (
        Listener(saying("hello\n"), host) as server,
        socket.create_connection((server.host, server.port), 10) as client,
    ):
        assert client.recv(100) == b"hello\n"
        client.sendall(b"one\r\ntwo\r\n")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
        assert (server.lines, server.connections) == (["one", "two"], 1)
        assert server.nexthop == f"[{host}]:{server.port}"


def test_listeners_that_say_nothing() -> None:
    """One hears and says nothing, one closes at once."""
    with Listener(silent) as server, socket.create_connection((server.host, server.port), 10) as client:
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(100)
    with Listener(closing) as server, socket.create_connection((server.host, server.port), 10) as client:
        assert client.recv(100) == b""
