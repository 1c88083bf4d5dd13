"""Programs of Postfix that run while we go on, with our own standard streams: what they say is said to the operator.

Everything else is run by ``programs``, which waits and listens. Raises ``PostfixError`` where a program cannot be started.
SIGCHLD is no longer ignored afterwards, where a parent had left it so: the system would keep no exit code.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from dms_relay.errors import PostfixError

if TYPE_CHECKING:
    from pathlib import Path


def begin(program: Path, config: Path, *, data_to_nowhere: bool = False) -> int:
    """Start a program on the configuration in ``config`` and return its process number, for ``end``.

    It gets none of the settings in our environment. ``data_to_nowhere``: what it writes to standard output is not wanted.
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
    """Wait until a program has ended, and return its exit code, or the number of the signal that ended it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
