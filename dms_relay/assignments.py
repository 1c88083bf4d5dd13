"""Who uses which relay, with which login, according to a ``RelayConfig``. Pure.

Postfix looks up the sender's whole address, then the address without its extension, then the domain, and a login by sender
before one by nexthop (postconf(5), ``sender_dependent_relayhost_maps``, ``smtp_sasl_password_maps``). The null sender ``<>``
has no login by sender.

Known limits: where ``postfix-main.cf`` names other lookup tables instead of ours, their content is unknown here and ignored.
A nexthop without brackets is taken as its own host: its MX hosts are not looked up.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from dms_relay.merge.common import lookup_keys
from dms_relay.model import AS_DEFAULT, NULL_SENDER, NexthopList, Origin
from dms_relay.model.senders import Routes
from dms_relay.postfix.main_cf import is_yes
from dms_relay.postfix.nexthop import SyntaxProblem, parse_nexthops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import LoginEntry
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.model.relays import RelayService, Tls, Transports

    #: Nexthops, and where they are named.
    _Way = tuple[NexthopList, Origin]

_BY_SENDER = "smtp_sender_dependent_authentication"


class Assignment(NamedTuple):
    """Mail of a sender, or to a recipient, at one host of a relay, and the login offered there.

    ``sender`` is a sender key, or ``""`` for every sender not named; ``recipient`` is a recipient key, or ``""`` for all.
    ``relay`` is the relay's name (with maps, the route's text), or ``""`` where mail goes directly; ``nexthop`` is one of
    its nexthops. ``tls`` is ``None`` where main.cf decides about TLS. ``origin`` is where the route is written, or ``None``.
    """

    sender: str
    recipient: str
    relay: str
    nexthop: str
    tls: Tls | None
    entry: LoginEntry | None
    origin: Origin | None


def assignments(config: RelayConfig) -> tuple[Assignment, ...]:
    """Return every assignment once: senders in the order of their routes, everybody else last."""
    # No two are equal: sender and recipient are keys of tables, and the nexthops are members of one list.
    return tuple(_of_transports(config.transports) if config.transports else _Maps(config).assignments())


def sender_keys(sender: str) -> tuple[str, ...]:
    """Return the keys by which Postfix looks up a sender, in lower case; ``sender`` may itself be a sender key."""
    if sender in {NULL_SENDER, ""}:
        return (sender,)
    folded = sender.casefold()
    if folded.startswith("@"):
        return (folded,)
    local, _, domain = folded.rpartition("@")
    return tuple(dict.fromkeys((folded, f"{local.partition('+')[0]}@{domain}", f"@{domain}")))


class _Maps:
    """Routes and logins in two tables, and a default."""

    def __init__(self, config: RelayConfig) -> None:
        own = config.user_parameters
        self.default = config.default
        if "relayhost" in own:
            nexthops = _nexthops(own["relayhost"].value)
            self.default = (nexthops, own["relayhost"].origin) if nexthops else None
        self.routes = Routes() if "sender_dependent_relayhost_maps" in own else config.routes
        logins = () if "smtp_sasl_password_maps" in own else config.logins or ()
        self.by_key = {entry.key.casefold(): entry for entry in reversed(logins)}
        #: The login of each nexthop looked up so far.
        self.at_nexthop: dict[str, LoginEntry | None] = {}
        is_by_sender = is_yes(own[_BY_SENDER].value) if _BY_SENDER in own else config.login_file
        self.way: _Way | None = None
        self.hosts = self._hosts(None)
        self.by_sender = {key: entry for key, entry in self.by_key.items() if "@" in key and is_by_sender}

    def assignments(self) -> Iterator[Assignment]:
        for sender, way in chain(self.routes.ways(), self._without_route()):
            if way is not self.way:  # the previous sender's: most relays have many senders
                self.way, self.hosts = way, self._hosts(way)
            own = self._login_of(sender) if self.by_sender else None
            for text, member, login, origin in self.hosts:
                yield Assignment(sender, "", text, member, None, own or login, origin)

    def _without_route(self) -> Iterator[tuple[str, _Way | None]]:
        """Yield the senders without a route of their own, each with the route that its mail takes."""
        for sender in (*reversed(self.by_sender), *((NULL_SENDER, "") if self.default else ())):
            if self.routes.way(sender) is None:
                ways = map(self.routes.way, sender_keys(sender))
                yield sender, next(filter(None, ways), None)

    def _login_of(self, sender: str) -> LoginEntry | None:
        if sender.startswith("@"):  # a domain has only this key, and most senders are domains
            return self.by_sender.get(sender)
        return next((self.by_sender[key] for key in sender_keys(sender) if key in self.by_sender), None)

    def _hosts(self, way: _Way | None) -> list[tuple[str, str, LoginEntry | None, Origin | None]]:
        """Return, for each host of a route: the route's text, the host, its login, and where the route is written."""
        if way is None or way[0].text.upper() == AS_DEFAULT:
            way = self.default
        if way is None:
            return [("", "", None, None)]
        nexthops, origin = way
        return [(nexthops.text, member, self._login_at(member), origin) for member in nexthops.members]

    def _login_at(self, nexthop: str) -> LoginEntry | None:
        if nexthop not in self.at_nexthop:
            found = (self.by_key[key] for key in lookup_keys(nexthop) if key in self.by_key)
            self.at_nexthop[nexthop] = next(found, None)
        return self.at_nexthop[nexthop]


def _nexthops(text: str) -> NexthopList | None:
    try:
        return parse_nexthops(text)
    except SyntaxProblem:
        return None


def _of_transports(transports: Transports) -> Iterator[Assignment]:
    services = {service.relay.name: _Service(service) for service in transports.services}
    ways = {route.key.casefold(): route for route in transports.senders}
    own = [key for service in services.values() for key in service.by_sender]
    for sender in dict.fromkeys([*ways, *own]):
        route = ways.get(sender) or next((ways[key] for key in sender_keys(sender) if key in ways), None)
        relay, origin = (route.relay, route.origin) if route else transports.default or (None, None)
        if relay is None:
            yield Assignment(sender, "", "", "", None, None, origin)
        else:
            ignores_sender_logins = route is not None and route.ignores_sender_logins
            yield from services[relay].at(sender, "", origin, ignores_sender_logins=ignores_sender_logins)
    for recipient in transports.recipients:
        if recipient.relay is not None:
            yield from services[recipient.relay].at("", recipient.key, recipient.origin)
    name, origin = transports.default or (None, None)
    if name is not None:
        for sender in ("",) if NULL_SENDER in ways else (NULL_SENDER, ""):
            yield from services[name].at(sender, "", origin)


class _Service:
    """A relay's service, with its logins by lookup key."""

    def __init__(self, service: RelayService) -> None:
        self.relay = service.relay
        self.by_sender = {entry.key.casefold(): entry for entry in service.sender_logins}
        self.by_nexthop = {entry.key.casefold(): entry for entry in service.logins}

    def at(
        self, sender: str, recipient: str, origin: Origin | None, *, ignores_sender_logins: bool = False
    ) -> Iterator[Assignment]:
        own = None
        if self.by_sender and not ignores_sender_logins:
            own = next((self.by_sender[key] for key in sender_keys(sender) if key in self.by_sender), None)
        relay = self.relay
        for member in relay.nexthops.members:
            entry = own or self.by_nexthop.get(member.casefold())
            yield Assignment(sender, recipient, relay.name, member, relay.tls, entry, origin)
