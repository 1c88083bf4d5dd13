"""Merges for relays with a transport of their own (``RELAY_ROUTING=transports``, ``relay.yaml``). Pure.

Each relay of ``relay.yaml``, and each distinct nexthop of the environment and the ``.cf`` files, becomes a service that has
its own logins only, so that none of them can reach another server. Where the same sender, default or login is given twice,
the ``.cf`` files come before ``relay.yaml``, and that before the environment.

A sender without a login of its own uses the relay's. Postfix looks for the domain's login before that, so where the domain
has one at the same relay, the sender gets an entry with the relay's login; where the relay has none, or one for each of
several hosts, no entry can say so, and the sender goes by a service that does not look at senders. Between lines of the
``.cf`` files it is as Postfix does: the domain's login serves its addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dms_relay.merge.common import Merger, lookup_keys
from dms_relay.merge.named_relays import NamedRelays
from dms_relay.merge.user_parameters import check_user_parameters
from dms_relay.model import AS_DEFAULT, NULL_SENDER, LoginEntry, Origin, Problem
from dms_relay.model.configuration import RelayConfig
from dms_relay.model.relays import (
    CLEARTEXT_LEVELS,
    Relay,
    RelayFile,
    RelayService,
    TransportRoute,
    Transports,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Login
    from dms_relay.model.configuration import Inputs
    from dms_relay.model.relays import Sender


@dataclass(frozen=True, slots=True)
class _Way:
    """The way of a sender. ``is_cf`` says that a ``.cf`` file names it; ``login`` is the sender's own, of relay.yaml."""

    key: str
    relay: str | None
    origin: Origin
    is_cf: bool = False
    login: Login | None = None
    login_origin: Origin | None = None


class TransportsMerger(Merger):
    """Merges for ``RELAY_ROUTING=transports``."""

    def __init__(self, inputs: Inputs) -> None:
        """Begin with the relays of ``relay.yaml``."""
        super().__init__(inputs)
        self.file = inputs.file or RelayFile()
        self.relays = NamedRelays(self.file.relays, inputs.tls_level)
        self.default: tuple[str | None, Origin] | None = None
        self.ways: dict[str, _Way] = {}
        self.env_entries: list[LoginEntry] = []
        self.sender_entries: list[LoginEntry] = []

    def config(self) -> RelayConfig:
        """Return what is wanted; errors stand among the warnings."""
        inputs = self.inputs
        self.warn_of_half_a_login()
        if inputs.default is None and inputs.relay is None and inputs.relaymap is None and inputs.file is None:
            self.warn_of_unused_logins()
            return RelayConfig()
        self.env_entries = self.env_login() or []
        self.sender_entries = list(self.unique_logins(entry for entry in inputs.logins or () if "@" in entry.key))
        self.default = self._default()
        self.ways = self._ways()
        services = {name: self._service(relay) for name, relay in self.relays.by_name.items()}
        routes = tuple(self._route(way, services) for way in self.ways.values())
        services |= {
            r.relay: replace(services[r.relay], ignores_sender_logins=True)
            for r in routes
            if r.relay and r.ignores_sender_logins
        }
        recipients = tuple(TransportRoute(r.key, r.relay, r.origin) for r in self.file.recipients)
        self.warnings.extend(self.relays.problems)
        self._warn_of_unused_relays()
        self._warn_of_unused_entries(services)
        self.warnings.extend(check_user_parameters(inputs, self.default, has_senders=bool(self.ways)))
        transports = Transports(tuple(services.values()), routes, recipients, self.default)
        return RelayConfig(enabled=True, user_parameters=inputs.user_parameters, transports=transports)

    # Routes.

    def _default(self) -> tuple[str | None, Origin] | None:
        env = self.inputs.default
        if self.file.default:
            if env:
                self.dropped("default relay", env[1], self.file.default[1])
            return self.file.default
        return (self.relays.at(*env), env[1]) if env else None

    def _ways(self) -> dict[str, _Way]:
        """Return the way of each sender that is named, by its key."""
        ways: dict[str, _Way] = {}
        for way in (*self._mapped(), *self._opted_out(), *map(_of_file, self.file.senders)):
            first = ways.setdefault(way.key.casefold(), way)
            if first is not way:
                ways[way.key.casefold()] = self._second(first, way)
        if self.inputs.relay:
            self.warn_of_no_domains(self.inputs.relay[1])
            for domain in self.inputs.domains:
                key = f"@{domain.name}"
                if key.casefold() not in ways:
                    ways[key.casefold()] = _Way(key, self.relays.at(*self.inputs.relay), self.inputs.relay[1])
        return ways

    def _second(self, first: _Way, way: _Way) -> _Way:
        """Drop the second way of a sender; its login stays where it is one of the same relay."""
        self.dropped(f"way of {way.key}", way.origin, first.origin)
        if way.login and way.relay == first.relay:
            return replace(first, login=way.login, login_origin=way.login_origin)
        return first

    def _mapped(self) -> Iterator[_Way]:
        for route in self.unique_routes().values():
            if route.nexthops.text.upper() == AS_DEFAULT:
                yield _Way(route.key, self.default[0] if self.default else None, route.origin, is_cf=True)
            else:
                yield _Way(route.key, self.relays.at(route.nexthops, route.origin), route.origin, is_cf=True)

    def _opted_out(self) -> Iterator[_Way]:
        mapped = {route.key.casefold(): route for route in reversed(self.relaymap.routes)}
        seen: set[str] = set()
        for domain in self.relaymap.opt_outs:
            key = f"@{domain.name}"
            if route := mapped.get(key.casefold()):
                text = f"the opt-out of {key} has no effect: {route.origin} maps it"
                self.warn(domain.origin, text, "keep one of the two lines", "opt-out-without-effect")
            elif key.casefold() not in seen:
                seen.add(key.casefold())
                yield _Way(key, None, domain.origin, is_cf=True)

    def _route(self, way: _Way, services: dict[str, RelayService]) -> TransportRoute:
        service = services[way.relay] if way.relay else None
        ignores_sender_logins = service is not None and self._needs_shared(way, service)
        return TransportRoute(way.key, way.relay, way.origin, ignores_sender_logins=ignores_sender_logins)

    # Logins.

    def _way_of(self, key: str) -> str | None:
        """Return the relay of a sender's mail, by the order of Postfix's lookups (postconf(5))."""
        folded = key.casefold()
        local, _, domain = folded.rpartition("@")
        plain = f"{local.partition('+')[0]}@{domain}"
        for found in (folded, plain, f"@{domain}"):
            if found in self.ways:
                return self.ways[found].relay
        return self.default[0] if self.default else None

    def _service(self, relay: Relay) -> RelayService:
        logins = {entry.key.casefold(): entry for entry in self._logins_at(relay)}
        senders = {entry.key.casefold(): entry for entry in self._own_logins(relay)}
        for way in self.ways.values():
            if entry := self._inherit_relay_login(way, relay, senders, list(logins.values())):
                senders[way.key.casefold()] = entry
        service = RelayService(relay, tuple(logins.values()), tuple(senders.values()))
        self._check_cleartext(service)
        return service

    def _logins_at(self, relay: Relay) -> Iterator[LoginEntry]:
        """Yield the login at each nexthop of a relay: of the ``.cf`` file, else of relay.yaml, else of the environment."""
        entries = {entry.key.casefold(): entry for entry in reversed(self.inputs.logins or ())}
        env = {entry.key.casefold(): entry for entry in self.env_entries}
        for member in relay.nexthops.members:
            keys = lookup_keys(member)
            found = [entries[key] for key in keys if key in entries]
            if relay.login and relay.login_origin:
                found.append(LoginEntry(member, relay.login, relay.login_origin))
            found += [env[key] for key in keys if key in env]
            for second in found[1:]:
                self.dropped_login(f"at {member}", second, found[0])
            if found:
                yield LoginEntry(member, found[0].login, found[0].origin)

    def _own_logins(self, relay: Relay) -> Iterator[LoginEntry]:
        """Yield the logins of senders that go through this relay."""
        named: dict[str, LoginEntry] = {}
        for entry in self.sender_entries:
            if self._way_of(entry.key) == relay.name:
                named[entry.key.casefold()] = entry
                yield entry
        for way in self.ways.values():
            if way.relay == relay.name and way.login and way.login_origin:
                first = named.get(way.key.casefold())
                if first:
                    self.dropped(f"login of {way.key}", way.login_origin, first.origin)
                else:
                    yield LoginEntry(way.key, way.login, way.login_origin)

    def _inherit_relay_login(
        self, way: _Way, relay: Relay, senders: dict[str, LoginEntry], logins: list[LoginEntry]
    ) -> LoginEntry | None:
        """Return the relay's login for a sender whose domain has one of its own there; ``None`` where there is no need."""
        key = way.key.casefold()
        is_here = way.relay == relay.name or any(r.relay == relay.name for r in self.file.recipients)
        if not is_here or key in senders or not self._is_below(way, relay, senders):
            return None
        values = {(entry.login.username, entry.login.password) for entry in logins}
        is_one = len(values) == 1 and len(logins) == len(relay.nexthops.members)
        return LoginEntry(way.key, logins[0].login, logins[0].origin) if is_one else None

    def _is_below(self, way: _Way, relay: Relay, senders: dict[str, LoginEntry]) -> bool:
        """Return True if Postfix would find the login of the sender's domain, and that is not what is meant."""
        local, _, domain = way.key.casefold().rpartition("@")
        if way.key == NULL_SENDER or not local:
            return False
        above = senders.get(f"@{domain}")
        is_cf = way.is_cf and way.relay == relay.name
        return above is not None and not (is_cf and above in self.sender_entries)

    def _needs_shared(self, way: _Way, service: RelayService) -> bool:
        senders = {entry.key.casefold(): entry for entry in service.sender_logins}
        return way.key.casefold() not in senders and self._is_below(way, service.relay, senders)

    def _check_cleartext(self, service: RelayService) -> None:
        tls, entries = service.relay.tls, (*service.logins, *service.sender_logins)
        if entries and tls.level in CLEARTEXT_LEVELS and not tls.allow_cleartext_login:
            text = f"level {tls.level} does not protect the login at relay {service.relay.name}"
            is_file = service.relay in self.file.relays
            remedy = "or write allow_cleartext_login: true" if is_file else "or say it in relay.yaml"
            origin = service.relay.origin if is_file else self.relays.level_origin(service.relay.origin)
            self._error(origin, text, f"choose secure or encrypt, {remedy}", "cleartext-login")

    # Warnings, and errors that take all of it to see.

    def _warn_of_unused_relays(self) -> None:
        used = {way.relay for way in self.ways.values()} | {recipient.relay for recipient in self.file.recipients}
        used.add(self.default[0] if self.default else None)
        for relay in self.file.relays:
            if relay.name not in used:
                remedy = "name it as default, or for a sender"
                self.warn(relay.origin, f"nobody uses relay {relay.name}", remedy, "unused-relay")

    def _warn_of_unused_entries(self, services: dict[str, RelayService]) -> None:
        """Warn of each login of a ``.cf`` file or the environment that no relay has."""
        nexthops = [service.relay.nexthops for service in services.values()]
        members = tuple(dict.fromkeys(member for found in nexthops for member in found.members))
        keys = {key for member in members for key in lookup_keys(member)}
        for entry in (*(self.inputs.logins or ()), *self.env_entries):
            if "@" not in entry.key and entry.key.casefold() not in keys:
                self.warn_of_unused_key(entry, members)
        for entry in self.sender_entries:
            if self._way_of(entry.key) is None:
                text = "no relay is set here for this sender, so its login is not used"
                self.warn(entry.origin, text, "map the sender, or take the login away", "login-without-relay")

    def _error(self, origin: Origin, text: str, remedy: str, rule: str) -> None:
        self.warnings.append(Problem(origin, text, remedy, rule=rule))


def _of_file(sender: Sender) -> _Way:
    return _Way(sender.key, sender.relay, sender.origin, login=sender.login, login_origin=sender.login_origin)
