"""Runs programs of Postfix in the background with our own standard streams, so that the operator sees their output.

``programs`` runs all others; it waits and captures their output. Raises ``PostfixError`` if a program cannot be started.
If SIGCHLD was ignored, as a parent may have left it, it no longer is afterwards: the system would keep no exit code.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from dms_relay.errors import PostfixError

if TYPE_CHECKING:
    from pathlib import Path


def begin(program: Path, config: Path, *, data_to_nowhere: bool = False) -> int:
    """Start a program on the configuration in ``config`` and return its process ID, for ``end``.

    It gets none of the settings in our environment. ``data_to_nowhere``: discard its standard output.
    """
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    environ = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    if data_to_nowhere:
        actions.append((os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0))
    try:
        return os.posix_spawn(program, [str(program), "-c", str(config)], environ, file_actions=actions)
    except OSError as error:
        text = f"{program} cannot be run: {error.strerror}"
        raise PostfixError(text, "install Postfix", errno=error.errno) from None


def end(number: int) -> int:
    """Wait until a program has ended; return its exit code, or minus the number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
