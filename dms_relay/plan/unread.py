"""What a running Postfix has not read since it was changed: it was not reloaded, or it began in the middle of a change.

``in_use`` says which services it may therefore still deliver by.

Reads /proc, and the times of main.cf, master.cf and the managed tables. Writes nothing, and never fails.

Known limits: a file's rights count as its content does, since a file that is put in place may bear an old time, and so may
one of ours. Who may not read Postfix's process number (``pid/master.pid``, root's) learns nothing. A parameter of master(8)
itself that changes in the milliseconds between its reading main.cf and its writing that number is not seen to be unread.
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

#: Seconds by which a process may seem to have begun too early: a clock tick (10 ms, USER_HZ), and what /proc takes to read.
_TOLERANCE = 0.02


def unread(paths: Paths, found: Found, master: int | None) -> list[Path]:
    """Return the files that the Postfix of a master daemon has not read since they were changed."""
    then = None if master is None else read_at(master)
    if then is None:
        return []
    # smtp(8) opens the tables of access tokens again by itself.
    tables = [name for name in found.tables if split_index(name)[0] not in found.state.token_tables]
    files = (paths.main_cf, paths.master_cf, *map(paths.table, tables))
    # A time that is still to come says that the clock was set, and nothing else.
    return [path for path in files if then + _TOLERANCE < _changed(path) <= time.time()]


def in_use(paths: Paths, plan: Plan, master: int) -> frozenset[str]:
    """Return the services that a plan removes, and that a Postfix which is not reloaded now may deliver by.

    Whoever reloads it later ends their processes in the middle of a delivery. None is in use where Postfix has read what
    stands now, no route of that leads to it, and it has no process.
    """
    going = frozenset(change.name for change in plan.services if change.new is None)
    if not going or unread(paths, plan.found, master):
        return going
    delivering = {service(child) for child in children(master) if command(child) == "smtp"}
    return going & (delivering | nexthops(plan, is_new=False).keys())


def _changed(path: Path) -> float:
    """Return when a file was changed; where it is a link, when that is that was done to what it points to."""
    try:
        return path.stat().st_ctime
    except OSError:
        return 0
