"""The configuration on the machine at one moment of a change, and the difference between two moments. Pure."""

from __future__ import annotations

from types import MappingProxyType

from dms_relay.model.values import field, frozen
from dms_relay.plan import ParameterChange, ServiceChange, TableChange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from dms_relay.plan import Plan
    from dms_relay.plan.state import TableFile
    from dms_relay.postfix.master_cf import Service

#: Part of every snapshot, even if it does not change: its route may name an interim service for a while.
DEFAULT = "default_transport"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@frozen
class Phase:
    """Changes that may be made together. ``is_read``: Postfix has to read them.

    Tables are written first; then services are changed, parameters set and removed, and last files removed.
    """

    name: str
    tables: tuple[TableChange, ...] = ()
    parameters: tuple[ParameterChange, ...] = ()
    services: tuple[ServiceChange, ...] = ()

    @property
    def is_awaited(self) -> bool:
        """Return True if smtp(8) processes with the previous logins must exit before the next phase."""
        return self.name in {"protect", "settle"}

    @property
    def removed(self) -> frozenset[str]:
        """Return the services that it removes. master(8) ends their processes at once, even during a delivery."""
        return frozenset(change.name for change in self.services if change.new is None)

    @property
    def is_read(self) -> bool:
        """Return True if a running Postfix needs a reload: not for files that nothing names any more."""
        return bool(self.parameters or self.services or any(table.new for table in self.tables))

    @property
    def is_empty(self) -> bool:
        """Return True if it has no change."""
        return not (self.tables or self.parameters or self.services)


@frozen
class Snapshot:
    """Tables, services and parameters at one moment; ``None`` means that one does not exist."""

    tables: dict[str, TableFile | None] = field(default_factory=dict)
    parameters: dict[str, str | None] = field(default_factory=dict)
    services: dict[str, Service | None] = field(default_factory=dict)

    def after(
        self,
        tables: Mapping[str, TableFile | None] = _NOTHING,
        parameters: Mapping[str, str | None] = _NOTHING,
        services: Mapping[str, Service | None] = _NOTHING,
    ) -> Snapshot:
        """Return the snapshot after these changes."""
        return Snapshot({**self.tables, **tables}, {**self.parameters, **parameters}, {**self.services, **services})


def start(plan: Plan) -> Snapshot:
    """Return what was found, limited to what changes or is ours."""
    found = plan.found
    default = {DEFAULT: found.parameters.get(DEFAULT)}
    return Snapshot(
        {name: found.tables.get(name) for name in plan.wanted_tables} | {c.name: c.old for c in plan.tables},
        default | {change.name: change.old for change in plan.parameters},
        {name: _service(plan, name) for name in plan.wanted_services} | {c.name: c.old for c in plan.services},
    )


def _service(plan: Plan, name: str) -> Service | None:
    entry = plan.found.services.get(name)
    return entry.service if entry else None


def end(plan: Plan) -> Snapshot:
    """Return what is wanted, limited to what changes or is ours."""
    found = start(plan)
    return Snapshot(
        found.tables | {change.name: change.new for change in plan.tables},
        found.parameters | {change.name: change.new for change in plan.parameters},
        found.services | {change.name: change.new for change in plan.services},
    )


def difference(plan: Plan, name: str, old: Snapshot, new: Snapshot) -> Phase:
    """Return the changes from one snapshot to another."""
    back = {change.name: change.new for change in plan.parameters if change.put_back}
    tables = {**old.tables, **new.tables}
    parameters = {**old.parameters, **new.parameters}
    services = {**old.services, **new.services}
    return Phase(
        name,
        tuple(
            TableChange(n, old.tables.get(n), new.tables.get(n))
            for n in tables
            if old.tables.get(n) != new.tables.get(n)
        ),
        tuple(
            ParameterChange(n, old.parameters.get(n), value, put_back=n in back and back[n] == value)
            for n, value in parameters.items()
            if old.parameters.get(n) != value
        ),
        tuple(
            ServiceChange(n, old.services.get(n), new.services.get(n))
            for n in services
            if old.services.get(n) != new.services.get(n)
        ),
    )


def one_phase(plan: Plan) -> tuple[Phase, ...]:
    """Return all changes in one phase: for a Postfix that does not run and has nothing managed yet."""
    whole = Phase("set up", plan.tables, plan.parameters, plan.services)
    return () if whole.is_empty else (whole,)
