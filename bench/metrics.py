"""The cost of counting deliveries: ``python -m bench.metrics``. CPU time of the copier and of the delivery.

A private Postfix logs to its standard output, as in the image, and the image's copier passes that on, with counting and
without, in turn. Messages go from smtp-source(1) to smtp-sink(1), both Postfix's own, whose CPU time does not count: so
the delivery is the CPU time of Postfix's daemons. Needs root and Postfix.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.container import stdout_pipe
from dms_relay.metrics.counters import COUNTS, loaded
from dms_relay.metrics.endpoint import VARIABLE
from dms_relay.metrics.known_relays import RELAYS
from testbed.postfix import Postfix, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Messages of a run, messages to warm up, and pairs of runs.
MESSAGES, FIRST, PAIRS = 2000, 200, 3
#: Number of parallel sessions.
SESSIONS = 8
PATIENCE = 60.0
SETTINGS = {"maillog_file": "/dev/stdout", "maillog_file_prefixes": "/dev/stdout", "postlog_service_name": "postlog"}


def main() -> None:
    """Measure and print."""
    shares: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(PAIRS):
        for is_counting in (False, True):
            copier, delivery = _run(is_counting=is_counting)
            shares[is_counting].append(copier / delivery)
            print(f"  counting: {is_counting!s:5}  copier {copier:.2f} s, delivery {delivery:.2f} s", flush=True)
    plain, counting = (statistics.median(shares[which]) for which in (False, True))
    print(f"copying alone        {plain:6.2%} of the CPU time of the delivery itself")
    print(f"copying and counting {counting:6.2%} of the CPU time of the delivery itself")


def _run(*, is_counting: bool) -> tuple[float, float]:
    """Return the CPU seconds of the copier, and of Postfix's daemons, for ``MESSAGES``."""
    with tempfile.TemporaryDirectory() as directory, _sink() as port:
        state = Path(directory)
        (state / RELAYS).write_text(f"host\t127.0.0.1:{port}\t[127.0.0.1]:{port}\n")
        (state / RELAYS).chmod(0o600)
        postfix = Postfix(settings={**SETTINGS, "relayhost": f"[127.0.0.1]:{port}"})
        try:
            return _measured(postfix, state, is_counting=is_counting)
        finally:
            postfix.layout.remove()


def _measured(postfix: Postfix, state: Path, *, is_counting: bool) -> tuple[float, float]:
    environ = {**os.environ, VARIABLE: ":9154" if is_counting else "", "DMS_RELAY_STATE_DIR": str(state)}
    command = [sys.executable, "-IS", stdout_pipe.__file__, "postfix", "-c", str(postfix.config), "start-fg"]
    running = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _send(postfix, FIRST)
        copier = _copier(running.pid)
        before = _cpu(copier), _of_tree(running.pid, copier)
        _send(postfix, MESSAGES)
        time.sleep(1.5)  # the last write
        after = _cpu(copier), _of_tree(running.pid, copier)
    finally:
        postfix.command("postfix", "stop")
        running.wait(PATIENCE)
    if is_counting:
        counted = dict(loaded(str(state / COUNTS)))
        assert counted[f"tried\t{postfix_label(state)}\tsent\t2"] == FIRST + MESSAGES, counted
    return after[0] - before[0], after[1] - before[1]


def postfix_label(state: Path) -> str:
    """Return the label of the one relay."""
    return (state / RELAYS).read_text().rstrip("\n").rpartition("\t")[2]


@contextmanager
def _sink() -> Iterator[int]:
    port = free_port()
    command = [_program("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "100"]
    with subprocess.Popen(command) as sink:
        yield port
        sink.terminate()


def _send(postfix: Postfix, count: int) -> None:
    """Send messages, and wait until all have left."""
    target = f"127.0.0.1:{postfix.port}"
    addresses = ["-f", "a@example.com", "-t", "b@example.org"]
    source = [_program("smtp-source"), "-m", str(count), "-s", str(SESSIONS), *addresses, target]
    deadline = time.monotonic() + PATIENCE
    while subprocess.run(source, check=False, stderr=subprocess.DEVNULL).returncode:
        assert time.monotonic() < deadline, "Postfix does not start"
        time.sleep(0.1)
    while not postfix.queue_is_empty():
        assert time.monotonic() < deadline, "mail does not leave"
        time.sleep(0.05)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"/usr/sbin:{os.environ['PATH']}")
    assert found, name
    return found


def _copier(pid: int) -> int:
    """Return the child of a process that copies."""
    return next(child for child in _below(pid) if b"stdout_pipe.py" in Path(f"/proc/{child}/cmdline").read_bytes())


def _below(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _cpu(pid: int) -> float:
    """Return the CPU time of a process in seconds (proc(5), schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _of_tree(pid: int, but: int) -> float:
    """Return the CPU time of a process and all its descendants but one, including those that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
    return _cpu(pid) + ended + sum(_of_tree(child, but) for child in _below(pid) if child != but)


if __name__ == "__main__":
    main()
