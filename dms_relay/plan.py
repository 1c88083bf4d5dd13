"""Wanted against found: the changes, in the order in which they are safe. Pure.

What was there before us is kept in the ``State`` that goes with the plan: ``intent`` is recorded before the first change,
``final`` after the last. The order is that of three phases, with a reload of a running Postfix after each:

    protect   logins and TLS that the new routes need; a login at a nexthop that goes is still there
    route     the routes, new and old
    release   logins, parameters and tables that nothing needs any more

so that a message that is on its way by the old route still finds the login there, and none goes by the new one before
its login and TLS are there. A login by sender that is taken away goes at once: it would be offered to the sender's new
relay. A password cannot be taken back, a message that was refused can be sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dms_relay.main_cf import may_hold_login
from dms_relay.model import PARAMETERS, RELAYHOST_MAP, ROUTE_PARAMETERS, SASL_PASSWD, TABLES, Origin, Problem
from dms_relay.state import Given, State, TableFile

if TYPE_CHECKING:
    from dms_relay.machine import Found
    from dms_relay.model import PostfixConfig

#: Permission bits of each table: a login stands in one, and the other says whom the server writes to.
TABLE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class TableChange:
    """A table before and after; ``None`` is no file."""

    name: str
    old: TableFile | None
    new: TableFile | None


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """A parameter before and after; ``None`` is not set. ``put_back``: it goes to what it was before us."""

    name: str
    old: str | None = field(repr=False)
    new: str | None = field(repr=False)
    put_back: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """Changes that may be made together. Tables are written first, then parameters set and removed, then files removed."""

    name: str
    tables: tuple[TableChange, ...] = ()
    parameters: tuple[ParameterChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not (self.tables or self.parameters)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every change from what was found to what is wanted, and what to remember before and after."""

    found: Found
    tables: tuple[TableChange, ...]
    parameters: tuple[ParameterChange, ...]
    intent: State
    final: State
    warnings: tuple[Problem, ...]

    @property
    def is_empty(self) -> bool:
        """Whether tables and parameters are as wanted already."""
        return not (self.tables or self.parameters)

    @property
    def is_first(self) -> bool:
        """Whether nothing of ours is in use yet."""
        return self.found.state.is_empty


def plan(wanted: PostfixConfig, found: Found) -> Plan:
    """Compare what is wanted with what was found."""
    state = found.state
    tables = tuple(table for name in TABLES if (table := _table_change(name, wanted, found)))
    changes = [change for name in PARAMETERS if (change := _parameter_change(name, wanted, found))]
    warnings = [_left(name, found) for name in state.parameters if _is_left(name, wanted, found)]
    if found.is_public:
        warnings += [_public(name) for name, value in wanted.parameters.items() if may_hold_login(name, value)]
    kept = {name: state.tables.get(name, found.tables.get(name)) for name in TABLES if name in wanted.tables}
    before = {name: _before(name, found) for name in PARAMETERS if name in wanted.parameters}
    final = State({name: Given(before[name], (wanted.parameters[name],)) for name in before}, kept)
    given = {
        name: Given(before[name], tuple(dict.fromkeys((*_standing(name, found), wanted.parameters[name]))))
        for name in before
    }
    intent = State(state.parameters | given, state.tables | kept)
    return Plan(found, tables, tuple(changes), intent, final, tuple(warnings))


def _before(name: str, found: Found) -> str | None:
    given = found.state.parameters.get(name)
    return given.before if given else found.parameters.get(name)


def _standing(name: str, found: Found) -> tuple[str, ...]:
    """Give the value that we gave before and that stands now: until the new one is set, it is ours as well."""
    given, value = found.state.parameters.get(name), found.parameters.get(name)
    return (value,) if given and value is not None and value in given.values else ()


def _parameter_change(name: str, wanted: PostfixConfig, found: Found) -> ParameterChange | None:
    value = found.parameters.get(name)
    if name in wanted.parameters:
        new: str | None = wanted.parameters[name]
        return ParameterChange(name, value, new, put_back=False) if value != new else None
    given = found.state.parameters.get(name)
    if given is None or value == given.before or value not in given.values:
        return None
    return ParameterChange(name, value, given.before, put_back=True)


def _is_left(name: str, wanted: PostfixConfig, found: Found) -> bool:
    """Whether a parameter that is no longer ours has a value that is neither ours nor what was there before."""
    given, value = found.state.parameters[name], found.parameters.get(name)
    return name not in wanted.parameters and value != given.before and value not in given.values


def _left(name: str, found: Found) -> Problem:
    given = found.state.parameters[name]
    remedy = f"look at it: before us, it was {'set' if given.before is not None else 'not set'}"
    return Problem(
        Origin("main.cf"), f"{name} was changed by someone else, so it is left as it is", remedy, is_error=False
    )


def _public(name: str) -> Problem:
    text = f"{name} can hold a login, and every user of this machine can read main.cf"
    return Problem(Origin("postfix-main.cf"), text, "write the login into postfix-sasl-password.cf", is_error=False)


def _table_change(name: str, wanted: PostfixConfig, found: Found) -> TableChange | None:
    old = found.tables.get(name)
    if name in wanted.tables:
        new: TableFile | None = TableFile(wanted.tables[name].encode(), TABLE_MODE, *found.owner)
    elif name in found.state.tables:
        new = found.state.tables[name]
    else:
        return None
    return TableChange(name, old, new) if old != new else None


def phases(plan: Plan) -> tuple[Phase, ...]:
    """Order the changes; a phase without a change is left out."""
    found = (_protect(plan), _route(plan), _release(plan))
    return tuple(phase for phase in found if not phase.is_empty)


def one_phase(plan: Plan) -> tuple[Phase, ...]:
    """Give all changes at once: for a Postfix that does not run and knows nothing of ours yet."""
    whole = Phase("set up", plan.tables, plan.parameters)
    return () if whole.is_empty else (whole,)


def _protect(plan: Plan) -> Phase:
    tables = tuple(change for change in (_interim_logins(plan),) if change)
    ours = tuple(p for p in plan.parameters if p.name not in ROUTE_PARAMETERS and not p.put_back)
    return Phase("protect", tables, ours)


def _route(plan: Plan) -> Phase:
    tables = tuple(table for table in plan.tables if table.name == RELAYHOST_MAP and table.new)
    return Phase("route", tables, tuple(p for p in plan.parameters if p.name in ROUTE_PARAMETERS))


def _release(plan: Plan) -> Phase:
    interim = _interim_logins(plan)
    tables: list[TableChange] = []
    for change in plan.tables:
        old = interim.new if interim and change.name == SASL_PASSWD else change.old
        is_written = change.name == RELAYHOST_MAP and change.new
        if not is_written and old != change.new:
            tables.append(TableChange(change.name, old, change.new))
    back = tuple(p for p in plan.parameters if p.name not in ROUTE_PARAMETERS and p.put_back)
    return Phase("release", tuple(tables), back)


def _interim_logins(plan: Plan) -> TableChange | None:
    """Give the login table for the time in which old and new routes are in use: the new one, and the nexthops of the old."""
    change = next((table for table in plan.tables if table.name == SASL_PASSWD), None)
    if change is None or change.new is None or SASL_PASSWD not in plan.final.tables:
        return None
    # What was there before us may stand there still, after a run that was cut short: its lines are not ours to keep.
    is_ours = change.old != plan.found.state.tables.get(SASL_PASSWD, change.old)
    old = change.old.content if change.old and is_ours else b""
    content = change.new.content + _nexthop_lines(old, change.new.content)
    new = TableFile(content, TABLE_MODE, change.new.uid, change.new.gid)
    return TableChange(SASL_PASSWD, change.old, new) if new != change.old else None


def _nexthop_lines(old: bytes, new: bytes) -> bytes:
    keys = {_key(line) for line in new.splitlines()}
    lines = old.splitlines(keepends=True)
    return b"".join(line for line in lines if b"@" not in _key(line).encode() and _key(line) not in keys)


def _key(line: bytes) -> str:
    return line.partition(b"\t")[0].decode("utf-8", "replace").casefold()
