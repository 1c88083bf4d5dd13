"""Interim services, which replace services for a while when their hosts change (``phases.py``). Pure.

Raises ``InputError`` if master.cf has an unmanaged service with the name of a managed one.
"""

from __future__ import annotations

from dms_relay.errors import InputError
from dms_relay.model import DIRECT, Origin, Problem
from dms_relay.plan.state import ManagedParameter
from dms_relay.postfix.master_cf import PREFIX, login_table
from dms_relay.postfix.table_types import PACKAGES, index_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.model import PostfixConfig
    from dms_relay.plan import ParameterChange
    from dms_relay.plan.found import Found

DEFAULT = "default_transport"


def interim_name(service: str) -> str:
    """Return the name of the interim service for another; no relay can have such a name."""
    return f"{service}_new"


def interim_names(wanted: PostfixConfig) -> list[str]:
    """Return the name of every interim service that may exist (``phases.py``)."""
    return [interim_name(name) for name in (*wanted.services, f"{PREFIX}{DIRECT}")]


def interim_tables(wanted: PostfixConfig) -> Iterator[str]:
    """Yield each table that these services may have: indexed like the table that it replaces."""
    yield from map(login_table, interim_names(wanted))
    for name in wanted.services:
        table, interim = login_table(name), login_table(interim_name(name))
        yield from (index_name(interim, kind) for kind in PACKAGES if index_name(table, kind) in wanted.tables)


def with_interim(ours: ManagedParameter, changes: Iterable[ParameterChange], found: Found) -> ManagedParameter:
    """Return ``default_transport`` with its possible interim values (``phases.py``): these are ours as well."""
    end = next((change.new for change in changes if change.name == DEFAULT), found.parameters.get(DEFAULT)) or "smtp"
    transport, colon, nexthop = end.partition(":")
    service = f"{PREFIX}{DIRECT}" if transport == "smtp" else transport
    return ManagedParameter(ours.before, (*ours.values, f"{interim_name(service)}{colon}{nexthop}"))


def refuse_foreign_services(wanted: PostfixConfig, found: Found) -> None:
    """Reject a plan if an unmanaged service has the name of a managed one."""
    problems = [
        Problem(
            Origin("master.cf", found.services[name].line),
            f"master.cf has a service {name} that dms-relay does not manage",
            "rename the relay, or remove the service",
            rule="service-name-taken",
        )
        for name in (*wanted.services, *interim_names(wanted))
        if name in found.services and name not in found.state.services
    ]
    if problems:
        raise InputError(problems)
