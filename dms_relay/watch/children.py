"""The keeper's child processes: started with a text on standard input, and killed at a time limit.

A child has a process group of its own, so that what it starts ends with it. Its standard input and output are files in
memory (memfd_create(2)), so neither side ever waits for the other. Its standard error is the keeper's. Raises
``OSError`` if a child cannot be started.

Known limits: Linux only.
"""

from __future__ import annotations

import json
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Seconds from TERM to KILL for a child that is over its time limit.
GRACE = 5.0
#: Maximum octets of a child's output to read: enough for the looks at a hundred thousand secret files.
_SAID_MAX = 32 << 20
#: Signals that Python ignores and a program must not, and those that a shell makes its background jobs ignore.
_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """One running program. ``name`` says what it is for; ``data`` is for the keeper only."""

    def __init__(self, name: str, command: list[str], feed: object, limit: float, data: Any = None) -> None:  # noqa: ANN401
        """Start the program with ``feed`` as JSON on its standard input, for at most ``limit`` seconds."""
        self.name = name
        self.data = data
        self.began = time.monotonic()
        self.is_late = False
        self._deadline = self.began + limit
        self._said = os.memfd_create("said")
        fed = os.memfd_create("fed")
        try:
            os.write(fed, json.dumps(feed).encode())
            os.lseek(fed, 0, os.SEEK_SET)
            actions = [(os.POSIX_SPAWN_DUP2, fed, 0), (os.POSIX_SPAWN_DUP2, self._said, 1)]
            self.pid = os.posix_spawn(
                command[0],
                command,
                os.environ,
                file_actions=actions,
                setpgroup=0,
                setsigmask=[],
                setsigdef=_SIGNALS,
            )
        except BaseException:
            os.close(self._said)
            raise
        finally:
            os.close(fed)

    def said(self) -> Any:  # noqa: ANN401 -- what JSON can hold
        """Return the JSON output of an ended child; ``None`` if there is none, or it is not JSON."""
        text = os.pread(self._said, _SAID_MAX, 0)
        os.close(self._said)
        try:
            return json.loads(text)
        except ValueError:
            return None

    def check(self) -> None:
        """End a child over its time limit: with TERM first, and ``GRACE`` seconds later with KILL."""
        if time.monotonic() > self._deadline:
            self.kill(signal.SIGKILL if self.is_late else signal.SIGTERM)
            self.is_late = True
            self._deadline += GRACE

    def kill(self, number: int) -> None:
        """Send a signal to the child and all that it has started; nobody has waited for it yet."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return


def ended(children: dict[int, Child]) -> list[tuple[Child, int]]:
    """Remove the ended children, and return each with its exit code, or minus the signal that ended it."""
    found = []
    for pid, child in list(children.items()):
        try:
            gone, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            gone, status = pid, 0  # somebody else has waited for it: its output tells how it ended
        if gone:
            del children[pid]
            found.append((child, os.waitstatus_to_exitcode(status)))
    return found
