"""Which logins may be offered at each relay that has a transport of its own: by nexthop, and by sender. Pure.

Where the same login is given twice, the ``.cf`` files come before ``relay.yaml``, and that before the environment.

A sender without a login of its own uses the relay's. Postfix looks for the domain's login before that, so where the domain
has one at the same relay, the sender gets an entry with the relay's login; where the relay has none, or one for each of
several hosts, no entry can say so, and the sender goes by a service that does not look at senders. Between lines of the
``.cf`` files it is as Postfix does: the domain's login serves its addresses.
"""

from __future__ import annotations

from dms_relay.merge.common import Merger, lookup_keys
from dms_relay.model import LoginEntry
from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.merge.sender_routes import Routes, SenderRoute
    from dms_relay.model import Problem
    from dms_relay.model.configuration import Inputs
    from dms_relay.model.relays import Relay


@frozen
class RelayLogins:
    """For each relay by name, its logins by nexthop, and by the lookup key of a sender.

    ``ignoring`` are the lookup keys of senders that go by a service which does not look at senders. ``env`` are the entries
    of the environment; ``by_sender`` are those of the ``.cf`` file that belong to senders, used or not.
    """

    at_nexthops: dict[str, tuple[LoginEntry, ...]]
    of_senders: dict[str, dict[str, LoginEntry]]
    ignoring: frozenset[str]
    env: tuple[LoginEntry, ...]
    by_sender: dict[str, LoginEntry]


def assign_logins(inputs: Inputs, routes: Routes) -> tuple[RelayLogins, list[Problem]]:
    """Return the logins of every relay, and those that are dropped."""
    assigner = _Assigner(inputs, routes)
    at_nexthops = {relay.name: assigner.at_nexthops(relay) for relay in routes.relays}
    assigner.give_senders_their_own()
    ignoring = assigner.give_senders_their_relays(at_nexthops)
    logins = RelayLogins(at_nexthops, assigner.of_senders, ignoring, assigner.env, assigner.by_sender)
    return logins, assigner.warnings


class _Assigner(Merger):
    """Goes through relays and senders, each once."""

    def __init__(self, inputs: Inputs, routes: Routes) -> None:
        super().__init__(inputs)
        self.routes = routes
        self.env = tuple(self.env_login() or ())
        self.env_by_key = {entry.key.casefold(): entry for entry in self.env}
        self.by_key = {entry.key.casefold(): entry for entry in reversed(inputs.logins or ())}
        own = self.unique_logins(entry for entry in inputs.logins or () if "@" in entry.key)
        self.by_sender = {entry.key.casefold(): entry for entry in own}
        self.of_senders: dict[str, dict[str, LoginEntry]] = {relay.name: {} for relay in routes.relays}
        recipients = inputs.file.recipients if inputs.file else ()
        self.of_recipients = {recipient.relay for recipient in recipients}

    def at_nexthops(self, relay: Relay) -> tuple[LoginEntry, ...]:
        """Return the login at each nexthop of a relay: of the ``.cf`` file, else of relay.yaml, else of the environment."""
        logins: dict[str, LoginEntry] = {}
        for member in relay.nexthops.members:
            found = list(self._found_at(member, relay))
            for second in found[1:]:
                self.dropped_login(f"at {member}", second, found[0])
            if found:
                logins[member.casefold()] = LoginEntry(member, found[0].login, found[0].origin)
        return tuple(logins.values())

    def _found_at(self, member: str, relay: Relay) -> Iterator[LoginEntry]:
        keys = lookup_keys(member)
        yield from (self.by_key[key] for key in keys if key in self.by_key)
        if relay.login and relay.login_origin:
            yield LoginEntry(member, relay.login, relay.login_origin)
        yield from (self.env_by_key[key] for key in keys if key in self.env_by_key)

    def give_senders_their_own(self) -> None:
        """Give each relay the logins of the senders whose mail goes through it."""
        for key, entry in self.by_sender.items():
            if (relay := self.routes.relay_of(entry.key)) in self.of_senders:
                self.of_senders[relay][key] = entry
        for key, route in self.routes.senders.items():
            if route.relay in self.of_senders and route.login and route.login_origin:
                first = self.of_senders[route.relay].setdefault(
                    key, entry := LoginEntry(route.key, route.login, route.login_origin)
                )
                if first is not entry:
                    self.dropped(f"login of {route.key}", route.login_origin, first.origin)

    def give_senders_their_relays(self, at_nexthops: dict[str, tuple[LoginEntry, ...]]) -> frozenset[str]:
        """Give the relay's login to senders for whom Postfix would find that of their domain.

        Return the lookup keys of those to whom no entry can give it.
        """
        domains = {key: name for name, logins in self.of_senders.items() for key in logins if key.startswith("@")}
        single = {relay.name: _single(relay, at_nexthops[relay.name]) for relay in self.routes.relays}
        ignoring = set()
        for key, route in self.routes.senders.items():
            name = domains.get(route.domain_key or "")
            if name is None or key in self.of_senders[name] or not self._is_meant(route, name):
                continue
            if entry := single[name]:
                self.of_senders[name][key] = LoginEntry(route.key, entry.login, entry.origin)
            elif route.relay == name:
                ignoring.add(key)
        return frozenset(ignoring)

    def _is_meant(self, route: SenderRoute, name: str) -> bool:
        """Return True if mail of a sender meets its domain's login at a relay, and is to have the relay's there.

        That is the relay of its route, or one that it reaches by a recipient.
        """
        if route.relay != name:
            return name in self.of_recipients
        return not (route.is_cf and route.domain_key in self.by_sender)


def _single(relay: Relay, logins: tuple[LoginEntry, ...]) -> LoginEntry | None:
    """Return the login that is the same at every host of a relay; ``None`` where there is no such."""
    values = {(entry.login.username, entry.login.password) for entry in logins}
    return logins[0] if len(values) == 1 and len(logins) == len(relay.nexthops.members) else None
