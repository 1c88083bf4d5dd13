"""The processes of a running Postfix, read from /proc (proc(5)). Writes nothing.

Known limits: Linux only. A process that ends meanwhile has no name, no service and no children.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Programs that decide a message's route; a message that a previous process has handled takes the previous route.
_ROUTING_PROCESSES = frozenset({"qmgr", "trivial-rewrite"})


#: The program that master(8) starts first, and again at each reload; one process for all mail.
_QUEUE_MANAGER = "qmgr"
#: Index of a process's start time after its name, in clock ticks since the machine started (proc(5), field 22).
_START_FIELD = 19


def command(number: int) -> str:
    """Return the name of a process's program; ``""`` if it has gone."""
    try:
        return Path(f"/proc/{number}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def takes_mail(number: int, is_awaited: Callable[[str], bool] | None) -> bool:
    """Return True if a process decides routes, or delivers for a service for which ``is_awaited`` returns True."""
    name = command(number)
    return name in _ROUTING_PROCESSES or (name == "smtp" and is_awaited is not None and is_awaited(service(number)))


def service(number: int) -> str:
    """Return the service of a Postfix process: the argument of ``-n``, or the program's own name."""
    try:
        arguments = Path(f"/proc/{number}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    return arguments[arguments.index("-n") + 1] if "-n" in arguments[:-1] else arguments[0]


def children(number: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(child) for child in Path(f"/proc/{number}/task/{number}/children").read_text("ascii").split()]
    except OSError:
        return []


def read_at(master: int) -> float | None:
    """Return when a running Postfix last read its configuration, in seconds since 1970; ``None`` if that is not known.

    That is the start of its queue manager, which ends at each reload and at no other time (seen with 3.7: 0.02 to 0.04 s
    after master(8) was told to reload). master(8) itself records no such time.
    """
    began = [_began(child) for child in children(master) if command(child) == _QUEUE_MANAGER]
    return max((at for at in began if at is not None), default=None)


def _began(number: int) -> float | None:
    try:
        fields = Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    running = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.time() - running
