"""Decides which logins may be offered at each relay with a transport of its own: by nexthop, and by sender. Pure.

If a login is given twice, the ``.cf`` files win over ``relay.yaml``, and that wins over the environment.

A sender without a login of its own uses the relay's. But Postfix first looks up the login of the address without its
extension, and the domain's. So if one of these has a login at the same relay, the sender gets an entry with the relay's
login. If the relay has no login, or a different one for each host, no entry can say so: then the sender uses a service that
does not look up senders. Between lines of the ``.cf`` files, Postfix's own rule holds: the login of the address without its
extension, or the domain's, serves the sender.

Where the extension begins depends on ``recipient_delimiter``, which is not known here. An extra entry does no harm, so any
character other than a letter or a digit counts as the delimiter.
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
    """For each relay by name: its logins by nexthop, and by the lookup key of a sender.

    ``ignoring`` are the lookup keys of senders that use a service which does not look up senders. ``env`` are the entries
    of the environment; ``by_sender`` are those of the ``.cf`` file that belong to senders, used or not.
    """

    at_nexthops: dict[str, tuple[LoginEntry, ...]]
    of_senders: dict[str, dict[str, LoginEntry]]
    ignoring: frozenset[str]
    env: tuple[LoginEntry, ...]
    by_sender: dict[str, LoginEntry]


def assign_logins(inputs: Inputs, routes: Routes) -> tuple[RelayLogins, list[Problem]]:
    """Return the logins of every relay, and a problem for each login that is dropped."""
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
        """Return the login at each nexthop of a relay: from the ``.cf`` file, else relay.yaml, else the environment."""
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
        """Add to each relay the logins of the senders whose mail goes through it."""
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
        """Add entries with the relay's login for senders for whom Postfix would find the login of a key above.

        Return the lookup keys of the senders for whom no entry can do that.
        """
        given = {name: dict(logins) for name, logins in self.of_senders.items()}
        relays_of = _relays_by_key(given)
        single = {relay.name: _single(relay, at_nexthops[relay.name]) for relay in self.routes.relays}
        ignoring = set()
        for key, route in self.routes.senders.items() if relays_of else ():
            for name in dict.fromkeys(name for above in _keys_above(key) for name in relays_of.get(above, ())):
                if key not in given[name] and not self._give(route, name, given[name], single[name]):
                    ignoring.add(key)
        return frozenset(ignoring)

    def _give(self, route: SenderRoute, name: str, given: dict[str, LoginEntry], single: LoginEntry | None) -> bool:
        """Add an entry for a sender at a relay if it needs one; return False if it needs one and none is possible.

        A message gets there by the sender's own route, or by a recipient's.
        """
        key = route.key.casefold()
        entry = single
        if route.relay != name:
            entry = single if name in self.of_recipients else None
        elif route.is_cf and self._is_left_to_postfix(above := _first(_lookups(key), given)):
            plain, _ = _lookups(key)
            # An entry for the address without its extension would hide it.
            is_hidden = plain != key and plain in self.routes.senders and plain not in given
            entry = above if is_hidden else None
        elif single is None:
            return False
        if entry:
            self.of_senders[name][key] = LoginEntry(route.key, entry.login, entry.origin)
        return True

    def _is_left_to_postfix(self, above: LoginEntry | None) -> bool:
        return above is None or above.key.casefold() in self.by_sender


def _relays_by_key(logins: dict[str, dict[str, LoginEntry]]) -> dict[str, list[str]]:
    """Return the relays that have a login for a sender key."""
    relays: dict[str, list[str]] = {}
    for name, entries in logins.items():
        for key in entries:
            relays.setdefault(key, []).append(name)
    return relays


def _keys_above(key: str) -> Iterator[str]:
    """Yield the keys that Postfix may look up after an address, whatever the delimiter of its extension."""
    local, _, domain = key.rpartition("@")
    if local:
        yield from (f"{local[:end]}@{domain}" for end in range(1, len(local)) if not local[end].isalnum())
        yield f"@{domain}"


def _lookups(key: str) -> tuple[str, str]:
    """Return the keys that Postfix looks up after an address, with Debian's ``recipient_delimiter``."""
    local, _, domain = key.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}", f"@{domain}"


def _first(keys: tuple[str, ...], entries: dict[str, LoginEntry]) -> LoginEntry | None:
    return next((entries[key] for key in keys if key in entries), None)


def _single(relay: Relay, logins: tuple[LoginEntry, ...]) -> LoginEntry | None:
    """Return the login if it is the same at every host of a relay, else ``None``."""
    values = {(entry.login.username, entry.login.password, entry.login.oauth2) for entry in logins}
    return logins[0] if len(values) == 1 and len(logins) == len(relay.nexthops.members) else None
