"""The relays take access tokens by XOAUTH2 and OAUTHBEARER, and refuse them as Google does and as Microsoft does."""

import json
import smtplib
from base64 import b64decode, b64encode

import pytest

from testbed import Auth, Login, Mode, Relay, Tls

USER = "me@example.com"
ENDS = {"XOAUTH2": b"", "OAUTHBEARER": b"\x01"}
ALL_MECHANISMS = pytest.mark.parametrize("mechanism", ENDS)


def message(mechanism: str, token: str, user: str = USER) -> str:
    """Return what a client sends by this mechanism, in base64."""
    if mechanism == "XOAUTH2":
        text = f"user={user}\x01auth=Bearer {token}\x01\x01"
    else:
        text = f"n,a={user},\x01host=relay.test\x01port=587\x01auth=Bearer {token}\x01\x01"
    return b64encode(text.encode()).decode()


def connect(relay: Relay) -> smtplib.SMTP:
    """Connect, and say EHLO."""
    client = smtplib.SMTP(relay.host, relay.port)
    client.ehlo()
    return client


def clear(**options: object) -> Mode:
    """Return the mode of a relay without TLS."""
    return Mode(Tls.NONE, Auth.DEMANDED, **options)  # type: ignore[arg-type]


@ALL_MECHANISMS
def test_a_good_token(mechanism: str) -> None:
    """A good token is taken with the command, and what came by which mechanism is written down."""
    with Relay("relay", clear(tokens={(USER, "good")})) as relay, connect(relay) as client:
        assert mechanism in client.esmtp_features["auth"].split()
        assert client.docmd("AUTH", f"{mechanism} {message(mechanism, 'good')}")[0] == 235
        client.sendmail("a@example.com", ["b@example.org"], b"Subject: one\r\n\r\n")
        (received,), (attempt,) = relay.received, relay.attempts
        assert (received.login, received.mechanism) == (Login(USER, "good"), mechanism)
        assert (attempt.login, attempt.mechanism, attempt.accepted) == (Login(USER, "good"), mechanism, True)


@ALL_MECHANISMS
def test_a_long_token(mechanism: str) -> None:
    """A token of 8 KiB is taken after an empty challenge; with the command, the line would be too long."""
    token = "x" * 8192
    with Relay("relay", clear(tokens={(USER, token)})) as relay, connect(relay) as client:
        assert client.docmd("AUTH", f"{mechanism} {message(mechanism, token)}")[0] == 500
        assert client.docmd("AUTH", mechanism) == (334, b"")
        assert client.docmd(message(mechanism, token))[0] == 235


@ALL_MECHANISMS
def test_refused_in_two_steps(mechanism: str) -> None:
    """Another token is answered with an error in JSON, and with 535 after the client's answer; a wrong answer gets 501."""
    with Relay("relay", clear(tokens={(USER, "good")})) as relay, connect(relay) as client:
        for end, code in ((ENDS[mechanism], 535), (b"something", 501)):
            challenge = client.docmd("AUTH", f"{mechanism} {message(mechanism, 'bad')}")
            assert challenge[0] == 334
            assert json.loads(b64decode(challenge[1]))["status"] == "400"
            assert client.docmd(b64encode(end).decode())[0] == code
        assert [a.accepted for a in relay.attempts] == [False, False]


@ALL_MECHANISMS
def test_refused_at_once(mechanism: str) -> None:
    """A relay may refuse with 535 at once, in its own words."""
    mode = clear(tokens=(), token_refusal="535", auth_reply="535 5.7.3 Authentication unsuccessful")
    with Relay("relay", mode) as relay, connect(relay) as client:
        reply = client.docmd("AUTH", f"{mechanism} {message(mechanism, 'bad')}")
        assert reply == (535, b"5.7.3 Authentication unsuccessful")


def test_a_token_is_revoked() -> None:
    """What is a good token is asked at each login."""
    good = {(USER, "good")}
    for tokens in (good, lambda user, token: (user, token) in good):
        good.add((USER, "good"))
        with Relay("relay", clear(tokens=tokens, token_refusal="535")) as relay:
            for code in (235, 535):
                with connect(relay) as client:
                    assert client.docmd("AUTH", f"XOAUTH2 {message('XOAUTH2', 'good')}")[0] == code
                good.clear()


@ALL_MECHANISMS
def test_what_is_no_login(mechanism: str) -> None:
    """What the mechanism does not read is refused with 501, and is no attempt."""
    with Relay("relay", clear(tokens={(USER, "good")})) as relay, connect(relay) as client:
        for sent in ("=", "bm90aGluZw=="):
            assert client.docmd("AUTH", f"{mechanism} {sent}")[0] == 501
        assert client.docmd("AUTH", mechanism)[0] == 334
        assert client.docmd("*")[0] == 501
        assert relay.attempts == ()


def test_a_name_with_a_comma() -> None:
    """OAUTHBEARER writes a comma and an equals sign of the user name otherwise (RFC 5801, section 4)."""
    sent = message("OAUTHBEARER", "good", user="a=2Cb=3Dc")
    with Relay("relay", clear(tokens={("a,b=c", "good")})) as relay, connect(relay) as client:
        assert client.docmd("AUTH", f"OAUTHBEARER {sent}")[0] == 235


def test_passwords_beside_tokens() -> None:
    """A relay with tokens takes its passwords as ever, by PLAIN; a token is no password there, nor the other way round."""
    mode = clear(logins={USER: "pass word"}, tokens={(USER, "good")}, token_refusal="535")
    with Relay("relay", mode) as relay:
        with connect(relay) as client:
            client.login(USER, "pass word")
        with connect(relay) as client, pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(USER, "good")
        with connect(relay) as client:
            assert client.docmd("AUTH", f"XOAUTH2 {message('XOAUTH2', 'password')}")[0] == 535
        assert "PLAIN" in {a.mechanism for a in relay.attempts}
