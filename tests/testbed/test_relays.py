"""The relays demand what their mode says, and write down what they get."""

import smtplib
from concurrent.futures import ThreadPoolExecutor

import pytest

from testbed import (
    CLEARTEXT_STRANGER,
    PLAIN,
    SMTPS,
    STRANGER,
    SUBMISSION,
    WORLD,
    Auth,
    Ledger,
    Login,
    Mode,
    NotReceivedError,
    Relay,
    Tls,
)
from testbed.certificates import Authority

MODES = {
    "SUBMISSION": SUBMISSION,
    "SMTPS": SMTPS,
    "WORLD": WORLD,
    "PLAIN": PLAIN,
    "STRANGER": STRANGER,
    "CLEARTEXT_STRANGER": CLEARTEXT_STRANGER,
}
ALL_MODES = pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))
MESSAGE = b"Subject: about it\r\nX-Id: one\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return the authority that relays and clients share."""
    return Authority()


def connect(relay: Relay, authority: Authority) -> smtplib.SMTP:
    """Connect, with TLS where it comes first."""
    if relay.mode.tls is Tls.IMPLICIT:
        return smtplib.SMTP_SSL(relay.host, relay.port, context=authority.client_context())
    return smtplib.SMTP(relay.host, relay.port)


def prepare(client: smtplib.SMTP, mode: Mode, authority: Authority) -> None:
    """Do what the relay asks for: TLS, then the login."""
    client.ehlo()
    if mode.starttls:
        client.starttls(context=authority.client_context())
        client.ehlo()
    if mode.auth is not Auth.NONE:
        client.login("user", "pass word")


@ALL_MODES
def test_a_client_that_does_all_is_served(mode: Mode, authority: Authority) -> None:
    """Whoever uses TLS and logs in where these are to be had is served, and all of it is written down."""
    with Relay("relay", mode, authority=authority) as relay, connect(relay, authority) as client:
        prepare(client, mode, authority)
        client.sendmail("Anna@example.com", ["ben@example.org", "cleo@example.org"], MESSAGE)
        (received,) = relay.wait_for(1)
        assert (received.relay, received.sender, received.message_id) == ("relay", "Anna@example.com", "one")
        assert received.recipients == ("ben@example.org", "cleo@example.org")
        assert received.login == (None if mode.auth is Auth.NONE else Login("user", "pass word"))
        assert (received.tls is None) == (mode.tls is Tls.NONE)
        assert received.connection == len(relay.connections) == 1


@ALL_MODES
def test_a_client_that_does_nothing(mode: Mode, authority: Authority) -> None:
    """Without TLS or a login, a relay that demands them answers 530, and all others take the message."""
    refuses = mode.auth is Auth.DEMANDED or mode.tls is Tls.DEMANDED
    with Relay("relay", mode, authority=authority) as relay, connect(relay, authority) as client:
        client.ehlo()
        assert client.mail("anna@example.com")[0] == (530 if refuses else 250)
        assert relay.received == ()


def test_tls_without_login(authority: Authority) -> None:
    """A relay that demands both answers 530 to a client with TLS that does not log in."""
    with Relay("relay", SUBMISSION, authority=authority) as relay, connect(relay, authority) as client:
        client.starttls(context=authority.client_context())
        client.ehlo()
        assert client.mail("anna@example.com") == (530, b"5.7.0 Authentication required")


@ALL_MODES
def test_auth_is_announced_where_it_can_be_used(mode: Mode, authority: Authority) -> None:
    """AUTH is announced by a relay that takes logins, and where there is STARTTLS, inside TLS only."""
    with Relay("relay", mode, authority=authority) as relay, connect(relay, authority) as client:
        client.ehlo()
        assert client.has_extn("auth") == (mode.auth is not Auth.NONE and not mode.starttls)
        if mode.starttls:
            client.starttls(context=authority.client_context())
            client.ehlo()
            assert client.has_extn("auth") == (mode.auth is not Auth.NONE)


def test_only_its_own_logins(authority: Authority) -> None:
    """A relay with logins refuses every other one, and writes both attempts down; the password is not shown."""
    mode = Mode(logins={"user": "right"})
    with Relay("relay", mode, authority=authority) as relay, connect(relay, authority) as client:
        client.starttls(context=authority.client_context())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("user", "wrong")
        client.login("user", "right")
        attempts = [(a.login, a.accepted) for a in relay.attempts[:: len(relay.attempts) - 1]]
        assert attempts == [(Login("user", "wrong"), False), (Login("user", "right"), True)]
        assert "wrong" not in repr(relay.attempts)


def test_null_sender_and_subject(authority: Authority) -> None:
    """The null sender is written down as `<>`; without X-Id, the Subject is the id."""
    with Relay("relay", PLAIN, authority=authority) as relay, connect(relay, authority) as client:
        client.sendmail("", ["ben@example.org"], b"Subject: about it\r\n\r\nX-Id: not a header\r\n")
        assert [(r.sender, r.message_id) for r in relay.wait_for(1)] == [("<>", "about it")]


def test_stop_and_start_again() -> None:
    """A relay that stops drops its clients and refuses new ones; started again, it has the same port."""
    with Relay("relay", PLAIN) as relay:
        nexthop, client = relay.nexthop, smtplib.SMTP(relay.host, relay.port)
        relay.stop()
        assert not relay.running
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()
        client.close()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP(relay.host, relay.port)
        relay.start()
        with smtplib.SMTP(relay.host, relay.port) as again:
            again.sendmail("anna@example.com", ["ben@example.org"], MESSAGE)
        assert (relay.nexthop, len(relay.received)) == (nexthop, 1)


def test_port_taken() -> None:
    """A port that somebody else has is an error, and the relay can be started later."""
    with Relay("first", PLAIN) as first:
        second = Relay("second", PLAIN, host=first.host, port=first.port)
        with pytest.raises(OSError, match="in use"):
            second.start()
        assert not second.running
    with second:
        assert second.running


def test_one_ledger_for_two_relays() -> None:
    """Relays that share a ledger write one list, in the order of arrival; each still shows its own part."""
    ledger = Ledger()
    with Relay("a", PLAIN, ledger=ledger) as a, Relay("b", PLAIN, ledger=ledger) as b:
        for number, relay in enumerate((a, b, a)):
            with smtplib.SMTP(relay.host, relay.port) as client:
                client.sendmail("anna@example.com", ["ben@example.org"], f"X-Id: {number}\r\n\r\n".encode())
        assert [(r.relay, r.message_id) for r in ledger.wait_for(3)] == [("a", "0"), ("b", "1"), ("a", "2")]
        assert (len(a.received), len(b.received), ledger.count(), ledger.count("a")) == (2, 1, 3, 2)
        ledger.clear()
        assert (a.received, ledger.connections(), ledger.count()) == ((), (), 0)


def test_wait_says_what_is_missing() -> None:
    """Waiting for more than comes ends in time, with both numbers."""
    with Relay("relay", PLAIN) as relay, pytest.raises(NotReceivedError, match=r"relay: 0 of 2 messages after 0\.1 s"):
        relay.wait_for(2, timeout=0.1)


def test_many_clients_at_once(authority: Authority) -> None:
    """Clients at the same time lose nothing: 200 messages over 200 TLS sessions with login."""

    def send(number: int) -> None:
        with smtplib.SMTP(relay.host, relay.port) as client:
            prepare(client, SUBMISSION, authority)
            client.sendmail("anna@example.com", ["ben@example.org"], f"X-Id: {number}\r\n\r\n".encode())

    with Relay("relay", SUBMISSION, authority=authority) as relay, ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(200)))
        ids = sorted(int(r.message_id) for r in relay.wait_for(200))
        assert ids == list(range(200))
        assert len(relay.connections) == len({r.connection for r in relay.received}) == 200
