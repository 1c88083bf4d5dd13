"""Turns the routes of all names into the contents of ``relay.yaml``: relays with names, and who uses which. Pure.

A sender is written only if its mail goes another way than that of its domain, or of everybody; a recipient always, since
it takes precedence over every sender.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dms_relay.mask import mask_parameter
from dms_relay.migrate.draft import Delivery, Draft, Left, Route
from dms_relay.model import DIRECT, IMPLICIT_TLS_PORTS, NULL_SENDER
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.model.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dms_relay.migrate.draft import Name, TakenLogin, TakenRelay

#: Maximum characters of a name derived from a host: a number may follow, and 64 are allowed.
_NAME_MAX = 48


@frozen
class Answers:
    """The routes of everybody, of the null sender, and of each name. ``hidden`` are recipients of ``relay_domains``."""

    default: Delivery
    null: Delivery
    senders: tuple[tuple[Name, Delivery], ...] = ()
    recipients: tuple[tuple[Name, Delivery], ...] = ()
    hidden: frozenset[str] = frozenset()


def draft(answers: Answers, origin: str, keep: str) -> Draft:
    """Return a draft; ``origin`` is the place of the default, ``keep`` the remedy for what ``relay.yaml`` cannot express."""
    drafter = _Drafter(answers, keep)
    default = drafter.default(origin)
    senders, recipients = tuple(drafter.senders(origin)), tuple(drafter.recipients())
    used = {route.relay for route in (*senders, *recipients, *([default] if default else []))}
    relays = {name: relay for relay, name in drafter.names.items() if name in used}
    left = (*drafter.left, *(one for name, relay in relays.items() for one in _remarks(name, relay)))
    return Draft(relays, default, senders, recipients, tuple(dict.fromkeys(left)))


class _Drafter:
    def __init__(self, answers: Answers, keep: str) -> None:
        self.answers = answers
        self.keep = keep
        self.names: dict[TakenRelay, str] = {}
        self.left: list[Left] = []

    def default(self, origin: str) -> Route | None:
        found = self.answers.default
        if found.stays:
            self.left.append(Left(origin, f"the mail of everybody else: {found.stays}", self.keep, is_note=True))
            return None
        # Everybody's own login is the relay's.
        return Route("default", self._name(found.relay), origin)

    def senders(self, origin: str) -> Iterator[Route]:
        answers, known = self.answers, {name.key.casefold(): found for name, found in self.answers.senders}
        if NULL_SENDER not in known and answers.null != answers.default:
            yield from self._route(NULL_SENDER, answers.null, origin)
        for name, found in answers.senders:
            domain = name.key.rpartition("@")[2].casefold()
            of_domain = known.get(domain) if "@" in name.key else None
            if found != (of_domain or answers.default):
                yield from self._route(name.key, found, name.origin)

    def recipients(self) -> Iterator[Route]:
        for name, found in self.answers.recipients:
            is_hidden = name.key.casefold() in self.answers.hidden
            if not is_hidden or found.relay:
                yield from self._route(name.key, found, name.origin)

    def _route(self, key: str, found: Delivery, origin: str) -> Iterator[Route]:
        if found.stays:
            self.left.append(Left(origin, f"the mail of {key}: {found.stays}", self.keep, is_note=True))
            return
        own = found.relay is not None and found.login != found.relay.login and key != NULL_SENDER
        yield Route(key, self._name(found.relay), origin, found.login if own else None)

    def _name(self, relay: TakenRelay | None) -> str | None:
        if relay is None:
            return None
        if relay not in self.names:
            self.names[relay] = _free(_base(relay), self.names.values())
        return self.names[relay]


def _base(relay: TakenRelay) -> str:
    first = relay.hosts[0]
    name = re.sub(r"[^a-z0-9]+", "-", first.name.lower()).strip("-")[:_NAME_MAX].strip("-") or "relay"
    return f"{name}-{first.port}" if name != DIRECT else f"{name}-relay"


def _free(name: str, taken: Iterable[str]) -> str:
    names, number, found = set(taken), 1, name
    while found in names:
        number += 1
        found = f"{name}-{number}"
    return found


def _remarks(name: str, relay: TakenRelay) -> Iterator[Left]:
    """Yield what was kept and could be better, and what has no key."""
    origin = f"relay.yaml: {name}"
    if relay.level in CLEARTEXT_LEVELS and relay.login:
        text = f"the login can travel in the clear, as before: level {relay.level}"
        yield Left(origin, text, f"where the relay has TLS, write level: secure in relays.{name}.tls", is_note=True)
    ports = [host.port for host in relay.hosts if str(host.port) in IMPLICIT_TLS_PORTS]
    if ports and not relay.is_implicit:
        text = f"STARTTLS at port {ports[0]}, as before: servers there mostly speak TLS from the start"
        yield Left(origin, text, f"if mail waits, remove mode: starttls from relays.{name}.tls", is_note=True)
    for parameter, value in ((name, mask_parameter(name, value)) for name, value in relay.settings):
        text = f"the service of master.cf sets {parameter} = {value}, which relay.yaml has no key for"
        yield Left(origin, text, f"run, after dms-relay apply: postconf -P 'relay-{name}/unix/{parameter}={value}'")


def logins_of(found: Draft) -> Mapping[str, TakenLogin]:
    """Return each login by the name of its password file: that of its relay, and for a sender's own login, the sender."""
    logins = {name: relay.login for name, relay in found.relays.items() if relay.login}
    for route in found.senders:
        if route.login and route.relay:
            name = f"{route.relay}_{re.sub(r'[^A-Za-z0-9.@+-]', '_', route.key)}"
            logins[_free(name, logins)] = route.login
    return logins
