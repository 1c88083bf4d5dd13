"""States of a relay and of the DNS, and what becomes of a message in each. ``docs/delivery.md`` is this table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testbed.modes import LOST
from tests.running.state_servers import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ARRIVES, WAITS, COMES_BACK = "sent", "deferred", "bounced"
OWN_NAME = "mail.testbed.test"
"""What the testbed's Postfix calls itself (`myhostname`)."""
OWN_ADDRESS = "127.0.0.1"
"""Where it takes mail (`inet_interfaces`)."""
MX_PORT = 25
"""Where smtp(8) looks for loops, and nowhere else (smtp_connect.c)."""


@dataclass(frozen=True)
class State:
    """One state: answers that are not as usual, by step; or what the DNS says of its name.

    ``maps`` is what becomes of a message with `RELAY_ROUTING=maps`, by a route of its sender and by DEFAULT_RELAY_HOST;
    ``transports`` with `RELAY_ROUTING=transports`, where it comes back only if the relay refuses this very message.
    """

    name: str
    about: str
    maps: tuple[str, str] = (WAITS, WAITS)
    answers: Mapping[str, str] = field(default_factory=dict, hash=False)
    records: tuple[str, ...] = ()
    is_mail_domain: bool = False
    address: str = ""
    port: int = 0
    is_listening: bool = True
    transports: str = WAITS

    @property
    def is_by_name(self) -> bool:
        """Return True if the DNS is what is wrong."""
        return bool(self.records)


NOT_SO = "550 5.7.1 your name is wrong"
WANTED = "530 5.7.0 Authentication required"
HOST = "554 5.7.1 <x[1.2.3.4]>: Client host rejected: no"
LISTED = "554 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using list.test"
HELO = "550 5.7.1 <a>: Helo command rejected: no"
SMALL = "250-relay.test\n250-AUTH PLAIN\n250 SIZE 10"
QUOTING = "550 5.1.1 <b@x.test>: mx.test said: 530 no; refused to talk to me; loops back to myself"
OWN_EHLO = f"250-{OWN_NAME}\n250 STARTTLS"
OWN_MX = f"MX 10 {OWN_NAME}."
BOTH = (COMES_BACK, COMES_BACK)
BY_SENDER = (COMES_BACK, WAITS)
WELL = (ARRIVES, ARRIVES)

NAMES = (
    State("no-such-name", "the DNS has no such name", BY_SENDER, records=("",)),
    State("no-address", "the name has no address", BY_SENDER, records=("TXT nothing",)),
    State("servfail", "the DNS server fails (SERVFAIL)", records=("BROKEN",)),
    State("no-dns", "the DNS server does not answer", records=("SILENT",)),
    State(
        "mx-no-host",
        "the name of its MX host is not there",
        BY_SENDER,
        records=("MX 10 gone.test.",),
        is_mail_domain=True,
    ),
    State("null-mx", "its MX record says that it takes no mail", BY_SENDER, records=("MX 0 .",), is_mail_domain=True),
    State(
        "own-address",
        "the name has an address of this machine (port 25)",
        BY_SENDER,
        records=(f"A {OWN_ADDRESS}",),
        port=25,
    ),
    State(
        "own-mx", "this machine is its MX host (port 25)", BY_SENDER, records=(OWN_MX,), is_mail_domain=True, port=25
    ),
)


def _replies() -> Iterator[State]:
    for step in ANSWERS:
        word = step.lower().replace(" ", "-")
        before = {"EHLO": "502 5.5.1 what?"} if step == "HELO" else {}
        yield State(f"421-{word}", f"421 at {step}", answers=before | {step: "421 4.3.2 closing"})
        yield State(f"lost-{word}", f"the connection is lost at {step}", answers=before | {step: LOST})


STATES = (
    State("well", "all is well", WELL, transports=ARRIVES),
    *NAMES,
    State("refused", "the connection is refused", is_listening=False),
    State("timed-out", "the connection times out", address="240.0.0.1"),
    State("own-name", "it greets as this machine (`myhostname`, port 25)", BOTH, {"EHLO": OWN_EHLO}, port=25),
    State("greeting-450", "4xx as a greeting", answers={"greeting": "450 4.3.0 busy"}),
    State("greeting-554", "5xx as a greeting", answers={"greeting": "554 5.7.1 your address is on a list"}),
    State("greeting-http", "no SMTP: a web server", answers={"greeting": "HTTP/1.1 400 Bad Request"}),
    State("greeting-354", "a greeting with another code", BOTH, {"greeting": "354 go ahead"}),
    State("ehlo-450", "EHLO and HELO: 4xx", answers=dict.fromkeys(("EHLO", "HELO"), "450 4.7.1 not now")),
    State("ehlo-550", "EHLO and HELO: 5xx", BOTH, dict.fromkeys(("EHLO", "HELO"), NOT_SO)),
    State("ehlo-in-tls-550", "EHLO in TLS: 5xx", BOTH, dict.fromkeys(("EHLO in TLS", "HELO"), NOT_SO)),
    State("no-starttls", "no STARTTLS", answers={"EHLO": "250 relay.test"}),
    State("starttls-454", "STARTTLS: 4xx", answers={"STARTTLS": "454 4.7.0 not now"}),
    State("starttls-554", "STARTTLS: 5xx", BOTH, {"STARTTLS": "554 5.7.0 no"}),
    State("no-auth", "no AUTH, and then 530", BOTH, {"EHLO in TLS": "250 relay.test", "MAIL": WANTED}),
    State("no-mechanism", "no mechanism of AUTH in common", answers={"EHLO in TLS": "250-relay.test\n250 AUTH GSSAPI"}),
    State("auth-454", "AUTH: 4xx", answers={"AUTH": "454 4.7.0 not now"}),
    State("auth-535", "AUTH: 5xx", answers={"AUTH": "535 5.7.8 wrong"}),
    State("mail-450", "MAIL: 4xx", answers={"MAIL": "450 4.7.1 not now"}),
    State("mail-530", "MAIL: 530, a login is wanted", BOTH, {"MAIL": "530 5.7.57 Client not authenticated"}),
    State("rcpt-530", "RCPT: 530, a login is wanted", BOTH, {"RCPT": "530-5.7.0 log in\n530 5.7.0 first"}),
    State("rcpt-client", "RCPT: 5xx, `Client host rejected`", BOTH, {"RCPT": HOST}),
    State("rcpt-list", "RCPT: 5xx, `Client host … blocked using …`", BOTH, {"RCPT": LISTED}),
    State("rcpt-helo", "RCPT: 5xx, `Helo command rejected`", BOTH, {"RCPT": HELO}),
    State("mail-550", "MAIL: 5xx, the sender is refused", BOTH, {"MAIL": "550 5.7.60 not so"}, transports=COMES_BACK),
    State("rcpt-450", "RCPT: 4xx", answers={"RCPT": "450 4.2.1 not now"}),
    State(
        "rcpt-550",
        "RCPT: 5xx, the recipient is refused",
        BOTH,
        {"RCPT": "550 5.4.1 Access denied"},
        transports=COMES_BACK,
    ),
    State("rcpt-quoting", "RCPT: 5xx that quotes another server", BOTH, {"RCPT": QUOTING}, transports=COMES_BACK),
    State("data-550", "DATA: 5xx", BOTH, {"DATA": "550 5.7.1 no"}, transports=COMES_BACK),
    State("end-550", "after the message: 5xx", BOTH, {"end of DATA": "550 5.7.1 spam"}, transports=COMES_BACK),
    State("too-big", "the message is bigger than it takes (SIZE)", BOTH, {"EHLO in TLS": SMALL}, transports=COMES_BACK),
    *_replies(),
)
