"""Finds and ends the processes of one Postfix instance, and of no other.

master(8) leads a process group, and its daemons stay in it. Short-lived programs
beside them, such as postsuper(1) after a reload, work in the queue directory.
Nothing is ever matched by name.

Known limits: reading the working directory of other users' processes needs
CAP_SYS_PTRACE, which a container often lacks; there, only the group counts.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from testbed.patience import PATIENCE

_POLL = 0.01
"""Seconds between two looks."""
_ENDED = frozenset("ZX")
"""States of a process that has ended but still has an entry (proc(5))."""


def in_group(group: int | None) -> list[int]:
    """Return the ids of the running processes of a group."""
    return [] if group is None else [process for process in _all() if _group(process) == group]


def children(process: int | None) -> list[int]:
    """Return the ids of the running children of a process."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it ended meanwhile
        return []
    return [int(child) for child in found if name(int(child))]


def name(process: int) -> str:
    """Return the name of a process's program; empty if it has ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    ended = state.rpartition(")")[2].split()[0] in _ENDED
    return "" if ended else state.partition("(")[2].rpartition(")")[0]


def working_in(directory: Path) -> list[int]:
    """Return the ids of the processes whose working directory is at or under `directory`."""
    top = str(directory.resolve())
    return [process for process in _all() if _is_under(_working_directory(process), top)]


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _group(process: int) -> int | None:
    try:
        state, _parent, group = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):  # it ended meanwhile
        return None
    return None if state in _ENDED else int(group)


def _working_directory(process: int) -> str:
    try:
        return str(Path(f"/proc/{process}/cwd").readlink())
    except OSError:  # it has ended, or we lack the right to read it
        return ""


def _is_under(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")


def wait_until_none(find: Callable[[], list[int]], timeout: float) -> list[int]:
    """Wait until `find` finds no process; return the ids of those left."""
    end = time.monotonic() + timeout
    while (left := find()) and time.monotonic() < end:
        time.sleep(_POLL)
    return left


def end_all(find: Callable[[], list[int]], timeout: float) -> list[int]:
    """End whatever `find` finds: TERM, and KILL after `timeout` seconds; return the ids of those left.

    Each is signalled once, including those started meanwhile: a killed script may leave a
    program that it has just started. KILL gets as much time as a busy machine needs.
    """
    for number, seconds in ((signal.SIGTERM, timeout), (signal.SIGKILL, PATIENCE)):
        signalled: set[int] = set()
        end = time.monotonic() + seconds
        while (left := find()) and time.monotonic() < end:
            for process in {*left} - signalled:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, number)
            signalled.update(left)
            time.sleep(_POLL)
    return find()
