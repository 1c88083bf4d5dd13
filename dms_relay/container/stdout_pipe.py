"""Runs a program with a pipe as its standard output, and copies what comes out of it to the real one.

Postfix logs to ``/dev/stdout``, which it opens by name, again at each reload. A socket cannot be opened so (podman's
log driver ``passthrough`` under systemd hands one over), nor can, in a user namespace, a pipe that belongs to a user
outside. A pipe made here can. ``docker-entrypoint.sh`` calls this only where it must, with itself as the program::

    python -IS stdout_pipe.py PROGRAM ARGUMENT...

PROGRAM takes the place of this process, under the same process number; a child copies. PROGRAM finds the child's number
in ``DMS_RELAY_STDOUT_PIPE``, and descriptor 9 comes to its end when the child has ended. The child ends when nobody can
write to the pipe any more and all is copied. It leaves the process group and takes no TERM, INT, HUP or QUIT, since
what Postfix says while it stops is to arrive as well.

Where standard output takes nothing more, because its reader is gone, a line on standard error says so, once; the rest
is read and dropped, so that Postfix runs on. Needs nothing but built-in modules: it stays in memory as long as the
container runs.

With ``RELAY_METRICS`` set, the entrypoint always calls this, and the child counts deliveries in what it copies
(``metrics/deliveries.py``). Each piece is copied first. Whatever goes wrong with counting is said once, and is nothing
to the copying: counters that cannot be written stay in memory, and where we have a bug nothing is counted from then on.
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
#: Bytes that are read at once: what a pipe holds by default (pipe(7)).
SIZE = 65_536
#: Says that there are to be metrics; where the state directory is, and where it is unless somebody says so
#: (``model.places``, ``model.Paths``, which cannot be loaded here).
METRICS, STATE_DIR_VARIABLE, STATE_DIR = "RELAY_METRICS", "DMS_RELAY_STATE_DIR", "/var/lib/dms-relay"
#: Seconds that the child rests after a piece that did not fill half the pipe, where it counts: to wake up for each line
#: takes several times the CPU time (bench/metrics.py). A thousand messages a second do not fill the pipe meanwhile.
PAUSE = 0.05
STDOUT = 1
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def run(program: str, arguments: list[str]) -> NoReturn:
    """Start the child that copies, and become the program. Raises ``OSError``."""
    source, writing = os.pipe()
    end, child_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.close(end)
        _be_copier(source)
    os.dup2(writing, STDOUT)
    os.dup2(end, END)
    # Also where the pipe had this number from the beginning.
    os.set_inheritable(END, True)
    for descriptor in {source, writing, end, child_end} - {STDOUT, END}:
        os.close(descriptor)
    # Python has these ignored, and what is ignored stays so in the program: a hook's `tail -f | grep -q` would never end.
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
    """Copy until nobody can write to ``source`` any more. Where ``sink`` fails, say so and drop the rest."""
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
    """Return what comes next. Counters are written in between, when it is time."""
    while counting and (rest := counting.rest()) is not None and not select.select([source], [], [], rest)[0]:
        counting.write()
    return os.read(source, SIZE)


def _say(text: str) -> None:
    try:  # noqa: SIM105 -- contextlib takes memory
        sys.stderr.write(f"docker-entrypoint: error: {text}\n")
    except OSError:
        pass


def _write(sink: int, data: bytes) -> None:
    """Write all, also to what somebody has made non-blocking."""
    while data:
        try:
            data = data[os.write(sink, data) :]
        except BlockingIOError:
            select.select([], [sink], [])


def wants_counting(environ: Mapping[str, str]) -> bool:
    """Return True if there are to be metrics (``container.settings`` says what their variable may hold)."""
    return environ.get(METRICS, "") not in {"", "no"}


class Counting:
    """Has deliveries counted, and keeps what goes wrong with that from whoever copies."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Go on from what the state directory has."""
        self._directory = environ.get(STATE_DIR_VARIABLE) or STATE_DIR
        self._deliveries: Deliveries | None = None
        self._said = ""
        try:
            self._deliveries = _deliveries_class()(self._directory)
        except Exception as error:  # noqa: BLE001 -- see above
            self._give_up(error)

    def rest(self) -> float | None:
        """Return the seconds until counters are to be written; ``None`` where there is nothing to write."""
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
                _say(f"{what}, so deliveries are counted in memory alone -- free space, or mount a volume there")
            self._said = what
        except Exception as error:  # noqa: BLE001 -- see above
            self._give_up(error)

    def end(self) -> None:
        """Write them the last time."""
        self.write(now=True)

    def _give_up(self, error: Exception) -> None:
        self._deliveries = None
        _say(f"deliveries are not counted from here on: {type(error).__name__}: {error} -- report this bug")


def _deliveries_class() -> type[Deliveries]:
    """Load what counts, and nothing else of the package: as ``watch/start.py``, which says why."""
    if "dms_relay" not in sys.modules:
        package = type(sys)("dms_relay")
        here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 -- pathlib takes 1 MiB of memory
        package.__path__ = [os.path.dirname(here)]  # noqa: PTH120 -- the same
        sys.modules["dms_relay"] = package
    from dms_relay.metrics.deliveries import Deliveries  # noqa: PLC0415 -- it can be found only now

    return Deliveries


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
