"""The order in which a plan's changes are safe while mail is on its way. Pure.

Three phases, with a reload of a running Postfix after each:

    protect   logins, TLS and services that the new routes need; what the old ones need is still there
    route     the routes, new and old
    release   logins, services and parameters that nothing needs any more

and after the last reload, when no process opens them any more, the files are removed that are no longer wanted:

    clear     tables

So a message that is on its way by the old route still finds the login there, and none goes by the new one before its
login and TLS are there. A login by sender that is taken away from ``sasl_passwd`` goes at once: it would be offered to the
sender's new relay. A password cannot be taken back, a message that was refused can be sent again.

A service of a relay never serves two sets of hosts at once: a message on its way to the old ones would meet the logins of
the new. Where the hosts of a relay change, the new ones come under another name first (``relay-NAME_new``):

    protect   the service relay-NAME_new          settle   relay-NAME is made anew; no mail goes there now
    route     to relay-NAME_new                   return   the routes name relay-NAME again, then release

In the same way, where logins by sender go out of main.cf, direct mail goes by a service that has none until they are gone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from dms_relay.model import (
    DIRECT,
    RECIPIENT_TRANSPORT,
    RELAYHOST_MAP,
    ROUTE_PARAMETERS,
    SASL_PASSWD,
    SENDER_TRANSPORT,
)
from dms_relay.plan import TABLE_MODE
from dms_relay.plan.interim import interim_name
from dms_relay.plan.snapshots import DEFAULT, Phase, Snapshot, difference, end, start
from dms_relay.plan.state import TableFile
from dms_relay.postfix.master_cf import PREFIX, Service, login_table
from dms_relay.postfix.table_types import PACKAGES, index_name, split_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.plan import Plan, TableChange

_ROUTE_TABLES = frozenset({RELAYHOST_MAP, SENDER_TRANSPORT, RECIPIENT_TRANSPORT})
_TRANSPORT_TABLES = frozenset({SENDER_TRANSPORT, RECIPIENT_TRANSPORT})
_SMTP = "smtp"
_LOGINS = "smtp_sasl_password_maps"


def phases(plan: Plan) -> tuple[Phase, ...]:
    """Order the changes; a phase without a change is left out."""
    snapshots = list(_Order(plan).snapshots())
    steps = zip([start(plan), *(snapshot for _, snapshot in snapshots)], snapshots, strict=False)
    found = (difference(plan, name, old, new) for old, (name, new) in steps)
    return tuple(phase for phase in found if not phase.is_empty)


class _Order:
    """Finds what is to stand at the end of each phase."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.start = start(plan)
        self.end = end(plan)
        #: Services that get another name for a while, by their name in the end.
        self.interim = {name: interim_name(name) for name in self._moved()}
        self.is_direct_kept_apart = self._has_logins_to_keep_from_direct_mail()
        if self.is_direct_kept_apart:
            self.interim[_SMTP] = interim_name(f"{PREFIX}{DIRECT}")
        self.indexes = list(self._all_indexes())

    def snapshots(self) -> Iterator[tuple[str, Snapshot]]:
        """Yield each phase's name and what stands at its end."""
        snapshot = self.start.copy()
        self._protect(snapshot)
        yield "protect", self._with_indexes(snapshot)
        self._route(snapshot, is_interim=True)
        yield "route", self._with_indexes(snapshot)
        if self.interim:
            self._settle(snapshot)
            yield "settle", self._with_indexes(snapshot)
            self._route(snapshot, is_interim=False)
            yield "return", self._with_indexes(snapshot)
        kept = {name: table for name, table in snapshot.tables.items() if not self.end.tables.get(name)}
        yield "release", Snapshot(kept | self._wanted_tables(), self.end.parameters, self.end.services)
        yield "clear", self.end

    def _wanted_tables(self) -> dict[str, TableFile | None]:
        return {name: table for name, table in self.end.tables.items() if table}

    # What is needed.

    def _moved(self) -> list[str]:
        """Name each service of ours whose hosts change while mail may be on its way to them."""
        old, new = _nexthops(self.plan, is_new=False), _nexthops(self.plan, is_new=True)
        ours = self.plan.found.state.services & self.plan.final.services
        return sorted(name for name in ours if old[name] - new[name])

    def _has_logins_to_keep_from_direct_mail(self) -> bool:
        """Return True if logins of ours leave main.cf while mail that went by a relay begins to go directly."""
        given = self.plan.found.state.parameters.get(_LOGINS)
        value = self.plan.found.parameters.get(_LOGINS)
        is_ours = given is not None and value in given.values and _LOGINS not in self.plan.final.parameters
        return is_ours and bool(self.plan.final.services or self.plan.final.tables.keys() & _TRANSPORT_TABLES)

    # Indexes.

    def _with_indexes(self, snapshot: Snapshot) -> Snapshot:
        """Return a copy in which each index is of the text that stands beside it, for as long as somebody may look there.

        Those that were there before are kept until the end: the smtp(8) processes of before open no other. A new one comes
        with the first text that is ours. What was there before us, and is put back, is no text to make an index of.
        """
        for name in self.indexes:
            table, index = split_index(name)
            text = snapshot.tables.get(table)
            if text is None or self._is_put_back(table, text):
                continue
            if self._is_index(self.start, name) or self._is_new(table, text):
                snapshot.tables[name] = replace(text, index=index)
        return snapshot.copy()

    def _is_new(self, table: str, text: TableFile) -> bool:
        old = self.start.tables.get(table)
        return text != old or old == self.end.tables.get(table)

    def _is_put_back(self, table: str, text: TableFile) -> bool:
        return table not in self.plan.wanted_tables and text == self.end.tables.get(table)

    def _is_index(self, snapshot: Snapshot, name: str) -> bool:
        found = snapshot.tables.get(name)
        return found is not None and found.index != ""

    def _all_indexes(self) -> Iterator[str]:
        """Name each index that is ours before or after, or in between."""
        for name in dict.fromkeys((*self.start.tables, *self.end.tables)):
            if self._is_index(self.start, name) or self._is_index(self.end, name):
                yield name
        for name in self.interim.keys() - {_SMTP}:
            for kind in PACKAGES:
                if self._is_index(self.end, index_name(login_table(name), kind)):
                    yield index_name(login_table(self.interim[name]), kind)

    # The phases.

    def _protect(self, snapshot: Snapshot) -> None:
        # Not of Postfix's own smtp: a relay may have that name as well, and the table.
        moved = {login_table(name) for name in self.interim if name != _SMTP}
        for change in self.plan.tables:
            if change.new and change.name not in _ROUTE_TABLES | moved and not split_index(change.name)[1]:
                snapshot.tables[change.name] = self._interim_logins(change)
        for service in self.plan.services:
            if service.new and service.name not in self.interim:
                snapshot.services[service.name] = service.new
        for parameter in self.plan.parameters:
            if parameter.name not in ROUTE_PARAMETERS and not parameter.put_back:
                snapshot.parameters[parameter.name] = parameter.new
        for name, interim in self.interim.items():
            self._add_interim(snapshot, name, interim)

    def _add_interim(self, snapshot: Snapshot, name: str, interim: str) -> None:
        if name == _SMTP:
            snapshot.services[interim] = self._direct()
            return
        wanted = self.plan.wanted_services[name]
        table = self.plan.wanted_tables.get(login_table(name))
        snapshot.services[interim] = Service(
            wanted.chroot,
            tuple(
                (n, value.replace(login_table(name), login_table(interim)) if n == _LOGINS else value)
                for n, value in wanted.overrides
            ),
        )
        if table:
            snapshot.tables[login_table(interim)] = table

    def _direct(self) -> Service:
        """Make a service for direct mail that knows no logins, and has the TLS level that main.cf will have."""
        name = "smtp_tls_security_level"
        level = self.end.parameters.get(name, self.plan.found.parameters.get(name))
        overrides = (
            ("smtp_sasl_auth_enable", "no"),
            ("smtp_sasl_password_maps", ""),
            ("smtp_tls_security_level", level or ""),
        )
        return Service(self.plan.found.chroot, overrides)

    def _route(self, snapshot: Snapshot, *, is_interim: bool) -> None:
        for name in _ROUTE_TABLES:
            if table := self.end.tables.get(name):
                snapshot.tables[name] = self._translated_table(table) if is_interim and name != RELAYHOST_MAP else table
        for change in self.plan.parameters:
            if change.name in ROUTE_PARAMETERS:
                snapshot.parameters[change.name] = change.new
        if self.interim:
            default = self.end.parameters[DEFAULT]
            snapshot.parameters[DEFAULT] = self._translated(default) if is_interim else default

    def _translated_table(self, table: TableFile) -> TableFile:
        lines = []
        for line in table.content.decode().splitlines(keepends=True):
            key, tab, value = line.partition("\t")
            lines.append(f"{key}{tab}{self._translated(value)}")
        return TableFile("".join(lines).encode(), table.mode, table.uid, table.gid)

    def _translated(self, route: str | None) -> str | None:
        """Return a route by the service's name of the moment; where none is set, mail goes directly."""
        if route is None:
            return self.interim.get(_SMTP)
        name, colon, nexthop = route.partition(":")
        return f"{self.interim.get(name, name)}{colon}{nexthop}"

    def _settle(self, snapshot: Snapshot) -> None:
        for name in self.interim.keys() - {_SMTP}:
            snapshot.services[name] = self.plan.wanted_services[name]
            if table := self.end.tables.get(login_table(name)):
                snapshot.tables[login_table(name)] = table
        if self.is_direct_kept_apart:
            for parameter in self.plan.parameters:
                if parameter.name not in ROUTE_PARAMETERS:
                    snapshot.parameters[parameter.name] = parameter.new
            if table := self.end.tables.get(SASL_PASSWD):
                snapshot.tables[SASL_PASSWD] = table

    def _interim_logins(self, change: TableChange) -> TableFile | None:
        """Return a login table for the time in which old and new routes are in use: the new one, and the logins of the old.

        Of ``sasl_passwd``, which serves every destination, only those by nexthop.
        """
        if change.new is None or change.name not in self.plan.final.tables:
            return change.old
        # What was there before us may stand there still, after a run that was cut short: its lines are not ours to keep.
        is_ours = change.old != self.plan.found.state.tables.get(change.name, change.old)
        old = change.old.content if change.old and is_ours else b""
        content = change.new.content + _other_lines(old, change.new.content, by_sender=change.name != SASL_PASSWD)
        return TableFile(content, TABLE_MODE, change.new.uid, change.new.gid)


def _nexthops(plan: Plan, *, is_new: bool) -> defaultdict[str, set[str]]:
    """Return the nexthops that routes have, by transport."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    tables = plan.wanted_tables if is_new else plan.found.tables
    for name in _TRANSPORT_TABLES:
        table = tables.get(name)
        for line in table.content.decode("utf-8", "replace").splitlines() if table else ():
            _add_nexthop(found, line.partition("\t")[2])
    default = (end(plan) if is_new else start(plan)).parameters[DEFAULT]
    _add_nexthop(found, default or "")
    return found


def _add_nexthop(found: defaultdict[str, set[str]], route: str) -> None:
    transport, colon, nexthop = route.partition(":")
    if colon:
        found[transport].add(nexthop)


def _other_lines(old: bytes, new: bytes, *, by_sender: bool) -> bytes:
    keys = {_key(line) for line in new.split(b"\n")}
    lines = (line for line in old.split(b"\n") if line)
    kept = (line for line in lines if _key(line) not in keys and (by_sender or "@" not in _key(line)))
    return b"".join(line + b"\n" for line in kept)


def _key(line: bytes) -> str:
    return line.partition(b"\t")[0].decode("utf-8", "replace").casefold()
