"""Postfix's configuration: the present one, and the one after the next ``apply``. Reads, never writes.

Raises ``PostfixError`` if postconf(1) is missing or fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dms_relay.explain.domains import Domains
from dms_relay.explain.tables import Tables, address_keys
from dms_relay.explain.values import Values
from dms_relay.postfix import master_cf

if TYPE_CHECKING:
    from dms_relay.explain.tables import Key
    from dms_relay.model import Paths
    from dms_relay.plan import Plan
    from dms_relay.postfix.programs import Postfix

#: The usual names of the services of trivial-rewrite(8) and of qmgr(8).
_RESOLVER, _QUEUE_MANAGER = "rewrite", "qmgr"


@dataclass(frozen=True)
class View:
    """Parameters, lookup tables and services."""

    values: Values
    tables: Tables
    master: str

    @property
    def domains(self) -> Domains:
        """The domain lists."""
        return Domains(self.values, self.tables)

    def keys_of(self, address: str) -> list[Key]:
        """Return the lookup keys of an address, except in ``transport_maps``."""
        domain = address.rpartition("@")[2]
        is_local = self.domains.is_own(domain)
        return address_keys(address, self.values.get("recipient_delimiter"), is_local=is_local)

    @property
    def of_resolver(self) -> View:
        """The view of trivial-rewrite(8), whose service can override parameters of main.cf."""
        found = self.service(self.values.get("rewrite_service_name") or _RESOLVER)
        return View(found[1], self.tables, self.master) if found else self

    @property
    def deferred(self) -> list[str]:
        """The transports that the queue manager does not use (``defer_transports``)."""
        found = self.service(self.values.get("queue_service_name") or _QUEUE_MANAGER)
        return (found[1] if found else self.values).words("defer_transports")

    def service(self, name: str) -> tuple[str, Values] | None:
        """Return the program of a delivery service with its parameters; ``None`` if there is no such service."""
        if (found := master_cf.command(self.master, name)) is None:
            return None
        program, overrides = found
        return program, self.values.with_overrides({**overrides, "service_name": name})


def view_now(postfix: Postfix) -> View:
    """Return the present configuration."""
    values = Values(postfix.parameters(), postfix.expanded())
    return View(values, Tables(postfix), postfix.read_master_cf())


def view_after(postfix: Postfix, now: View, changes: Plan, paths: Paths) -> View:
    """Return the configuration after ``apply``."""
    removed = [change.name for change in changes.parameters if change.new is None]
    defaults = postfix.defaults(*removed) if removed else {}
    wanted = {
        change.name: defaults.get(change.name, "") if change.new is None else change.new
        for change in changes.parameters
    }
    tables = changes.wanted_tables.items()
    texts = {str(paths.table(name)): table.content.decode() for name, table in tables if not table.index}
    services = {change.name: change.new for change in changes.services}
    master = changes.overlay.off(now.master) if changes.overlay else now.master
    master = master_cf.edit(master, services)
    master = changes.overlay.on(master) if changes.overlay else master
    return View(now.values.with_changes(wanted), Tables(postfix, texts, now.tables.failed), master)
