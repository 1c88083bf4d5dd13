"""Compares what is wanted with what was found: the changes, and what to remember. Pure; ``phases.py`` orders them safely.

The ``State`` that goes with the plan holds what was there before us: ``intent`` is recorded before the first change,
``final`` after the last. A parameter that only gets a table of ours in front keeps the tables that others put there, even
after us. Raises ``InputError`` if master.cf has an unmanaged service with the name of a managed one (``interim.py``), if a
route would take mail that should arrive here (``recipients.py``), or if a table cannot have its type (``indexes.py``).
"""

from __future__ import annotations

import re

from dms_relay.model import (
    MECHANISM_FILTER,
    PARAMETERS,
    RECIPIENT_TRANSPORT,
    SENDER_TRANSPORT,
    TABLES,
    TRANSPORT_PARAMETERS,
)
from dms_relay.model.collection import uncollected
from dms_relay.model.values import field, frozen, replace
from dms_relay.plan.directory import refuse_other_directory
from dms_relay.plan.state import ManagedParameter, State, TableFile, octets
from dms_relay.postfix import master_cf
from dms_relay.postfix.main_cf import may_hold_login
from dms_relay.postfix.table_types import INDEXED_FROM, split_index, with_indexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import PostfixConfig, Problem
    from dms_relay.plan.found import Found
    from dms_relay.plan.indexes import Choice
    from dms_relay.plan.own import Overlay

#: Permission bits of each table: one holds logins, and the other shows who uses the server.
TABLE_MODE = 0o600
#: Parameters that hold a list of lookup tables, one of them ours.
_PREPENDED = frozenset({*TRANSPORT_PARAMETERS, MECHANISM_FILTER}) - {"default_transport"}
_YES = "yes"
#: Keeps passwords from being sent as tokens: placed before the present value, or before "all" if there is none.
_NO_TOKENS, _ALL = "!xoauth2, !oauthbearer, ", "static:all"
_TRANSPORT_TABLES = frozenset({SENDER_TRANSPORT, RECIPIENT_TRANSPORT})
_OURS = re.compile(
    rf"(?:^|(?<=[, \t]))[a-z]+:\S*/(?:{SENDER_TRANSPORT}|{RECIPIENT_TRANSPORT})(?:[, \t]+|$)|^{_NO_TOKENS}(?:{_ALL}$)?"
)


@frozen
class TableChange:
    """A table before and after; ``None`` means no file."""

    name: str
    old: TableFile | None
    new: TableFile | None


@frozen
class ParameterChange:
    """A parameter before and after; ``None`` means not set. ``put_back``: it gets the value from before us."""

    name: str
    old: str | None = field(repr=False)
    new: str | None = field(repr=False)
    put_back: bool


@frozen
class ServiceChange:
    """A service of master.cf before and after; ``None`` means no service. Overrides that others added to ours are kept."""

    name: str
    old: master_cf.Service | None
    new: master_cf.Service | None


@frozen
class Plan:
    """All changes from what was found to what is wanted, and what to remember; ``overlay``: see ``own.py``."""

    found: Found
    tables: tuple[TableChange, ...]
    parameters: tuple[ParameterChange, ...]
    services: tuple[ServiceChange, ...]
    intent: State
    final: State
    warnings: tuple[Problem, ...]
    wanted_tables: dict[str, TableFile] = field(default_factory=dict, repr=False)
    wanted_services: dict[str, master_cf.Service] = field(default_factory=dict, repr=False)
    overlay: Overlay | None = None

    @property
    def is_empty(self) -> bool:
        """Return True if tables, parameters and services are already as wanted."""
        return not (self.tables or self.parameters or self.services or (self.overlay and self.overlay.is_changed))

    @property
    def is_first(self) -> bool:
        """Return True if dms-relay manages nothing yet."""
        return self.found.state.is_empty


@uncollected
def plan(wanted: PostfixConfig, found: Found, *, from_scratch: bool = False) -> Plan:
    """Return the changes to what is wanted, or raise ``InputError``. ``from_scratch``: another input directory is meant."""
    _refuse(wanted, found)
    if not from_scratch and found.config_dir.path and not found.state.is_empty:
        refuse_other_directory(wanted, found)
    state = found.state
    wanted, indexing, answer = _with_indexes(wanted, found)
    wanted = replace(wanted, parameters=wanted.parameters | _with_prepended_maps(wanted, found), prepended_maps={})
    names = dict.fromkeys((*with_indexes(TABLES), *sorted({*wanted.tables, *state.tables})))
    files = _files(wanted, found)
    tables = tuple(table for name in names if (table := _table_change(name, files.get(name), found)))
    changes = [change for name in _names(wanted, found) if (change := _parameter_change(name, wanted, found))]
    left = [name for name in state.parameters if _is_left(name, wanted, found)]
    public = [n for n, value in wanted.parameters.items() if found.is_public and may_hold_login(n, value)]
    warnings = list(indexing)
    is_by_maps = bool(wanted.parameters.get("sender_dependent_relayhost_maps"))
    stopped = is_by_maps and master_cf.stopped(found.master, found.parameters | wanted.parameters)
    if left or public or stopped:
        from dms_relay.plan.complaints import complaints  # noqa: PLC0415 -- rarely needed

        warnings += complaints(left, public, state, stopped or "")
    intent, final = _memories(wanted, found, changes)
    if answer:
        kept = {name: stamp for name, stamp in state.indexes.items() if found.tables.get(name) == files.get(name)}
        intent, final = replace(intent, indexes=kept, types=answer), replace(final, indexes=kept, types=answer)
    managed = {name: service(overrides, found, _old(name, found)) for name, overrides in wanted.services.items()}
    overlay = None
    if wanted.service_parameters or state.service_parameters:
        from dms_relay.plan.own import plan_services  # noqa: PLC0415 -- only if an operator has any

        overlay, own = plan_services(wanted, found, managed)
        intent, final = replace(intent, service_parameters=overlay.given), replace(final, service_parameters=own)
    intent, final = (state.in_directory(found.config_dir) for state in (intent, final))
    services, changed = tuple(_service_changes(wanted, found)), tuple(changes)
    return Plan(found, tables, changed, services, intent, final, tuple(warnings), files, managed, overlay)


def _names(wanted: PostfixConfig, found: Found) -> tuple[str, ...]:
    """Return the names of parameters that may change: ours, and those that an operator sets in ``postfix-main.cf``."""
    known = wanted.parameters.keys() | found.state.parameters.keys()
    return (*PARAMETERS, *sorted(known.difference(PARAMETERS)))


def _refuse(wanted: PostfixConfig, found: Found) -> None:
    if wanted.services or not wanted.tables.keys().isdisjoint(_TRANSPORT_TABLES):
        from dms_relay.plan.interim import refuse_foreign_services  # noqa: PLC0415 -- not with RELAY_ROUTING=maps
        from dms_relay.plan.recipients import refuse_local_recipients  # noqa: PLC0415 -- the same

        refuse_foreign_services(wanted, found)
        refuse_local_recipients(wanted, found)


def _with_indexes(wanted: PostfixConfig, found: Found) -> Choice | tuple[PostfixConfig, tuple[()], None]:
    """Return what is wanted with the indexes of big tables, warnings, and the types that Postfix has if that matters."""
    is_small = not wanted.table_type and all(text.count("\n") < INDEXED_FROM for text in wanted.tables.values())
    if is_small and not wanted.token_tables:
        return wanted, (), None
    from dms_relay.plan.indexes import choose, is_due  # noqa: PLC0415 -- only where a table is big

    return choose(wanted, found) if is_due(wanted) else (wanted, (), None)


def _memories(wanted: PostfixConfig, found: Found, changes: list[ParameterChange]) -> tuple[State, State]:
    """Return the states to remember before the first change, and after the last."""
    state = found.state
    kept = {name: state.tables.get(name, found.tables.get(name)) for name in wanted.tables}
    before = {name: _before(name, found) for name in _names(wanted, found) if name in wanted.parameters}
    ours = frozenset(wanted.services)
    final = State(
        {name: ManagedParameter(before[name], (wanted.parameters[name],)) for name in before},
        kept,
        services=ours,
        token_tables=wanted.token_tables,
    )
    given = {
        name: ManagedParameter(before[name], tuple(dict.fromkeys((*_standing(name, found), wanted.parameters[name]))))
        for name in before
    }
    interim, interim_tables = _interim(wanted)
    if interim:
        from dms_relay.plan.interim import DEFAULT, with_interim  # noqa: PLC0415 -- not with RELAY_ROUTING=maps

        known = given.get(DEFAULT) or ManagedParameter(_before(DEFAULT, found), _standing(DEFAULT, found))
        given[DEFAULT] = with_interim(known, changes, found)
    spare = {name: found.tables.get(name) for name in interim_tables if name not in state.tables}
    tables, services = state.tables | spare | kept, state.services | ours | interim
    return State(state.parameters | given, tables, services=services, token_tables=state.token_tables), final


def _interim(wanted: PostfixConfig) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the interim services and their tables that may exist for a while: none with ``RELAY_ROUTING=maps``."""
    if not wanted.services and wanted.tables.keys().isdisjoint(_TRANSPORT_TABLES):
        return frozenset(), ()
    from dms_relay.plan.interim import interim_names, interim_tables  # noqa: PLC0415 -- not with RELAY_ROUTING=maps

    return frozenset(interim_names(wanted)), tuple(interim_tables(wanted))


# Services.


def _service_changes(wanted: PostfixConfig, found: Found) -> Iterator[ServiceChange]:
    for name in (*wanted.services, *sorted(found.state.services - wanted.services.keys())):
        entry, old = found.services.get(name), _old(name, found)
        new = service(wanted.services[name], found, old) if name in wanted.services else None
        if old != new or (entry and not old):
            yield ServiceChange(name, old, new)


def _old(name: str, found: Found) -> master_cf.Service | None:
    entry = found.services.get(name)
    return entry.service if entry else None


def service(overrides: dict[str, str], found: Found, old: master_cf.Service | None = None) -> master_cf.Service:
    """Return a service; overrides that others added to the present one are kept."""
    others = () if old is None else (pair for pair in old.overrides if pair[0] not in master_cf.OVERRIDES)
    return master_cf.Service(found.chroot, (*overrides.items(), *others))


# Parameters.


def _with_prepended_maps(wanted: PostfixConfig, found: Found) -> dict[str, str]:
    """Return each parameter that gets a managed table before the present ones."""
    values = {}
    for name, table in wanted.prepended_maps.items():
        rest = _without_ours(_before(name, found) or "")
        values[name] = f"{table}, {rest}" if rest else table
    has_passwords = wanted.parameters.get("smtp_sasl_auth_enable") == _YES and found.has_token_plugin
    if (wanted.token_tables or has_passwords) and MECHANISM_FILTER not in wanted.parameters:
        rest = _without_ours(_before(MECHANISM_FILTER, found) or "")
        # An operator who names these mechanisms there has decided which mail may use them.
        if "xoauth2" not in rest.lower() and "oauthbearer" not in rest.lower():
            values[MECHANISM_FILTER] = f"{_NO_TOKENS}{rest or _ALL}"
    return values


def _without_ours(value: str) -> str:
    """Return a list of lookup tables without ours; the separators between the others stay."""
    return _OURS.sub("", value).strip(", ")


def _before(name: str, found: Found) -> str | None:
    given, value = found.state.parameters.get(name), found.parameters.get(name)
    if given and name in _PREPENDED and value is not None and value not in given.values:
        return _without_ours(value) or None
    return given.before if given else value


def _standing(name: str, found: Found) -> tuple[str, ...]:
    """Return the present value if we set it earlier: until the new one is set, it is ours as well."""
    given, value = found.state.parameters.get(name), found.parameters.get(name)
    return (value,) if given and value is not None and value in given.values else ()


def _parameter_change(name: str, wanted: PostfixConfig, found: Found) -> ParameterChange | None:
    value = found.parameters.get(name)
    if name in wanted.parameters:
        new: str | None = wanted.parameters[name]
        return ParameterChange(name, value, new, put_back=False) if value != new else None
    given = found.state.parameters.get(name)
    if given and name in _PREPENDED and value is not None and value not in given.values:
        rest = _without_ours(value) or None
        return ParameterChange(name, value, rest, put_back=True) if rest != value else None
    if given is None or value == given.before or value not in given.values:
        return None
    return ParameterChange(name, value, given.before, put_back=True)


def _is_left(name: str, wanted: PostfixConfig, found: Found) -> bool:
    """Return True if a parameter that is no longer ours has a value that is neither ours nor the one from before us."""
    given, value = found.state.parameters[name], found.parameters.get(name)
    return (
        name not in wanted.parameters and name not in _PREPENDED and value != given.before and value not in given.values
    )


def _files(wanted: PostfixConfig, found: Found) -> dict[str, TableFile]:
    """Return each wanted table as a file; an index has the octets of its table as content."""
    files: dict[str, TableFile] = {}
    for name, text in wanted.tables.items():
        table, index = split_index(name)
        content = files[table].content if index else octets(text, found.tables.get(name))
        files[name] = TableFile(content, TABLE_MODE, *found.owner, index=index)
    return files


def _table_change(name: str, new: TableFile | None, found: Found) -> TableChange | None:
    """Return the change of a table that is wanted, or that goes back to its content from before us."""
    old = found.tables.get(name)
    if new is None and name in found.state.tables:
        new = found.state.tables[name]
    elif new is None:
        return None
    return TableChange(name, old, new) if old != new else None
