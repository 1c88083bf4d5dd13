"""Finds files that changed after a running Postfix read them: it was not reloaded, or it started during a change.

``in_use`` returns the services by which it may therefore still deliver.

Reads /proc, and the times of main.cf, master.cf and the managed tables. Writes nothing, and never fails.

Known limits: a change of a file's permissions counts like a change of its content, since a file moved into place may have an
old time, as ours do. A user who may not read Postfix's process ID (``pid/master.pid``, root's) gets no answer. A parameter
of master(8) itself is missed if it changes in the milliseconds between its reading main.cf and its writing that ID.
"""

from __future__ import annotations

import time

from dms_relay.plan.phases import nexthops
from dms_relay.postfix.processes import children, command, read_at, service
from dms_relay.postfix.table_types import split_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.model import Paths
    from dms_relay.plan import Plan
    from dms_relay.plan.found import Found

#: Seconds by which a process may seem to start too early: a clock tick (10 ms, USER_HZ), and the time to read /proc.
_TOLERANCE = 0.02


def unread(paths: Paths, found: Found, master: int | None) -> list[Path]:
    """Return the files that have changed since the Postfix of this master daemon read them."""
    then = None if master is None else read_at(master)
    if then is None:
        return []
    # smtp(8) reopens the tables of access tokens by itself.
    tables = [name for name in found.tables if split_index(name)[0] not in found.state.token_tables]
    files = (paths.main_cf, paths.master_cf, *map(paths.table, tables))
    # A time in the future only means that the clock was set.
    return [path for path in files if then + _TOLERANCE < _changed(path) <= time.time()]


def in_use(paths: Paths, plan: Plan, master: int) -> frozenset[str]:
    """Return the services that a plan removes and by which Postfix may still deliver if it is not reloaded now.

    A later reload would end their processes during a delivery. A service is not in use if Postfix has read the present
    files, no route in them leads to it, and it has no process.
    """
    going = frozenset(change.name for change in plan.services if change.new is None)
    if not going or unread(paths, plan.found, master):
        return going
    delivering = {service(child) for child in children(master) if command(child) == "smtp"}
    return going & (delivering | nexthops(plan, is_new=False).keys())


def _changed(path: Path) -> float:
    """Return when a file was last changed; for a link, when its target was."""
    try:
        return path.stat().st_ctime
    except OSError:
        return 0
