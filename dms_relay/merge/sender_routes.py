"""Decides which relay the mail of each sender takes, for relays with a transport of their own. Pure.

If a sender or the default is given twice, the ``.cf`` files win over ``relay.yaml``, and that wins over the environment.
Each distinct nexthop of the environment and the ``.cf`` files becomes a relay beside those of ``relay.yaml``.
"""

from __future__ import annotations

from itertools import chain

from dms_relay.merge.common import Merger
from dms_relay.merge.named_relays import NamedRelays
from dms_relay.model import AS_DEFAULT
from dms_relay.model.relays import RelayFile
from dms_relay.model.values import field, frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Login, Origin, Problem
    from dms_relay.model.configuration import Inputs
    from dms_relay.model.relays import Relay, Sender


@frozen
class SenderRoute:
    """The relay of a sender. ``is_cf``: it comes from a ``.cf`` file. ``login`` is the sender's own, from ``relay.yaml``."""

    key: str
    relay: str | None
    origin: Origin
    is_cf: bool = False
    login: Login | None = None
    login_origin: Origin | None = None


@frozen
class Routes:
    """The relays, in the order in which the inputs name them; the route of each sender, by lookup key; the default."""

    relays: tuple[Relay, ...] = ()
    senders: dict[str, SenderRoute] = field(default_factory=dict)
    default: tuple[str | None, Origin] | None = None

    def relay_of(self, key: str) -> str | None:
        """Return the relay of a sender's mail, in the order of Postfix's lookups (postconf(5))."""
        folded = key.casefold()
        local, _, domain = folded.rpartition("@")
        for found in (folded, f"{local.partition('+')[0]}@{domain}", f"@{domain}"):
            if found in self.senders:
                return self.senders[found].relay
        return self.default[0] if self.default else None


def collect_routes(inputs: Inputs) -> tuple[Routes, list[Problem]]:
    """Return the routes, and a problem for each that is wrong or dropped for another."""
    collector = _Collector(inputs)
    default = collector.default()
    senders = collector.senders(default)
    routes = Routes(tuple(collector.relays.by_name.values()), senders, default)
    return routes, [*collector.warnings, *collector.relays.problems]


class _Collector(Merger):
    """Assigns a relay to each nexthop, and to each sender the first route that names it."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.file = inputs.file or RelayFile()
        self.relays = NamedRelays(self.file.relays, inputs.tls_level)

    def default(self) -> tuple[str | None, Origin] | None:
        env = self.inputs.default
        if self.file.default:
            if env:
                self.dropped("default relay", env[1], self.file.default[1])
            return self.file.default
        return (self.relays.at(*env), env[1]) if env else None

    def senders(self, default: tuple[str | None, Origin] | None) -> dict[str, SenderRoute]:
        routes: dict[str, SenderRoute] = {}
        for route in chain(self._mapped(default), self._opted_out(), map(_of_file, self.file.senders)):
            folded = route.key.casefold()
            # If both are the same, as nearly always, keep one object: a file can have many.
            key = route.key if folded == route.key else folded
            first = routes.setdefault(key, route)
            if first is not route:
                routes[key] = self._second(first, route)
        self._add_managed(routes)
        return routes

    def _add_managed(self, routes: dict[str, SenderRoute]) -> None:
        """Route the remaining managed domains to ``RELAY_HOST``, which becomes a relay only if there are any."""
        if not self.inputs.relay:
            return
        nexthops, origin = self.inputs.relay
        self.warn_of_no_domains(origin)
        for folded, name in self.inputs.domains.items():
            key = f"@{folded}"
            if key not in routes:
                routes[key] = SenderRoute(f"@{name}", self.relays.at(nexthops, origin), origin)

    def _second(self, first: SenderRoute, second: SenderRoute) -> SenderRoute:
        """Drop the second route of a sender; keep its login if it is for the same relay."""
        self.dropped(f"route of {second.key}", second.origin, first.origin)
        if second.login and second.relay == first.relay:
            return replace(first, login=second.login, login_origin=second.login_origin)
        return first

    def _mapped(self, default: tuple[str | None, Origin] | None) -> Iterator[SenderRoute]:
        for route in self.unique_routes().values():
            if route.nexthops.text.upper() == AS_DEFAULT:
                yield SenderRoute(route.key, default[0] if default else None, route.origin, is_cf=True)
            else:
                yield SenderRoute(route.key, self.relays.at(route.nexthops, route.origin), route.origin, is_cf=True)

    def _opted_out(self) -> Iterator[SenderRoute]:
        mapped = {route.key.casefold(): route for route in reversed(self.relaymap.routes)}
        seen: set[str] = set()
        for domain in self.relaymap.opt_outs:
            key = f"@{domain.name}"
            if route := mapped.get(key.casefold()):
                text = f"the opt-out of {key} has no effect: {route.origin} maps it"
                self.warn(domain.origin, text, "keep only one of the two lines", "opt-out-without-effect")
            elif key.casefold() not in seen:
                seen.add(key.casefold())
                yield SenderRoute(key, None, domain.origin, is_cf=True)


def _of_file(sender: Sender) -> SenderRoute:
    return SenderRoute(sender.key, sender.relay, sender.origin, False, sender.login, sender.login_origin)
