"""Runs a program with a pipe as its standard output, and copies its output to the real one.

Postfix logs to ``/dev/stdout``, which it opens by name, again at each reload. A socket cannot be opened by name
(podman's log driver ``passthrough`` under systemd passes one), nor, in a user namespace, can a pipe that belongs to a
user outside. A pipe created here can. ``docker-entrypoint.sh`` calls this only if it must, with itself as the program::

    python -IS stdout_pipe.py PROGRAM ARGUMENT...

PROGRAM replaces this process and keeps its process number; a child copies. PROGRAM finds the child's number in
``DMS_RELAY_STDOUT_PIPE``, and descriptor 9 reaches its end when the child has ended. The child ends when nobody can
write to the pipe any more and all is copied. It leaves the process group and ignores TERM, INT, HUP and QUIT, so that
what Postfix logs while it stops arrives as well.

If standard output fails because its reader is gone, a line on standard error says so, once; the rest is read and
dropped, so that Postfix runs on. Needs only built-in modules: it stays in memory as long as the container runs.

With ``RELAY_METRICS`` set, the entrypoint always calls this, and the child counts deliveries in what it copies
(``metrics/deliveries.py``). Each piece is copied first. An error in counting is reported once, and never
affects the copying: counters that cannot be written stay in memory, and after a bug nothing more is counted.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from dms_relay.metrics.deliveries import Deliveries

#: Where PROGRAM finds the child's process number.
VARIABLE = "DMS_RELAY_STDOUT_PIPE"
#: The descriptor by which PROGRAM sees the child's end: the highest that dash takes in a redirection.
END = 9
#: Bytes to read at once: the default capacity of a pipe (pipe(7)).
SIZE = 65_536
#: The variable that turns metrics on; the one that names the state directory, and its default
#: (``model.places``, ``model.Paths``, which cannot be loaded here).
METRICS, STATE_DIR_VARIABLE, STATE_DIR = "RELAY_METRICS", "DMS_RELAY_STATE_DIR", "/var/lib/dms-relay"
#: Seconds that a counting child rests after a piece that filled less than half the pipe: waking up for each line
#: takes several times the CPU time (bench/metrics.py). A thousand messages a second do not fill the pipe meanwhile.
PAUSE = 0.05
STDOUT = 1
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def run(program: str, arguments: list[str]) -> NoReturn:
    """Start the child that copies, and exec the program. Raises ``OSError``."""
    source, writing = os.pipe()
    end, child_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.close(end)
        _be_copier(source)
    os.dup2(writing, STDOUT)
    os.dup2(end, END)
    # Also if the pipe had this number from the beginning.
    os.set_inheritable(END, True)
    for descriptor in {source, writing, end, child_end} - {STDOUT, END}:
        os.close(descriptor)
    # Python ignores these, and exec keeps that: a hook's `tail -f | grep -q` would never end.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(program, [program, *arguments], {**os.environ, VARIABLE: str(child)})  # noqa: S606 -- ours


def _be_copier(source: int) -> NoReturn:
    os.setsid()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    copy(source, STDOUT, Counting(os.environ) if wants_counting(os.environ) else None)
    os._exit(os.EX_OK)


def copy(source: int, sink: int, counting: Counting | None = None) -> None:
    """Copy until nobody can write to ``source`` any more. If ``sink`` fails, report it and drop the rest."""
    is_lost = False
    while data := _read(source, counting):
        try:
            if not is_lost:
                _write(sink, data)
        except OSError as error:
            is_lost = True
            text = f"standard output takes nothing more ({error.strerror}), so Postfix's log is lost from here on"
            _say(text)
        if counting:
            counting.take(data)
            if len(data) < SIZE // 2:
                time.sleep(PAUSE)
    if counting:
        counting.end()


def _read(source: int, counting: Counting | None) -> bytes:
    """Return the next piece. Writes the counters in between, when that is due."""
    while counting and (rest := counting.rest()) is not None and not select.select([source], [], [], rest)[0]:
        counting.write()
    return os.read(source, SIZE)


def _say(text: str) -> None:
    try:  # noqa: SIM105 -- contextlib takes memory
        sys.stderr.write(f"docker-entrypoint: error: {text}\n")
    except OSError:
        pass


def _write(sink: int, data: bytes) -> None:
    """Write all, even to a descriptor that somebody has made non-blocking."""
    while data:
        try:
            data = data[os.write(sink, data) :]
        except BlockingIOError:
            select.select([], [sink], [])


def wants_counting(environ: Mapping[str, str]) -> bool:
    """Return True if metrics are on (``container.settings`` checks the variable)."""
    return environ.get(METRICS, "") not in {"", "no"}


class Counting:
    """Counts deliveries, and shields the copying from errors in that."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Continue from the counters in the state directory."""
        self._directory = environ.get(STATE_DIR_VARIABLE) or STATE_DIR
        self._deliveries: Deliveries | None = None
        self._said = ""
        try:
            self._deliveries = _deliveries_class()(self._directory)
        except Exception as error:  # noqa: BLE001 -- see above
            self._give_up(error)

    def rest(self) -> float | None:
        """Return the seconds until counters are to be written; ``None`` if there is nothing to write."""
        return self._deliveries.counters.rest() if self._deliveries else None

    def take(self, data: bytes) -> None:
        """Count, and write if it is time."""
        try:
            if self._deliveries:
                self._deliveries.take(data)
        except Exception as error:  # noqa: BLE001 -- see above
            self._give_up(error)
        self.write()

    def write(self, *, now: bool = False) -> None:
        """Write the counters, if it is time, or ``now``."""
        try:
            if self._deliveries:
                self._deliveries.counters.write(now=now)
        except OSError as error:
            what = f"{self._directory} cannot be written: {error.strerror}"
            if what != self._said:
                _say(f"{what}, so deliveries are counted in memory only -- free space, or mount a volume there")
            self._said = what
        except Exception as error:  # noqa: BLE001 -- see above
            self._give_up(error)

    def end(self) -> None:
        """Write the counters one last time."""
        self.write(now=True)

    def _give_up(self, error: Exception) -> None:
        self._deliveries = None
        _say(f"deliveries are not counted from here on: {type(error).__name__}: {error} -- report this bug")


def _deliveries_class() -> type[Deliveries]:
    """Load the counting class, and nothing else of the package: ``watch/start.py`` says why."""
    if "dms_relay" not in sys.modules:
        package = type(sys)("dms_relay")
        here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 -- pathlib takes 1 MiB of memory
        package.__path__ = [os.path.dirname(here)]  # noqa: PTH120 -- the same
        sys.modules["dms_relay"] = package
    from dms_relay.metrics.deliveries import Deliveries  # noqa: PLC0415 -- it can be found only now

    return Deliveries


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
