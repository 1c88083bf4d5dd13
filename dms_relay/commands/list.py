"""``dms-relay list``: every sender that the inputs name, with its relay and its login, without passwords.

Reads only the inputs. The rows follow the order of the inputs: routes, opt-outs, logins of senders without a route, ``*``
for every other sender, and last the logins at relays that no row uses.

Known limits: an address with an extension (``user+ext@domain``) counts as a separate address, as in a Postfix without
``recipient_delimiter``.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from dms_relay.log import printable
from dms_relay.merge import merge
from dms_relay.merge.common import lookup_keys
from dms_relay.model import AS_DEFAULT, DIRECT, NULL_SENDER, NexthopList, Route
from dms_relay.model.values import frozen
from dms_relay.postfix.nexthop import SyntaxProblem
from dms_relay.sources import read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from dms_relay.commands import Context
    from dms_relay.model import LoginEntry, Origin
    from dms_relay.model.configuration import Inputs, RelayConfig
    from dms_relay.model.relays import RelayService, Transports

#: The cell of a sender that is opted out and has no other relay, and an empty cell.
EXCLUDED = "excluded"
NOTHING = "-"
#: Every sender that no other row names.
EVERYBODY = "*"
#: If the operator sets one of these, Postfix uses other lookup tables than the managed ones.
_LOOKUPS = (
    "sender_dependent_relayhost_maps",
    "smtp_sasl_password_maps",
    "smtp_sasl_auth_enable",
    "smtp_sender_dependent_authentication",
)
_TITLES = ("SENDER", "RELAY", "LOGIN", "ORIGIN")


@frozen
class Row:
    """One sender. ``relay`` is ``None`` if none is set; ``logins`` are user names, one for each relay that has one."""

    sender: str
    relay: str | None
    logins: tuple[str, ...]
    origins: tuple[Origin, ...]
    excluded: bool = False


def run(arguments: Namespace, context: Context) -> int:
    """Print the rows as a table, or with ``--json`` as a JSON array."""
    inputs = read(context.paths, context.environ)
    config = merge(inputs)
    context.log.problems(config.warnings)
    for name in _LOOKUPS if config.transports is None else ():
        if own := config.user_parameters.get(name):
            context.log.warn(
                f"{own.origin}: {name} is set, so this list may be wrong -- run dms-relay explain for a sender"
            )
    rows = tuple(_transport_rows(config.transports) if config.transports else _Lister(inputs, config).rows())
    if arguments.json:
        context.say_json([_document(row) for row in rows])
    elif rows:
        context.say(*_table([_TITLES, *map(_cells, rows)]))
    else:
        context.say("no relay and no login is set")
    return os.EX_OK


class _Lister:
    """Finds for each sender the login that Postfix would use (postconf(5), smtp_sender_dependent_authentication)."""

    def __init__(self, inputs: Inputs, config: RelayConfig) -> None:
        self.routes = {route.key.casefold(): route for route in config.routes}
        self.opt_outs = inputs.relaymap.opt_outs if inputs.relaymap else ()
        self.default = _default(config)
        entries = config.logins if config.enabled else inputs.logins
        self.logins = {entry.key.casefold(): entry for entry in entries or ()}
        self.used: set[str] = set()

    def rows(self) -> Iterator[Row]:
        """Yield every row."""
        for route in self.routes.values():
            yield self._row(route.key, self._resolved(route))
        opted_out = {f"@{domain.name}".casefold(): domain for domain in self.opt_outs}
        for key, domain in opted_out.items():
            if key not in self.routes:
                yield self._row(f"@{domain.name}", self.default, domain.origin)
        named = self.routes.keys() | opted_out.keys()
        for key, entry in self.logins.items():
            if "@" in key and key not in named:
                own = self.routes.get(_domain(key))
                opt_out = opted_out.get(_domain(key)) if own is None else None
                yield self._row(entry.key, self._resolved(own), opt_out.origin if opt_out else None)
        if self.default:
            yield self._row(EVERYBODY, self.default)
        for key, entry in self.logins.items():
            if "@" not in key and key not in self.used:
                yield Row(NOTHING, entry.key, (entry.login.shown_username,), (entry.origin,))

    def _resolved(self, route: Route | None) -> Route | None:
        """Return the default relay if there is no route, or a route to ``DUNNO`` (postconf(5))."""
        return self.default if route is None or route.nexthops.text.upper() == AS_DEFAULT else route

    def _row(self, sender: str, route: Route | None, opt_out: Origin | None = None) -> Row:
        entries = list(self._logins(sender, route.nexthops.members if route else ()))
        places = [opt_out, route.origin if route else None, *(entry.origin for entry in entries)]
        origins = tuple(dict.fromkeys(place for place in places if place))
        logins = tuple(dict.fromkeys(entry.login.shown_username for entry in entries))
        return Row(sender, route.nexthops.text if route else None, logins, origins, excluded=opt_out is not None)

    def _logins(self, sender: str, nexthops: Iterable[str]) -> Iterator[LoginEntry]:
        """Yield the sender's own login, else those of its relays; ``<>`` and ``*`` have no own login."""
        key = sender.casefold()
        own = None if key in {NULL_SENDER, EVERYBODY} else self.logins.get(key) or self.logins.get(_domain(key))
        if own:
            yield own
        for nexthop in nexthops:
            keys = [nexthop.casefold()]
            with suppress(SyntaxProblem):  # an operator's own relayhost is not validated
                keys = lookup_keys(nexthop)
            found = [name for name in keys if name in self.logins]
            self.used.update(found)
            if found and not own:
                yield self.logins[found[0]]


def _transport_rows(transports: Transports) -> Iterator[Row]:
    """Yield every row, with ``RELAY_ROUTING=transports``."""
    services = {service.relay.name: service for service in transports.services}
    for route in transports.senders:
        yield _transport_row(route.key, route.relay, route.origin, services)
    if transports.default:
        yield _transport_row(EVERYBODY, transports.default[0], transports.default[1], services)
    for route in transports.recipients:
        yield _transport_row(f"to {route.key}", route.relay, route.origin, services)


def _transport_row(sender: str, relay: str | None, origin: Origin, services: dict[str, RelayService]) -> Row:
    if relay is None:
        return Row(sender, DIRECT, (), (origin,))
    service, key = services[relay], sender.casefold()
    found = {entry.key.casefold(): entry for entry in service.sender_logins}
    own = found.get(key) or (found.get(_domain(key)) if "@" in key and not key.startswith("to ") else None)
    entries = [own] if own else service.logins
    origins = tuple(dict.fromkeys((origin, *(entry.origin for entry in entries))))
    logins = tuple(dict.fromkeys(entry.login.shown_username for entry in entries))
    return Row(sender, service.relay.nexthops.text, logins, origins)


def _domain(key: str) -> str:
    """Return the lookup key of the domain of an address."""
    return key[key.rindex("@") :]


def _default(config: RelayConfig) -> Route | None:
    """Return the route of every other sender: the operator's own ``relayhost`` overrides the default relay."""
    if own := config.user_parameters.get("relayhost"):
        nexthops = NexthopList(own.value, tuple(own.value.replace(",", " ").split()))
        return Route(EVERYBODY, nexthops, own.origin) if nexthops.members else None
    return Route(EVERYBODY, *config.default) if config.default else None


def _cells(row: Row) -> tuple[str, str, str, str]:
    relay = row.relay or (EXCLUDED if row.excluded else NOTHING)
    logins, origins = ", ".join(row.logins) or NOTHING, ", ".join(map(str, row.origins))
    return printable(row.sender), printable(relay), printable(logins), printable(origins)


def _document(row: Row) -> dict[str, object]:
    return {
        "sender": row.sender if row.sender != NOTHING else None,
        "relay": row.relay,
        "excluded": row.excluded,
        "logins": list(row.logins),
        "origins": [str(origin) for origin in row.origins],
    }


def _table(rows: list[tuple[str, str, str, str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
