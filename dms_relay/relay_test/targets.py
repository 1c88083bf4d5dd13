"""What to test: each relay at each of its hosts, with each login that is used there. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dms_relay.assignments import assignments
from dms_relay.model import IMPLICIT_TLS_PORTS, NULL_SENDER, RELAY_YAML
from dms_relay.postfix.nexthop import SERVICES, host_of, is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dms_relay.assignments import Assignment
    from dms_relay.model import Login, LoginEntry, Origin
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.relay_test.demand import Demand

#: Ports by the names that a nexthop may have (RFC 6335, IANA's registry).
_PORTS = {"smtp": 25, "submission": 587} | dict.fromkeys(SERVICES & IMPLICIT_TLS_PORTS, 465)
#: How many places that name a nexthop are shown: a table can have thousands of lines with the same one.
ORIGINS_MAX = 3
_DEFAULT_PORT = "smtp"  # postconf(5), smtp_tcp_port


@dataclass(frozen=True, slots=True)
class Target:
    """A relay at one of its nexthops, and the login that is used there; ``entry`` is ``None`` without a login.

    ``relay`` is the relay's name, or with maps the nexthop; ``routes`` are all texts with which a route names it. ``sender``
    is an address that uses it, or ``<>`` if only the null sender does, empty if none is known. With ``by_maps`` main.cf
    sets the TLS demand. With ``sends`` a message for this relay and login goes to this nexthop, the first one.
    ``origins`` are places that name the nexthop, the first ones of many; empty if none is known.
    """

    relay: str
    nexthop: str
    demand: Demand
    entry: LoginEntry | None = None
    sender: str = ""
    routes: tuple[str, ...] = ()
    by_maps: bool = False
    sends: bool = True
    origins: tuple[Origin, ...] = ()

    @property
    def host(self) -> str:
        """The host, or the domain whose MX hosts are used."""
        return host_of(self.nexthop)

    @property
    def port(self) -> int:
        """The TCP port."""
        text = self.nexthop.rpartition("]")[2] if "[" in self.nexthop else self.nexthop.removeprefix(self.host)
        port = text.removeprefix(":") or _DEFAULT_PORT
        return _PORTS[port] if port in _PORTS else int(port)

    @property
    def by_mx(self) -> bool:
        """Return True if Postfix looks up the MX hosts of the host (postconf(5), relayhost)."""
        return not self.nexthop.startswith("[") and not is_address(self.host)

    @property
    def is_without_file(self) -> bool:
        """Return True if other inputs than relay.yaml name the relay, so that it has no keys."""
        return bool(self.origins) and all(origin.source != RELAY_YAML for origin in self.origins)

    @property
    def shown_login(self) -> str:
        """The user name, in a form that is safe to show."""
        return self.entry.login.shown_username if self.entry else "none"


def targets(
    config: RelayConfig, demand_of: Callable[[Assignment], Demand], domains: Sequence[str] = ()
) -> tuple[Target, ...]:
    """Return each combination of relay, nexthop and login that is used, once, in the order of the assignments.

    ``domains`` are the managed ones: one that no key names serves as the sender for a default relay.
    """
    uses = assignments(config)
    named = {use.sender.casefold() for use in uses}
    other = next((domain for domain in domains if f"@{domain.casefold()}" not in named), "")
    found: dict[tuple[str, str, Login | None], Target] = {}
    first: dict[tuple[str, Login | None], str] = {}
    by_maps = not config.transports
    places = _places(config)
    for use in uses:
        if not use.relay:
            continue
        relay = use.nexthop if by_maps else use.relay
        login = use.entry.login if use.entry else None
        sends = first.setdefault((relay, login), use.nexthop) == use.nexthop
        key = (relay, use.nexthop.casefold(), login)
        target = found.get(key) or Target(relay, use.nexthop, demand_of(use), use.entry, by_maps=by_maps, sends=sends)
        routes = tuple(dict.fromkeys((*target.routes, use.relay)))
        sender = _sender(use, other, domains)
        if key in found:
            sender = max(target.sender, sender, key=_rank)
        origins = (*target.origins, places.get((relay, use.nexthop)) or use.origin)
        found[key] = replace(target, sender=sender, routes=routes, origins=_first(origins))
    return tuple(found.values())


def _places(config: RelayConfig) -> dict[tuple[str, str], Origin]:
    """Return the place of each nexthop that relay.yaml names, by the relay's name: a route there names the relay alone."""
    relays = [service.relay for service in config.transports.services] if config.transports else []
    return {
        (relay.name, nexthop): origin
        for relay in relays
        for nexthop, origin in zip(relay.nexthops.members, relay.host_origins, strict=False)
    }


def _first(origins: Iterable[Origin | None]) -> tuple[Origin, ...]:
    return tuple(dict.fromkeys(filter(None, origins)))[: ORIGINS_MAX + 1]


def _sender(use: Assignment, other: str, domains: Sequence[str]) -> str:
    """Return an address, or ``<>``, with this assignment: a route by recipient takes the mail of all domains."""
    if use.sender == NULL_SENDER:
        return NULL_SENDER
    domain = next(iter(domains), "") if use.recipient else other
    return address_of(use.sender or (f"@{domain}" if domain else ""))


def _rank(sender: str) -> int:
    """Return a sender's rank for a test: a named address, one that nobody names, the null sender."""
    return {NULL_SENDER: 0, "": 1}.get(sender, 2)


def address_of(key: str) -> str:
    """Return an address that a sender key matches; empty for the null sender and for senders that no key names."""
    if key in {"", NULL_SENDER}:
        return ""
    return key if not key.startswith("@") else f"postmaster{key}"


def selected(found: Iterable[Target], words: Sequence[str]) -> tuple[Target, ...]:
    """Return the targets that a word names, by relay, nexthop, host, or text of a route; all targets without words."""
    wanted = {word.casefold() for word in words}
    return tuple(target for target in found if not wanted or wanted & _names(target))


def unknown(found: Iterable[Target], words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that name no target."""
    known = {name for target in found for name in _names(target)}
    return tuple(word for word in dict.fromkeys(words) if word.casefold() not in known)


def _names(target: Target) -> set[str]:
    return {name.casefold() for name in (target.relay, target.nexthop, target.host, *target.routes)}
