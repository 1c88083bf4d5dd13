"""Orders a plan's changes so that they are safe while mail is being delivered. Pure.

Three phases, with a reload of a running Postfix after each:

    protect   logins, TLS and services that the new routes need; what the old ones need is still there
    route     the routes, new and old
    release   logins, services and parameters that nothing needs any more

After the last reload, when no process opens them any more, files that are no longer wanted are removed:

    clear     tables

So a message that takes the old route still finds the login there, and none takes the new route before its login and TLS
exist. A login by sender that leaves ``sasl_passwd`` is removed at once: it would be offered to the sender's new relay. A
password cannot be taken back, but a message that was refused can be sent again.

A service of a relay never serves two sets of hosts at once: a message for the old hosts would use the logins of the new.
If the hosts of a relay change, the new ones first get an interim service (``relay-NAME_new``):

    protect   the service relay-NAME_new          settle   relay-NAME is rebuilt; no mail goes there now
    route     to relay-NAME_new                   return   the routes name relay-NAME again, then release

A relay that loses its last route needs none of this: no mail uses it afterwards, so its other changes wait for release.
In the same way, if logins by sender leave main.cf, direct mail uses a service without logins until they are gone.
"""

from __future__ import annotations

from collections import defaultdict

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
from dms_relay.postfix.master_cf import PREFIX, Service, is_login_table, login_table
from dms_relay.postfix.table_types import PACKAGES, index_name, split_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.plan import Plan, TableChange

_ROUTE_TABLES = frozenset({RELAYHOST_MAP, SENDER_TRANSPORT, RECIPIENT_TRANSPORT})
_TRANSPORT_TABLES = frozenset({SENDER_TRANSPORT, RECIPIENT_TRANSPORT})
_SMTP = "smtp"
_LOGINS = "smtp_sasl_password_maps"


def phases(plan: Plan) -> tuple[Phase, ...]:
    """Return the changes in order; a phase without a change is left out."""
    order = _Order(plan)
    snapshots = list(order.snapshots())
    olds = [order.start, *(snapshot for _, snapshot in snapshots)]
    found = (difference(plan, name, old, new) for old, (name, new) in zip(olds, snapshots, strict=False))
    return tuple(phase for phase in found if not phase.is_empty)


class _Order:
    """Start and end of a plan. Each phase is a method that takes the snapshot before it and returns the one after it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.start = start(plan)
        self.end = end(plan)
        #: Interim service names, by the final names.
        self.interim = {name: interim_name(name) for name in self._moved()}
        #: Services that lose their last route: their changes wait until no mail uses them.
        self.left = self._left()
        self.is_direct_kept_apart = self._has_logins_to_keep_from_direct_mail()
        #: The same as ``interim``, with Postfix's own service if direct mail is kept apart.
        direct = {_SMTP: interim_name(f"{PREFIX}{DIRECT}")} if self.is_direct_kept_apart else {}
        self.detours = self.interim | direct
        self.indexes = list(self._all_indexes())

    def snapshots(self) -> Iterator[tuple[str, Snapshot]]:
        """Yield each phase's name and the snapshot at its end."""
        last = self._protected(self.start)
        yield "protect", last
        last = self._routed(last, self.detours)
        yield "route", last
        if self.detours:
            last = self._settled(last)
            yield "settle", last
            last = self._routed(last, {})
            yield "return", last
        yield "release", self._released(last)
        yield "clear", self.end

    # What needs a detour or a delay.

    def _moved(self) -> list[str]:
        """Return each managed service whose hosts change while mail may be on its way to them."""
        return sorted(name for name, old, new in self._kept() if old - new and new)

    def _left(self) -> set[str]:
        """Return each managed service that stays although no route names it any more."""
        return {name for name, old, new in self._kept() if old and not new}

    def _kept(self) -> Iterator[tuple[str, set[str], set[str]]]:
        """Yield each managed service that stays, with the nexthops of its old and of its new routes."""
        old, new = nexthops(self.plan, is_new=False), nexthops(self.plan, is_new=True)
        for name in self.plan.found.state.services & self.plan.final.services:
            yield name, old[name], new[name]

    def _has_logins_to_keep_from_direct_mail(self) -> bool:
        """Return True if managed logins leave main.cf while a relay's mail starts to go directly."""
        given = self.plan.found.state.parameters.get(_LOGINS)
        value = self.plan.found.parameters.get(_LOGINS)
        is_ours = given is not None and value in given.values and _LOGINS not in self.plan.final.parameters
        return is_ours and bool(self.plan.final.services or self.plan.final.tables.keys() & _TRANSPORT_TABLES)

    def _all_indexes(self) -> Iterator[str]:
        """Yield each index that is ours before, during or after the change."""
        for name in dict.fromkeys((*self.start.tables, *self.end.tables)):
            if _is_index(self.start, name) or _is_index(self.end, name):
                yield name
        for name, interim in self.interim.items():
            for kind in PACKAGES:
                if _is_index(self.end, index_name(login_table(name), kind)):
                    yield index_name(login_table(interim), kind)

    # The phases.

    def _protected(self, old: Snapshot) -> Snapshot:
        """Return the snapshot with logins, TLS and services of the new routes, and still with those of the old."""
        # Services with an interim one, or that no new route needs, and their tables: these wait.
        spared = {*_ROUTE_TABLES, *map(login_table, (*self.interim, *self.left))}
        texts = (change for change in self.plan.tables if change.new and not split_index(change.name)[1])
        logins = {change.name: self._interim_logins(change) for change in texts if change.name not in spared}
        interim: dict[str, TableFile | None] = {
            login_table(self.interim[n]): table for n, table in self._login_tables()
        }
        added = {change.name: change.new for change in self.plan.services if change.new}
        detours = {interim: self._detour(name, interim) for name, interim in self.detours.items()}
        spared_services = {*self.interim, *self.left}
        services = {name: service for name, service in added.items() if name not in spared_services} | detours
        parameters = {
            parameter.name: parameter.new
            for parameter in self.plan.parameters
            if parameter.name not in ROUTE_PARAMETERS and not parameter.put_back
        }
        return self._with_indexes(old.after({**logins, **interim}, parameters, services))

    def _routed(self, old: Snapshot, detours: Mapping[str, str]) -> Snapshot:
        """Return the snapshot with the new routes; ``detours`` maps services to their interim ones."""
        found = {name: self.end.tables.get(name) for name in _ROUTE_TABLES}
        tables = {
            name: _translated_table(table, detours) if detours and name in _TRANSPORT_TABLES else table
            for name, table in found.items()
            if table
        }
        parameters = {change.name: change.new for change in self.plan.parameters if change.name in ROUTE_PARAMETERS}
        if self.detours:
            parameters[DEFAULT] = _translated(self.end.parameters[DEFAULT], detours)
        return self._with_indexes(old.after(tables, parameters))

    def _settled(self, old: Snapshot) -> Snapshot:
        """Return the snapshot with the final form of the services that no mail uses now."""
        services = {name: self.plan.wanted_services[name] for name in self.interim}
        tables: dict[str, TableFile | None] = {login_table(name): table for name, table in self._login_tables()}
        parameters: dict[str, str | None] = {}
        if self.is_direct_kept_apart:
            parameters = {c.name: c.new for c in self.plan.parameters if c.name not in ROUTE_PARAMETERS}
            if table := self.end.tables.get(SASL_PASSWD):
                tables[SASL_PASSWD] = table
        return self._with_indexes(old.after(tables, parameters, services))

    def _released(self, old: Snapshot) -> Snapshot:
        """Return the snapshot with everything as wanted, except for files that Postfix may still open."""
        kept = {name: table for name, table in old.tables.items() if not self.end.tables.get(name)}
        wanted = {name: table for name, table in self.end.tables.items() if table}
        return Snapshot({**kept, **wanted}, self.end.parameters, self.end.services)

    # Interim services.

    def _login_tables(self) -> Iterator[tuple[str, TableFile]]:
        """Yield each service that has an interim one, and its new login table."""
        for name in self.interim:
            if table := self.plan.wanted_tables.get(login_table(name)):
                yield name, table

    def _detour(self, name: str, interim: str) -> Service:
        """Return the interim service for another, with a login table of its own."""
        if name == _SMTP:
            return self._direct()
        wanted = self.plan.wanted_services[name]
        tables = login_table(name), login_table(interim)
        overrides = ((n, value.replace(*tables) if n == _LOGINS else value) for n, value in wanted.overrides)
        return Service(wanted.chroot, tuple(overrides))

    def _direct(self) -> Service:
        """Return a service for direct mail without logins, with the TLS level that main.cf will have."""
        name = "smtp_tls_security_level"
        level = self.end.parameters.get(name, self.plan.found.parameters.get(name))
        overrides = (
            ("smtp_sasl_auth_enable", "no"),
            ("smtp_sasl_password_maps", ""),
            ("smtp_tls_security_level", level or ""),
        )
        return Service(self.plan.found.chroot, overrides)

    # Tables that serve both old and new routes.

    def _interim_logins(self, change: TableChange) -> TableFile | None:
        """Return a login table for the time when old and new routes are in use: the new table plus the old logins.

        From the old ``sasl_passwd``, which serves every destination, only the logins by nexthop are kept.
        """
        if change.new is None or change.name not in self.plan.final.tables:
            return change.old
        if not is_login_table(change.name):
            return change.new
        # After an interrupted run, the table from before us may still be there: its lines are not ours to keep.
        is_ours = change.old != self.plan.found.state.tables.get(change.name, change.old)
        old = change.old.content if change.old and is_ours else b""
        content = change.new.content + _other_lines(old, change.new.content, by_sender=change.name != SASL_PASSWD)
        return TableFile(content, TABLE_MODE, change.new.uid, change.new.gid)

    def _with_indexes(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with an index for each table that a process may open indexed.

        Indexes that were there before are kept until the end: the previous smtp(8) processes open only these. A new index
        comes with the first text that is ours. A text from before us, which is put back, gets no index.
        """
        indexes: dict[str, TableFile | None] = {}
        for name in self.indexes:
            table, index = split_index(name)
            text = snapshot.tables.get(table)
            if text is None or self._is_put_back(table, text):
                continue
            if _is_index(self.start, name) or self._is_new(table, text):
                indexes[name] = TableFile(text.content, text.mode, text.uid, text.gid, index=index)
        return snapshot.after(indexes)

    def _is_new(self, table: str, text: TableFile) -> bool:
        old = self.start.tables.get(table)
        return text != old or old == self.end.tables.get(table)

    def _is_put_back(self, table: str, text: TableFile) -> bool:
        return table not in self.plan.wanted_tables and text == self.end.tables.get(table)


def _is_index(snapshot: Snapshot, name: str) -> bool:
    found = snapshot.tables.get(name)
    return found is not None and found.index != ""


def _translated_table(table: TableFile, detours: Mapping[str, str]) -> TableFile:
    lines = []
    for line in table.content.decode().splitlines(keepends=True):
        key, tab, value = line.partition("\t")
        lines.append(f"{key}{tab}{_translated(value, detours)}")
    return TableFile("".join(lines).encode(), table.mode, table.uid, table.gid)


def _translated(route: str | None, detours: Mapping[str, str]) -> str | None:
    """Return a route with the service's present name; if no route is set, mail goes directly."""
    if route is None:
        return detours.get(_SMTP)
    name, colon, nexthop = route.partition(":")
    return f"{detours.get(name, name)}{colon}{nexthop}"


def nexthops(plan: Plan, *, is_new: bool) -> defaultdict[str, set[str]]:
    """Return the nexthops of the old or new routes, by transport."""
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
