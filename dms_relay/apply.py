"""Carries out a plan: lock, remember, write, set, reload. All side effects start here.

Writes the tables and the state file in Postfix's configuration directory, and main.cf through ``postfix``. Raises
``WriteError``, ``PostfixError`` or ``BusyError``. Wherever a run is killed or fails, each file is either old or new, and
the next run completes the work:

    killed after            state of the machine                 what the next run does
    intent recorded         machine old, memory of both          all of it
    some tables, settings   each old or new, memory of both      the rest; "restored" knows both values as managed
    all but final state     machine new, memory of both          forgets the old values
    reload                  machine new, reload not done         reloads

We look for a running Postfix before each reload and after the last one, because it may be started, stopped or restarted
meanwhile without the lock. A Postfix that has not read its files since anyone changed them is reloaded even if nothing else
is left to do (``plan/unread.py``).
"""

from __future__ import annotations

import os
from contextlib import nullcontext

from dms_relay import files
from dms_relay.errors import BusyError, PostfixError
from dms_relay.log import NO_LOG
from dms_relay.model import RELAY_DIRECTORY, SASL_PASSWD
from dms_relay.model.values import replace
from dms_relay.plan.found import find, stamp
from dms_relay.plan.snapshots import one_phase
from dms_relay.plan.state import State, remember
from dms_relay.postfix.master_cf import PREFIX, login_table
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.table_types import split_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dms_relay.log import Log
    from dms_relay.model import Paths
    from dms_relay.plan import Plan
    from dms_relay.plan.snapshots import Phase
    from dms_relay.plan.state import TableFile
    from dms_relay.postfix.master_cf import Service

#: Seconds to wait for another run to finish.
LOCK_TIMEOUT = 30.0
_DIRECTORY_MODE = 0o700
_STILL_DELIVERS = "service kept: it still delivers -- run dms-relay apply again later, to remove it"
_MAY_DELIVER = (
    "service kept: Postfix may still deliver through it -- run dms-relay apply again after the reload, to remove it"
)


def apply(  # noqa: PLR0913 -- what a caller may choose, each by name
    plan: Plan,
    paths: Paths,
    *,
    log: Log = NO_LOG,
    reload: bool = True,
    locked: bool = False,
    lock_timeout: float = LOCK_TIMEOUT,
) -> bool:
    """Carry out the plan; return True if anything changed.

    ``reload``: reload Postfix if it runs and something changed. ``locked``: the caller has held ``files.lock`` on
    ``paths.postfix_dir`` since before the plan was made. Otherwise this function takes the lock, waiting up to
    ``lock_timeout`` seconds. Raises ``BusyError`` if the lock is not free in time or the configuration has changed since the
    plan was made, ``WriteError`` and ``PostfixError`` if a file or a program of Postfix refuses; run it again to complete.
    """
    with nullcontext() if locked else files.lock(paths.postfix_dir, lock_timeout):
        if not locked and find(paths) != plan.found:
            raise BusyError("Postfix's configuration has changed since the plan was made", "make a new plan")
        return _Run(plan, paths, log, reload=reload).run()


class _Run:
    """One run, under the lock."""

    def __init__(self, plan: Plan, paths: Paths, log: Log, *, reload: bool) -> None:
        self.plan = plan
        self.paths = paths
        self.log = log
        self.postfix = Postfix(paths.postfix_dir, meanwhile=log.release)
        self.remembered = plan.found.state
        #: The indexes that this run has built.
        self.built: set[str] = set()
        #: Services that were still delivering after the last reload (or may be, where we do not reload), and those that
        #: were kept because of it.
        self.busy = frozenset() if reload else self._in_use()
        self.kept: frozenset[str] = frozenset()
        self.kept_tables: set[str] = set()
        self.may_reload = reload
        #: The master daemon that ran when Postfix was last told, or would have been told, to read its files.
        self.told: int | None = None

    def run(self) -> bool:
        self._remove_leftovers()
        plan = self.plan
        master = self._master()
        is_unread = master is not None and self._has_unread(master)
        if plan.is_empty and plan.found.state == plan.final and not is_unread:
            return False
        files.require_writable(self.paths.postfix_dir)
        if plan.found.state.token_tables and not plan.found.state.reload_due and not is_unread and self._renew():
            return True
        if any(table.new and table.new.index for table in plan.tables):
            self.postfix.require("postmap")
        if plan.services:
            self.postfix.read_master_cf()
        stays_due = plan.found.state.reload_due and not self.may_reload
        is_due = master is not None and (not plan.is_empty or plan.found.state.reload_due or is_unread)
        self._carry_out(is_running=master is not None, is_due=is_due or stays_due)
        self.log.expect_no_more()
        self._remember(
            replace(
                plan.final,
                reload_due=stays_due,
                indexes=plan.final.indexes | self._stamps(),
                services=plan.final.services | self.kept,
                tables=plan.final.tables | {name: plan.found.state.tables.get(name) for name in self.kept_tables},
            )
        )
        return is_due or not plan.is_empty

    def _renew(self) -> bool:
        """Write the tables if only access tokens are new: a running smtp(8) reopens these by itself."""
        from dms_relay.plan.renewals import is_renewal  # noqa: PLC0415 -- only where a login takes a token
        from dms_relay.token_tables import write_renewal  # noqa: PLC0415 -- the same

        plan = self.plan
        if not is_renewal(plan):
            return False
        self._remember(plan.intent)
        self.built |= write_renewal(self.paths, plan, self.log)
        self._remember(replace(plan.final, indexes=plan.final.indexes | self._stamps()))
        return True

    def _master(self) -> int | None:
        """Return the process ID of the master daemon that runs now, if we may reload it."""
        return self.postfix.master_pid(self.plan.found.parameters) if self.may_reload else None

    def _has_unread(self, master: int) -> bool:
        from dms_relay.plan.unread import unread  # noqa: PLC0415 -- only where Postfix runs

        return bool(unread(self.paths, self.plan.found, master))

    def _in_use(self) -> frozenset[str]:
        """Return the services that another's reload would end during a delivery: they stay until a later run."""
        if all(change.new for change in self.plan.services):
            return frozenset()
        from dms_relay.plan.unread import in_use  # noqa: PLC0415 -- only where a service goes

        master = self.postfix.master_pid(self.plan.found.parameters)
        return in_use(self.paths, self.plan, master) if master is not None else frozenset()

    def _carry_out(self, *, is_running: bool, is_due: bool) -> None:
        plan = self.plan
        if is_due or not plan.is_empty:
            # Due even if Postfix does not run: it may be started before all is written, and we may then be killed.
            self._remember(replace(plan.intent, reload_due=is_due or self.may_reload))
        if plan.overlay and plan.overlay.is_changed:
            self._edit_master_cf({})
            self.log.info("parameters of services set", services=" ".join(sorted(plan.overlay.wanted)) or "(none)")
        is_reload_left = is_due
        if plan.is_first and not is_running:
            todo = one_phase(plan)
        else:
            from dms_relay.plan.phases import phases  # noqa: PLC0415 -- not at a first boot

            todo = phases(plan)
        if todo and todo[0].removed:
            self._reload(leaving=todo[0].removed)
        for number, phase in enumerate(todo, 1):
            if is_reload_left and not phase.is_read:
                self._reload()
                is_reload_left = False
            self._make(phase)
            if phase.is_read:
                leaving = todo[number].removed if number < len(todo) else frozenset()
                self._reload(has_logins=phase.is_awaited, leaving=leaving)
                is_reload_left = False
        if is_reload_left or self._master() != self.told:
            self._reload()
        if not any(name.startswith(RELAY_DIRECTORY) for name in plan.final.tables):
            files.remove_empty_directory(self.paths.relay_directory)

    def _make(self, phase: Phase) -> None:
        self.log.debug("phase", name=phase.name)
        written = {change.name: change.new for change in phase.tables if change.new}
        for name, table in written.items():
            self._write(name, table)
        self._sync(self.plan.final.tables.keys() | written.keys())
        self._edit_services(phase)
        self._edit(phase)
        for change in phase.tables:
            if change.new is None and not self._is_kept(change.name):
                files.remove(self.paths.table(change.name))
                self.log.info("table removed", table=str(self.paths.table(change.name)))

    def _sync(self, tables: Iterable[str]) -> None:
        """Sync the directories of tables, each once, before a setting names one. A run that was cut short may not have."""
        paths = {path.parent: path for path in map(self.paths.table, tables)}
        for directory, path in paths.items():
            if os.path.isdir(directory):  # noqa: PTH112 -- is_dir() costs more
                files.sync_parent(path)

    def _write(self, name: str, table: TableFile) -> None:
        """Write a table; its name is not synced to disk yet."""
        path = self.paths.table(name)
        if path.parent != self.paths.postfix_dir:
            files.make_directory(path.parent, _DIRECTORY_MODE)
        if table.index:
            self._build(name, path, table)
        elif table.is_link:
            files.link(path, table.content)
        else:
            files.replace(path, table.content, table.mode, (table.uid, table.gid), sync=False)
        entries = table.content.count(b"\n")
        self.log.info("index written" if table.index else "table written", table=str(path), entries=entries)

    def _build(self, name: str, path: Path, table: TableFile) -> None:
        from dms_relay.postfix.index_files import build  # noqa: PLC0415 -- only where a table is big

        self.built.add(name)
        build(self.paths.postfix_dir, table.index, table.content, path, (table.mode, table.uid, table.gid))

    def _edit_services(self, phase: Phase) -> None:
        """Change services. master(8) ends the processes of a removed service, so one that still delivers stays.

        Otherwise a message that was sent but not yet answered is sent again by another service, and arrives twice (seen).
        """
        kept = phase.removed & self.busy
        self.kept |= kept
        changes = [change for change in phase.services if change.name not in kept]
        if changes:
            self._edit_master_cf({change.name: change.new for change in changes})
        for change in changes:
            self.log.info("service set" if change.new else "service removed", service=change.name)
        tell, text = (self.log.warn, _STILL_DELIVERS) if self.may_reload else (self.log.info, _MAY_DELIVER)
        for service in sorted(kept):
            tell(text, service=service)

    def _is_kept(self, table: str) -> bool:
        """Return True if a service that stays reads this table: without it, its next process would not start."""
        is_kept = split_index(table)[0] in map(login_table, self.kept)
        if is_kept:
            self.kept_tables.add(table)
        return is_kept

    def _edit_master_cf(self, changes: dict[str, Service | None]) -> None:
        overlay = self.plan.overlay
        self.postfix.edit_master_cf(changes, *((overlay.off, overlay.on) if overlay else ()))

    def _edit(self, phase: Phase) -> None:
        self.postfix.edit({parameter.name: parameter.new for parameter in phase.parameters})
        if self.log.shows("info"):
            from dms_relay.mask import mask_all  # noqa: PLC0415 -- only where there is something to show

            # The parameter of a login table may refer to another parameter, which another phase sets.
            changes = {change.name: change.new for change in (*self.plan.parameters, *phase.parameters)}
            values = self.plan.found.parameters | changes
            shown = mask_all({name: value for name, value in values.items() if value is not None})
            for change in phase.parameters:
                event = "parameter restored" if change.put_back else "parameter set"
                self.log.info(event, parameter=change.name, value=shown.get(change.name, "(not set)"))

    def _reload(self, *, has_logins: bool = False, leaving: frozenset[str] = frozenset()) -> None:
        """Reload the Postfix that runs now: it may have been started or stopped since we last looked.

        Then wait for processes that use previous logins, or that belong to services about to be removed.
        """

        def is_awaited(service: str) -> bool:
            return service in leaving or (has_logins and self._has_logins(service))

        if self.may_reload:
            self.busy = frozenset()
        while (master := self._master()) is not None:
            try:
                self.busy = self.postfix.reload(master, is_awaited=is_awaited if has_logins or leaving else None)
            except PostfixError:
                if self._master() == master:
                    raise
            else:
                self.log.info("Postfix reloaded")
                break
        self.told = master

    def _has_logins(self, service: str) -> bool:
        """Return True if managed logins are, or were, in the tables that a service of smtp(8) reads."""
        tables = self.plan.found.state.tables.keys() | self.plan.final.tables.keys()
        return service.startswith(PREFIX) or (service == "smtp" and SASL_PASSWD in tables)

    def _remember(self, state: State) -> None:
        remember(self.paths.state, self.remembered, state, self.plan.found.owner)
        self.remembered = state

    def _stamps(self) -> dict[str, str]:
        """Return the stamp of each index that this run has built and that stays."""
        return {name: stamp(self.paths, name) for name in self.plan.wanted_tables if name in self.built}

    def _remove_leftovers(self) -> None:
        for path in self.plan.found.leftovers:
            if files.remove_leftover(path):
                self.log.info("file of an interrupted run removed", file=str(path))
