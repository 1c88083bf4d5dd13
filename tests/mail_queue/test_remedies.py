"""Each class of reasons has a remedy, on every way; what a token or a port has to do with it is said."""

from __future__ import annotations

from itertools import product

import pytest

from dms_relay.mail_queue.delays import Delay, What, delay
from dms_relay.mail_queue.remedies import Way, remedy
from dms_relay.model import Login, LoginEntry, Origin
from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, NO_TOKEN, OAuth2
from dms_relay.model.values import replace
from dms_relay.relay_test.demand import Demand
from dms_relay.relay_test.replies import Reply
from dms_relay.relay_test.targets import Target

OAUTH2 = OAuth2(CLIENT_CREDENTIALS, "https://id.test/token")
STEPS = (
    "",
    "AUTH",
    "STARTTLS",
    "greeting",
    "RCPT TO command",
    "the EHLO handshake",
    "receiving the initial server greeting",
)
REPLIES = (None, Reply(450, ("4.7.1 no",), "450 4.7.1 no"), Reply(550, ("5.7.1 no",), "550 5.7.1 no"))
REFUSED = "SASL authentication failed; server r.test[192.0.2.1] said: 535 5.7.3 Authentication unsuccessful"


def way(  # noqa: PLR0913 -- each is a fact of its own
    port: int = 587,
    *,
    level: str = "encrypt",
    implicit: bool = False,
    password: str | None = "pw",  # noqa: S107 -- a made-up one
    is_token: bool = False,
    by_maps: bool = True,
) -> Way:
    """Return the way to a relay, with a login or without."""
    login = Login("me", password, OAUTH2 if is_token else None) if password else None
    entry = LoginEntry("[r.test]", login, Origin("relay.yaml", 3)) if login else None
    demand = Demand(level=level, implicit=implicit)
    target = Target("r", f"[r.test]:{port}", demand, entry, by_maps=by_maps)
    return Way("relay-r", "r.test", level, "me.test", target, is_token=is_token, is_managed=True)


WAYS = (
    Way("smtp", "x.test", "may"),
    Way("", "", "", is_known=False),
    *(
        way(port, level=level, implicit=implicit, password=password, is_token=is_token, by_maps=by_maps)
        for port, (level, implicit), (password, is_token), by_maps in product(
            (25, 465, 587),
            (("encrypt", False), ("secure", True), ("may", False)),
            ((None, False), ("pw", False), ("a.b.c", True), (NO_TOKEN, True)),
            (True, False),
        )
    ),
)


@pytest.mark.parametrize("what", What)
def test_every_class_has_one(what: What) -> None:
    """Whatever else is known: a sentence, with nothing left to be put in but what the operator's own file has."""
    for at, step, reply in product(WAYS, STEPS, REPLIES):
        told = remedy(Delay(what, "r.test", reply, step), at)
        assert told
        assert not {"{host}", "{port}", "{relay}", "{level}", "{transport}"} & set(told.split())
        assert "pw" not in told.split()


def test_tokens() -> None:
    """A refused access token is not a wrong password; one that is not there is to be got."""
    assert "dms-relay renew r" in remedy(delay(REFUSED), way(password="a.b.c", is_token=True))
    assert remedy(delay(REFUSED), way(password=NO_TOKEN, is_token=True)) == "run dms-relay renew r"
    assert "correct the login at relay.yaml:3" in remedy(delay(REFUSED), way())


@pytest.mark.parametrize(
    ("origin", "is_container"),
    [
        ("env RELAY_USER, env RELAY_PASSWORD", True),
        ("env RELAY_USER, env RELAY_PASSWORD__FILE", True),
        ("relay.env:3, relay.env:4", False),
        ("relay.yaml:3", False),
    ],
)
def test_a_variable_of_a_container(origin: str, *, is_container: bool) -> None:
    """A variable that is corrected is not there before the container is created again: that is said, and of files not."""
    at = way()
    assert at.target is not None
    assert at.target.entry is not None
    entry = replace(at.target.entry, origin=Origin(origin))
    at = replace(at, target=replace(at.target, entry=entry))
    told = remedy(delay(REFUSED), at)
    assert ("when it is created again" in told) == is_container
    assert "Then run dms-relay apply" in told
    assert "postqueue -f, which makes Postfix try it at once" in told


@pytest.mark.parametrize(
    ("text", "at", "told"),
    [
        (
            "conversation with r.test[192.0.2.1] timed out while receiving the initial server greeting",
            way(465),
            "port 587",
        ),
        (
            "Cannot start TLS: handshake failure",
            way(587, level="secure", implicit=True, by_maps=False),
            "tls: {mode: starttls}",
        ),
        ("connect to r.test[192.0.2.1]:25: Connection timed out", way(25), "587, or 465 with RELAY_ROUTING=transports"),
        ("connect to r.test[192.0.2.1]:587: Connection timed out", way(), "whether r.test can be reached"),
        (
            "host r.test[192.0.2.1] said: 530 5.7.0 Authentication required (in reply to MAIL FROM command)",
            way(password=None),
            "set a login for this relay",
        ),
        (
            "host r.test[192.0.2.1] said: 530 Must issue a STARTTLS command first (in reply to MAIL FROM command)",
            way(level="may"),
            "raise the level: smtp_tls_security_level = encrypt",
        ),
    ],
)
def test_what_the_way_tells(text: str, at: Way, told: str) -> None:
    """Port, mode of TLS, level and login decide where the text alone does not."""
    assert told in remedy(delay(text), at)
