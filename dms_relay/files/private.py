"""A private directory for a moment, for programs of Postfix that read a main.cf from it.

What such a program finds in its main.cf decides which libraries it loads, as root. So the directory lies only where nobody
else can put another one in its place: in a pod, an ``emptyDir`` at /tmp is for all users, and not sticky. With a root file
system that is read-only, /tmp can be missing as well. Makes and removes a directory of mode 0700, also where TERM, HUP or
INT ends the process meanwhile: it may hold passwords. Raises ``WriteError`` where there is no place for it.

Known limits: a process that is ended by KILL leaves it behind. In another thread than the main one, TERM and HUP do as well.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dms_relay.errors import WriteError
from dms_relay.files.trust import require_believed

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where programs put temporary files, and then what every container has in memory (hier(7), shm_overview(7)).
_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 -- looked at before it is used
#: What ends a process without a word to Python, and what waits while a directory is made or removed.
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_HELD = (*_ENDING, signal.SIGINT)


class _EndedError(BaseException):
    """A signal ends this process: nothing goes on but what cleans up."""


@contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory that nobody else can see into or replace, and remove it in the end."""
    with _Ending(), ExitStack() as made:
        try:
            with _Held():
                place = Path(_made(made))
            yield place
        finally:
            with _Held():
                made.close()


class _Held:
    """A time in which signals wait: between a directory that is made and the one who removes it, nothing may end us."""

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


class _Ending:
    """A time in which signals that would end us have what is open closed first; then they end us as ever."""

    def __enter__(self) -> None:
        self._ended_by = 0
        self._changed: list[signal.Signals] = []
        for number in _ENDING:
            if signal.getsignal(number) == signal.SIG_DFL:
                try:
                    signal.signal(number, self._end)
                except ValueError:  # in a thread
                    return
                self._changed.append(number)

    def _end(self, number: int, _: object) -> None:
        """Begin to end, once: a second signal must not break off the cleaning up."""
        if not self._ended_by:
            self._ended_by = number
            raise _EndedError

    def __exit__(self, *_: object) -> None:
        for number in self._changed:
            signal.signal(number, signal.SIG_DFL)
        if self._ended_by:
            os.kill(os.getpid(), self._ended_by)


def _made(stack: ExitStack) -> str:
    reason = ""
    for place in filter(None, (os.environ.get("TMPDIR"), *_PLACES)):
        try:
            require_believed(os.path.abspath(place))  # noqa: PTH100 -- names
            return stack.enter_context(TemporaryDirectory(prefix="dms-relay-", dir=place))
        except OSError as error:
            reason = reason or f"{place}: {error.strerror}"
    text = f"there is no place for temporary files ({reason})"
    raise WriteError(text, "mount a tmpfs at /tmp, or name a directory of root's by TMPDIR")
