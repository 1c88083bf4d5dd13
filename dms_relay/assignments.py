"""Who uses which relay, with which login: what follows from a ``RelayConfig``. Pure.

Postfix looks up (postconf(5), ``sender_dependent_relayhost_maps``, ``smtp_sasl_password_maps``) the sender's whole
address, the address without its extension, the domain; a login by sender before one by nexthop; the null sender ``<>`` has
no login by sender.

Known limits: where ``postfix-main.cf`` names lookup tables in place of ours, what stands in them is not known here, so there
is no use of them. A nexthop without brackets is taken as its own host: its MX hosts are not looked up.
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

    #: Nexthops, and the place that names them.
    _Way = tuple[NexthopList, Origin]

_BY_SENDER = "smtp_sender_dependent_authentication"


class Assignment(NamedTuple):
    """Mail of a sender, or to a recipient, at one host of a relay, and the login that is offered there.

    ``sender`` is a sender key, or ``""`` for all who are not named; ``recipient`` is a recipient key, or ``""`` for all.
    ``relay`` is the relay's name, with maps the route's text, and ``""`` where mail goes directly; ``nexthop`` is one of its
    nexthops. ``tls`` is ``None`` where main.cf says what is demanded. ``origin`` is the place of the route, ``None`` where
    there is none.
    """

    sender: str
    recipient: str
    relay: str
    nexthop: str
    tls: Tls | None
    entry: LoginEntry | None
    origin: Origin | None


def assignments(config: RelayConfig) -> tuple[Assignment, ...]:
    """Return every use, once, senders in the order of their routes, everybody else last."""
    # Each differs from the others in sender, recipient or nexthop: these are keys of tables, and members of one list.
    return tuple(_of_transports(config.transports) if config.transports else _Maps(config).assignments())


def sender_keys(sender: str) -> tuple[str, ...]:
    """Return the keys by which Postfix looks a sender up, or a sender key, without letter case."""
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
        #: The login of each nexthop that was looked up.
        self.at_nexthop: dict[str, LoginEntry | None] = {}
        is_by_sender = is_yes(own[_BY_SENDER].value) if _BY_SENDER in own else config.login_file
        self.way: _Way | None = None
        self.hosts = self._hosts(None)
        self.by_sender = {key: entry for key, entry in self.by_key.items() if "@" in key and is_by_sender}

    def assignments(self) -> Iterator[Assignment]:
        for sender, way in chain(self.routes.ways(), self._without_route()):
            if way is not self.way:  # that of the sender before, for one relay mostly has many
                self.way, self.hosts = way, self._hosts(way)
            own = self._login_of(sender) if self.by_sender else None
            for text, member, login, origin in self.hosts:
                yield Assignment(sender, "", text, member, None, own or login, origin)

    def _without_route(self) -> Iterator[tuple[str, _Way | None]]:
        """Yield senders that no route names themselves, each with the way of its mail."""
        for sender in (*reversed(self.by_sender), *((NULL_SENDER, "") if self.default else ())):
            if self.routes.way(sender) is None:
                ways = map(self.routes.way, sender_keys(sender))
                yield sender, next(filter(None, ways), None)

    def _login_of(self, sender: str) -> LoginEntry | None:
        if sender.startswith("@"):  # a domain has this key only, and most senders are domains
            return self.by_sender.get(sender)
        return next((self.by_sender[key] for key in sender_keys(sender) if key in self.by_sender), None)

    def _hosts(self, way: _Way | None) -> list[tuple[str, str, LoginEntry | None, Origin | None]]:
        """Return the relay's text, and each host with its login, for a way that a route names."""
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
