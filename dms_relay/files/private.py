"""Makes a private temporary directory, for programs of Postfix that read a main.cf from it.

The main.cf of such a program decides which libraries it loads, as root. So we make the directory only where nobody else can
replace it: in a pod, an ``emptyDir`` at /tmp is writable for all users, and not sticky. With a read-only root file system,
/tmp can be missing as well. Makes and removes a directory of mode 0700, even if TERM, HUP or INT ends the process: it may
contain passwords. Raises ``WriteError`` if there is no place for it.

Known limits: KILL leaves the directory behind. So do TERM and HUP in a thread other than the main one.
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

#: The usual places for temporary files, then those that every container has in memory (hier(7), shm_overview(7)).
_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 -- checked before use
#: Signals that end a process without an exception in Python, and those that we block while making or removing a directory.
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_HELD = (*_ENDING, signal.SIGINT)


class _EndedError(BaseException):
    """A signal ends this process: only cleaning up goes on."""


@contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory that nobody else can read or replace, and remove it in the end."""
    with _Ending(), ExitStack() as made:
        try:
            with _Held():
                place = Path(_made(made))
            yield place
        finally:
            with _Held():
                made.close()


class _Held:
    """Blocks signals while entered: nothing may end us between making a directory and registering its removal."""

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


class _Ending:
    """While entered, signals that would end us first let the body clean up; then they end us as usual."""

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
        """Start to end, once: a second signal must not interrupt the cleaning up."""
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
    raise WriteError(text, "mount a tmpfs at /tmp, or set TMPDIR to a directory owned by root")
