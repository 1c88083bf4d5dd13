"""Throughput of one replica on Kubernetes, and of three: ``BENCH_IMAGE=dms-relay python -m bench.fleet``.

The pods are those that the Helm chart renders, run by podman (testbed/fleet). smtp-source(1) sends messages over a podman
network, and they go to a server with TLS and a login. All of that shares the processors of this machine, so the messages
per second are those of the whole; a replica's own cost is its CPU time per message, from its control group, which gives
the processors for 1,000 messages a second. Memory is the proportional set size of a pod's processes.

Exit codes: 0 measured, or something is missing, which it prints.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from testbed.fleet import podman
from testbed.fleet.cluster import wait_for
from testbed.fleet.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Messages of one round, parallel sessions for each replica, octets of a message, and rounds of each kind.
MESSAGES, SESSIONS, SIZE, ROUNDS = 1_500, 10, 4_096, 3
#: Messages before the measurement, to warm up caches and processes.
WARM = 100
#: Number of processes of the server.
PROCESSES = 2
#: Seconds after which everything beside Postfix has started, too.
SETTLE = 10.0
#: Seconds after which deferred mail is tried again; a round that needs it still counts.
FLUSH = 60.0
#: Seconds between two looks at the memory.
LOOK = 0.5
#: Number of timed synchronised writes on the queue's volume.
SYNCS = 200
#: Messages per second for the calculation on paper.
PAPER = 1_000
#: Prints the CPU time of the control group in nanoseconds: version 1, or version 2, which has microseconds.
CPU = (
    "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null"
    " || sed -n 's/^usage_usec \\(.*\\)/\\1000/p' /sys/fs/cgroup/cpu.stat"
)


@dataclass
class Figures:
    """The measurements of one kind, one value per round."""

    rate: list[float] = field(default_factory=list)
    #: CPU time of the replicas per message, in milliseconds.
    cpu: list[float] = field(default_factory=list)
    #: Peak memory of the biggest replica in MiB.
    memory: list[float] = field(default_factory=list)


class Fleets:
    """Three replicas, of which one or all get the load."""

    def __init__(self, fleet: Fleet) -> None:
        """Set the running replicas."""
        self.fleet = fleet
        self.names = fleet.names

    def measure(self) -> dict[str, Figures]:
        """Measure one replica and three in turn, so that the machine's other load affects both alike."""
        figures = {"one": Figures(), "three": Figures()}
        self.load(self.names, WARM)
        for _ in range(ROUNDS):
            for kind, names in {"one": self.names[:1], "three": self.names}.items():
                self._round(figures[kind], names)
        return figures

    def _round(self, figures: Figures, names: list[str]) -> None:
        before = sum(self.cpu(name) for name in names)
        with _looking(lambda: max(self.memory(name) for name in names)) as found:
            seconds = self.load(names, MESSAGES)
        figures.rate.append(MESSAGES / seconds)
        figures.cpu.append((sum(self.cpu(name) for name in names) - before) / MESSAGES * 1e3)
        figures.memory.append(max(found))

    def load(self, names: list[str], messages: int) -> float:
        """Send messages to replicas, each its share; return the seconds until the last one has arrived at the server."""
        share = messages // len(names)
        expected = self.fleet.site.count() + share * len(names)
        begin = time.monotonic()
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: _send(self.fleet.cluster.address(name), share), names))
        while not self._have_come(expected):
            for name in names:
                self.fleet.cluster.execute(name, "postqueue", "-f")
        return time.monotonic() - begin

    def _have_come(self, expected: int) -> bool:
        """Wait until that many messages have arrived, or the time is over: a deferred one would wait for 300 s."""
        with suppress(TimeoutError):
            wait_for(lambda: self.fleet.site.count() >= expected, "the messages", FLUSH)
            return True
        return False

    def cpu(self, name: str) -> float:
        """Return the CPU seconds that a replica has used."""
        return int(self.fleet.cluster.execute(name, "sh", "-c", CPU)) / 1e9

    def memory(self, name: str) -> float:
        """Return the memory of a replica's processes in MiB, as the host sees them."""
        said = podman.call("top", self.fleet.cluster.container(name), "hpid", check=False)
        return sum(_pss(number) for number in said.split()[1:]) / 1024

    def sync(self) -> float:
        """Return the median milliseconds of a synchronised write of a message's size on the queue's volume."""
        path = self.fleet.cluster.claim(self.names[0], "queue") / "bench"
        seconds = []
        with path.open("wb") as file:
            for _ in range(SYNCS):
                begin = time.perf_counter()
                file.write(bytes(SIZE))
                file.flush()
                os.fsync(file.fileno())
                seconds.append(time.perf_counter() - begin)
        path.unlink()
        return statistics.median(seconds) * 1e3


def main() -> int:
    """Measure and print."""
    image = os.environ.get("BENCH_IMAGE", "")
    missing = [name for name in ("podman", "helm", "kubectl", "smtp-source") if shutil.which(name) is None]
    if not image or missing:
        remedy = (
            "BENCH_IMAGE names no image of dms-relay -- run make image ENGINE=podman, then set BENCH_IMAGE=dms-relay"
        )
        print(f"not measured: {'no ' + ', '.join(missing) + ' -- install it' if missing else remedy}")
        return os.EX_OK
    with TemporaryDirectory() as directory:
        fleet = Fleet(Path(directory), image, PROCESSES, replicaCount=3)
        with fleet:
            _print(fleet)
    return os.EX_OK


def _print(fleet: Fleet) -> None:
    fleets = Fleets(fleet)
    time.sleep(SETTLE)
    idle = fleets.memory(fleets.names[0])
    print(f"{os.cpu_count()} processors for replicas, server and senders; messages of {SIZE} octets")
    print(f"memory of a replica, idle     {idle:7.1f} MiB")
    print(f"a synchronised write          {fleets.sync():7.2f} ms, one for each message that comes in", flush=True)
    _print_figures(fleets.measure())


def _print_figures(figures: dict[str, Figures]) -> None:
    one = statistics.median(figures["one"].rate)
    for kind, found in figures.items():
        rate, cpu = statistics.median(found.rate), statistics.median(found.cpu)
        print(
            f"{kind:28}  {rate:7.1f} messages/s  {rate / one:5.2f} x one  "
            f"{cpu:6.2f} ms of a processor for a message  {max(found.memory):6.1f} MiB at most"
        )
    cpu = statistics.median(figures["one"].cpu)
    print(f"{'on paper':28}  {PAPER * cpu / 1e3:7.1f} processors for {PAPER:,} messages/s: {1e3 / cpu:.0f}/s for each")


def _pss(number: str) -> int:
    """Return the KiB of a process; 0 if it is gone."""
    try:
        text = Path(f"/proc/{number}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def _send(address: str, messages: int) -> None:
    options = [
        "-c",
        "-s",
        f"{SESSIONS}",
        "-m",
        f"{messages}",
        "-l",
        f"{SIZE}",
        "-f",
        "a@example.test",
        "-t",
        "b@elsewhere.test",
    ]
    subprocess.run(["smtp-source", *options, f"{address}:25"], check=True, capture_output=True)


@contextmanager
def _looking(look: Callable[[], float]) -> Iterator[list[float]]:
    """Yield a list to which a thread adds values, from now on and once more at the end."""
    found, is_over = [look()], threading.Event()

    def look_again() -> None:
        while not is_over.wait(LOOK):
            found.append(look())

    thread = threading.Thread(target=look_again)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
