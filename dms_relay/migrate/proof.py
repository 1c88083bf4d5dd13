"""The proof of an import: what ``explain`` says for every name before and after, and where the two differ.

``before`` is the configuration of Postfix, or of the image; ``after`` is that of ``apply`` with the new ``relay.yaml``.
Tries every sender with a recipient that nobody names, and every recipient with a sender that nobody names and the null
sender; then each named sender with each named recipient, as long as these are not too many.

Compares the route, the nexthops, the user name of the login, and the demands on TLS. Ignores how a nexthop is written (a
default port) and which service of master.cf delivers.
"""

from __future__ import annotations

import re
from itertools import islice, product
from typing import TYPE_CHECKING

from dms_relay.explain.report import route_document
from dms_relay.explain.tables import LookupFailedError
from dms_relay.migrate.names import UNKNOWN_RECIPIENT, UNKNOWN_SENDER
from dms_relay.model import NULL_SENDER
from dms_relay.model.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.explain.document import HopDocument, RouteDocument
    from dms_relay.explain.views import View
    from dms_relay.migrate.names import Named

#: Maximum pairs of a named sender and a named recipient: each takes about a millisecond, twice.
PAIRS_MAX = 2000
_LOGIN = re.compile(r"\bno login|\blogin [^,]+")
_USUAL_PORTS = {"smtp": "25", "submission": "587", "submissions": "465", "smtps": "465", "ssmtp": "465"}


@frozen
class Message:
    """A sender and a recipient to try, and a description of them."""

    sender: str
    recipient: str
    shown: str


@frozen
class Difference:
    """A message that goes another way: its route before and after."""

    message: Message
    before: str
    after: str

    @property
    def is_login_alone(self) -> bool:
        """True if the only difference is that a login is no longer offered."""
        return _LOGIN.sub("", self.before) == _LOGIN.sub("", self.after)


@frozen
class Proof:
    """How many messages were compared, how many pairs were left out, and each difference."""

    compared: int
    skipped: int
    differences: tuple[Difference, ...]


def prove(before: View, after: View, named: Named) -> Proof:
    """Compare two configurations. Raises ``PostfixError``."""
    messages, skipped = _messages(named)
    addresses = [address for message in messages for address in (message.sender, message.recipient)]
    for view in (before, after):
        view.tables.expect(dict.fromkeys(addresses))
    found = ((m, _way(before, m), _way(after, m)) for m in messages)
    return Proof(len(messages), skipped, tuple(Difference(m, old, new) for m, old, new in found if old != new))


def _messages(named: Named) -> tuple[list[Message], int]:
    senders = [(name.key, name.address) for name in named.senders.values()]
    recipients = [(name.key, name.address) for name in named.recipients.values()]
    found = [Message(address, UNKNOWN_RECIPIENT, f"from {key}") for key, address in senders]
    found.append(Message(UNKNOWN_SENDER, UNKNOWN_RECIPIENT, "from anybody else"))
    if "" not in named.senders and NULL_SENDER not in named.senders:
        found.append(Message("", UNKNOWN_RECIPIENT, f"from {NULL_SENDER}"))
    for key, address in recipients:
        found.append(Message(UNKNOWN_SENDER, address, f"to {key} from anybody else"))
        found.append(Message("", address, f"to {key} from {NULL_SENDER}"))
    named_senders = [(key, address) for key, address in senders if address]
    pairs = (
        Message(sender, recipient, f"to {to} from {of}")
        for (of, sender), (to, recipient) in product(named_senders, recipients)
    )
    return [*found, *islice(pairs, PAIRS_MAX)], max(0, len(named_senders) * len(recipients) - PAIRS_MAX)


def _way(view: View, message: Message) -> str:
    """Return the way of a message, in the same words for the same way."""
    try:
        document = route_document(view, None, message.sender, message.recipient)
    except LookupFailedError as error:
        return f"it stays in the queue: {error}"
    return way_text(document)


def way_text(document: RouteDocument) -> str:
    """Return the compared parts of a route, in words."""
    if document["failure"]:
        return f"it does not leave ({document['failure']})"
    hops = document["hops"]
    if not hops:
        return f"by {document['transport']} to {document['nexthop']}"
    if document["is_direct"]:
        return f"directly, {_demands(hops[0])}"
    return f"to {' and '.join(_unique(_hop(hop) for hop in hops))}"


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _hop(hop: HopDocument) -> str:
    port = _USUAL_PORTS.get(hop["port"], hop["port"])
    kind = "the MX hosts of " if hop["mail_exchangers"] else ""
    host = hop["host"].lower().removeprefix("ipv6:").strip("[]")
    return f"{kind}{host} port {port}, {_demands(hop)}"


def _demands(hop: HopDocument) -> str:
    return ", ".join(_parts(hop))


def _parts(hop: HopDocument) -> Iterator[str]:
    login, tls = hop["login"], hop["tls"]
    yield f"login {login['username']}" if login else "no login"
    mode = " from the start" if tls["mode"] == "implicit" else ""
    names = f" ({', '.join(tls['names'])})" if tls["names"] else ""
    yield f"TLS {tls['level']}{mode}{names}"
