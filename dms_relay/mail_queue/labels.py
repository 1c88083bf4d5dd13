"""Which relay a waiting message is for: its label in the configuration in force.

Routes a message as ``explain`` does, by its envelope as cleanup(8) left it. Reads Postfix's configuration, never writes.

Known limits: does not see what is in the queue file but not in the envelope: a content filter, a redirection.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dms_relay.explain.rewriting import RECIPIENT, SENDER, NotFollowedError, Rewriting
from dms_relay.explain.routing import recipient_values, resolve, sender_values
from dms_relay.explain.tables import Key, LookupFailedError, recipient_keys
from dms_relay.explain.values import Values
from dms_relay.explain.views import View, view_now
from dms_relay.mail_queue.delays import What
from dms_relay.model import DIRECT
from dms_relay.postfix.master_cf import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.explain.routing import Resolution
    from dms_relay.mail_queue.messages import Waiting
    from dms_relay.postfix.programs import Postfix

#: The label of an unknown relay: a table gives no answer, or master.cf has no such service.
UNKNOWN = "unknown"
#: The label of relays beyond ``LABELS_MAX``, and of senders beyond ``senders.GROUPS_MAX``.
OTHER = "other"
#: Maximum number of labels. Our inputs name each of their relays; an operator's own tables may name any number.
LABELS_MAX = 1000
#: Number of routes to cache.
_ROUTES_MAX = 100_000
#: The program that sends mail to relays.
_SMTP = "smtp"
#: The parameters whose entries are looked up by recipient.
_BY_RECIPIENT = ("transport_maps", "relocated_maps")
#: The queue of messages that cleanup(8) has not seen yet.
_MAILDROP = "maildrop"


class _KeptValues(Values):
    """Parameters, each of which is expanded and split once."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._texts: dict[str, str] = {}
        self._words: dict[str, list[str]] = {}

    def get(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = self._values.get(name)
        return self._texts[name]

    def words(self, name: str) -> list[str]:
        if name not in self._words:
            self._words[name] = self._values.words(name)
        return self._words[name]


class Router:
    """Routes the messages of one queue by the configuration in force, which is read once."""

    def __init__(self, postfix: Postfix) -> None:
        """Read the configuration. Raises ``PostfixError``."""
        now = view_now(postfix)
        self.view = now
        resolver = now.of_resolver
        # Resolving needs no services: without a text, no message makes us search it.
        self._view = View(_KeptValues(resolver.values), resolver.tables, "")
        self._rewriting = Rewriting(now)
        self._senders: dict[str, tuple[str | None, ...] | None] = {}
        self._routes: dict[tuple[object, ...], Resolution] = {}
        self._programs: dict[str, str | None] = {}
        self._first_nexthops: dict[str, str] = {}
        self._hosts_of: dict[tuple[str, str], frozenset[str] | None] = {}
        self._by_recipient = [name for name in _BY_RECIPIENT if self._view.values.get(name)]

    def expect(self, messages: Iterable[Waiting]) -> None:
        """Look up everything that the routes of these messages depend on, with one query of each table."""
        senders: dict[str, None] = {}
        recipients: dict[str, None] = {}
        for message in messages:
            if self.sender_of(message) not in self._senders:
                senders[self.sender_of(message)] = None
            if self._by_recipient:
                recipients |= dict.fromkeys(unquoted(recipient.address) for recipient in message.recipients)
        self._view.tables.expect_keys(self._keys(senders, recipients))

    def _keys(self, senders: Iterable[str], recipients: Iterable[str]) -> Iterator[Key]:
        values = self._view.values
        with_parents = self._view.domains.matches_parents("transport_maps")
        for sender in filter(None, senders):
            yield from self._view.keys_of(sender)
        for recipient in recipients:
            yield from recipient_keys(recipient, values.get("recipient_delimiter"), with_parents=with_parents)
            yield from self._view.keys_of(recipient) if "relocated_maps" in self._by_recipient else ()

    def sender_of(self, message: Waiting) -> str:
        """Return a message's sender as it is looked up; empty for the null sender."""
        return self._address(message, message.sender, SENDER) if message.sender else ""

    def envelope(self, message: Waiting, recipient: str) -> tuple[str, str]:
        """Return sender and recipient as they are looked up."""
        return self.sender_of(message), self._address(message, recipient, RECIPIENT)

    def label(self, envelope: tuple[str, str]) -> str:
        """Return the label of the relay of a message to one of its recipients."""
        way = self.route(*envelope)
        if way.failure or self._program(way.transport) is None:
            return UNKNOWN
        if way.transport.startswith(PREFIX) and self._is_of_service(way):
            return service_relay(way.transport)
        return DIRECT if self._is_direct(way, envelope[1]) else way.nexthop

    def _is_of_service(self, way: Resolution) -> bool:
        """Return True if a route leads to the hosts of its service: an operator's ``transport_maps`` may name others."""
        if way.transport not in self._first_nexthops:
            service = self.view.service(way.transport)
            self._first_nexthops[way.transport] = service[1].get("relayhost").casefold() if service else ""
        first = self._first_nexthops[way.transport]
        return not first or way.nexthop.casefold().replace(",", " ").split()[:1] == [first]

    def _is_direct(self, way: Resolution, recipient: str) -> bool:
        is_own = way.nexthop.casefold() == recipient.rpartition("@")[2].casefold()
        return is_own or self._program(way.transport) != _SMTP

    def what(self, what: What, host: str, envelope: tuple[str, str]) -> What:
        """Return the class of a reason, corrected by the route: it may involve no relay, or another one by now."""
        way = self.route(*envelope)
        if self._program(way.transport) not in {_SMTP, None} and what is not What.POSTFIX:
            return What.HERE
        hosts = self._hosts(way)
        return What.ELSEWHERE if host and hosts and host.casefold() not in hosts else what

    def _hosts(self, way: Resolution) -> frozenset[str] | None:
        """Return the hosts of a route; ``None`` if the DNS names them, or there may be more (smtp_connect.c)."""
        key = (way.transport, way.nexthop)
        if key not in self._hosts_of:
            service = self.view.service(way.transport)
            values = service[1] if service else self.view.values
            nexthops = way.nexthop.replace(",", " ").split() + values.words("smtp_fallback_relay")
            is_known = all(nexthop.startswith("[") for nexthop in nexthops)
            hosts = frozenset(nexthop[1:].casefold().partition("]")[0].removeprefix("ipv6:") for nexthop in nexthops)
            self._hosts_of[key] = hosts if is_known else None
        return self._hosts_of[key]

    def _address(self, message: Waiting, address: str, address_class: str) -> str:
        """Return an address as it is looked up; cleanup(8) has not yet completed and rewritten those of a new message."""
        address = unquoted(address)
        if "@" not in address:
            address = f"{address}@{self._view.values.get('myorigin')}"
        if message.queue != _MAILDROP:
            return address
        try:
            return self._rewriting.of(address, address_class)[0]
        except NotFollowedError:
            return address

    def route(self, sender: str, recipient: str) -> Resolution:
        """Return the route of a message by its envelope; equal envelopes are resolved only once."""
        of_sender, of_recipient = self._of_sender(sender), self._of_recipient(recipient)
        if of_sender is None or of_recipient is None:
            return resolve(self._view, sender, recipient)
        key = (of_sender, of_recipient)
        if key not in self._routes:
            if len(self._routes) >= _ROUTES_MAX:
                self._routes.clear()
            self._routes[key] = resolve(self._view, sender, recipient)
        return self._routes[key]

    def _of_sender(self, sender: str) -> tuple[str | None, ...] | None:
        """Return the entries of a sender that routes depend on; ``None`` if a table gives no answer."""
        if sender not in self._senders:
            if len(self._senders) >= _ROUTES_MAX:
                self._senders.clear()
            try:
                self._senders[sender] = sender_values(self._view, sender)
            except LookupFailedError:
                self._senders[sender] = None
        return self._senders[sender]

    def has_route(self, sender: str) -> bool:
        """Return True if the configuration in force has an entry for a sender."""
        return any(value is not None for value in self._of_sender(sender) or ())

    def _of_recipient(self, recipient: str) -> tuple[object, ...] | None:
        """Return the domain of a recipient, and its entries; ``None`` if a table gives no answer."""
        domain = recipient.rpartition("@")[2]
        if not self._by_recipient:
            return (domain,)
        try:
            return (domain, *recipient_values(self._view, recipient))
        except LookupFailedError:
            return None

    def _program(self, transport: str) -> str | None:
        if transport not in self._programs:
            found = self.view.service(transport)
            self._programs[transport] = found[0] if found else None
        return self._programs[transport]


def service_relay(service: str) -> str:
    """Return the name of the relay of a managed service: ``relay-NAME``, ``relay-NAME_shared``, ``relay-NAME_new``.

    No name of a relay has an underscore.
    """
    return service.removeprefix(PREFIX).partition("_")[0]


def unquoted(address: str) -> str:
    """Return an address as Postfix looks it up: its local part without quotes (RFC 5321, section 4.1.2)."""
    local, at, domain = address.rpartition("@")
    if not (local.startswith('"') and local.endswith('"') and len(local) > 1):
        return address
    return re.sub(r"\\(.)", r"\1", local[1:-1]) + at + domain
