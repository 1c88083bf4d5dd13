"""Time to the first relayed message, from ``postfix start`` or from the start of a container.

Two measurements, whose kinds take turns, so that the machine's other load affects all of them alike:

``measure``: the cost of the age of Postfix's files: files that we have just written, old ones, hot ones. Files that anybody
else writes just before Postfix starts are hot: their time is now, and Postfix waits for them to cool down.

``measure_starts``: the cost of our entrypoint, compared with Postfix alone on the same files (``starts.py``), in a
container without an engine (``room.py``), and in the image that BENCH_IMAGE names.

``python -m bench.first_message`` prints both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import trustme

from bench.room import Room
from bench.runtime import ROOT, Runtime
from testbed import SUBMISSION, Inputs, Testbed, why_unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed import Postfix, Relay

#: Starts of each kind; the kinds take turns.
ROUNDS = 7
#: Starts of each kind in a container.
ROUNDS_CONTAINER = 11
STARTS = Path(__file__).with_name("starts.py")
#: What ``starts.py`` measures.
KINDS = {
    "plain": "postfix start-fg alone, the same files",
    "first": "the entrypoint, first boot",
    "restart": "the entrypoint, restart",
    "kill": "the entrypoint, after a kill",
}
SENDER, RECIPIENT = "someone@managed.test", "anyone@world.test"


class FirstMessage:
    """A Postfix to start repeatedly."""

    def __init__(self, testbed: Testbed, inputs: Path) -> None:
        """Set the testbed, and a directory for the inputs."""
        self.relay: Relay = testbed.relay("relay.test", SUBMISSION)
        self.postfix: Postfix = testbed.postfix(start=False)
        login = {"RELAY_USER": "user", "RELAY_PASSWORD": "password"}
        self.inputs = Inputs(inputs, DEFAULT_RELAY_HOST=self.relay.nexthop, **login)
        self.settings = self.inputs.settings
        self.seconds: dict[str, list[float]] = {}

    def measure(self) -> dict[str, float]:
        """Return the median seconds of each kind."""
        kinds: dict[str, Callable[[], None]] = {"old": self._old, "ours": self._ours, "hot": self._hot}
        for _ in range(ROUNDS):
            for name, prepare in kinds.items():
                self.seconds.setdefault(name, []).append(self._start(prepare))
        return {name: median(seconds) for name, seconds in self.seconds.items()}

    def _start(self, prepare: Callable[[], None]) -> float:
        expected = len(self.relay.received) + 1
        prepare()
        begin = time.perf_counter()
        self.postfix.start()
        self.postfix.send(SENDER, [RECIPIENT], str(expected))
        self.relay.wait_for(expected)
        seconds = time.perf_counter() - begin
        self.postfix.stop()
        return seconds

    def _ours(self) -> None:
        """Write all files, as a first boot does."""
        self.inputs.settings = {}
        self.inputs.apply(self.postfix)
        self.inputs.settings = self.settings
        self.inputs.apply(self.postfix)

    def _old(self) -> None:
        self._ours()
        self._set_times(time.time() - 3600)

    def _hot(self) -> None:
        self._ours()
        self._set_times(time.time())

    def _set_times(self, then: float) -> None:
        for path in self.postfix.config.iterdir():
            os.utime(path, (then, then))


def measure(inputs: Path) -> dict[str, float]:
    """Return the seconds of each kind, on a testbed of its own."""
    with Testbed() as testbed:
        return FirstMessage(testbed, inputs).measure()


def measure_starts(runtime: Runtime, directory: Path) -> dict[str, dict[str, float]]:
    """Return the median seconds of each column, for each of ``KINDS``, without an engine."""
    room = Room(directory)
    room.add(ROOT / "docker-entrypoint.sh", "/docker-entrypoint.sh")
    for hook in (ROOT / "entrypoint.d").iterdir():
        room.add(hook, f"/docker-entrypoint.d/{hook.name}")
    room.add(STARTS, "/starts.py")
    room.add(write_certificate(directory), "/certificate.pem")
    python = str(Path(sys.executable).resolve())
    command = [python, "-I", "/starts.py", "/docker-entrypoint.sh", "/certificate.pem", str(ROUNDS_CONTAINER)]
    return medians(room.run(runtime.directory, *command))


def measure_image(engine: str, image: str, directory: Path) -> dict[str, dict[str, float]]:
    """Return the same for an image."""
    mounts = [f"--volume={STARTS}:/starts.py:ro", f"--volume={write_certificate(directory)}:/certificate.pem:ro"]
    command = ["python3", "-I", "/starts.py", "docker-entrypoint.sh", "/certificate.pem", str(ROUNDS_CONTAINER)]
    run = [engine, "run", "--rm", "--no-healthcheck", "--network=none", *mounts, image, *command]
    return medians(subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout)


def write_certificate(directory: Path) -> Path:
    """Write the relay's certificate and key into one file."""
    path = directory / "certificate.pem"
    trustme.CA().issue_cert("relay.test").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def medians(said: str) -> dict[str, dict[str, float]]:
    """Return the medians from the output of ``starts.py``."""
    found = json.loads(said.splitlines()[-1])
    return {kind: {name: median(row[name] for row in rows) for name in rows[0]} for kind, rows in found.items()}


def print_starts(where: str, found: dict[str, dict[str, float]]) -> None:
    """Print the table of one place."""
    columns = f"{'220, ms':>10}{'message':>10}{'over plain':>12}{'CPU, ms':>10}{'over plain':>12}"
    print(f"{f'from the start of {where} to':44}{columns}")
    for kind, text in KINDS.items():
        greeting, message, used = (found[kind][name] for name in ("greeting", "message", "processor"))
        plain = found["plain"]
        wall = f"{greeting * 1000:10.0f}{message * 1000:10.0f}{message / plain['message']:12.2f}"
        print(f"  {text:42}{wall}{used * 1000:10.0f}{used / plain['processor']:12.2f}")


def report(runtime: Runtime, directory: Path) -> None:
    """Measure and print the starts of a container, here and in the image that BENCH_IMAGE names."""
    print_starts("a container", measure_starts(runtime, directory))
    if image := os.environ.get("BENCH_IMAGE"):
        engine = os.environ.get("CONTAINER_ENGINE", "docker")
        print_starts("the image", measure_image(engine, image, directory))


def main() -> int:
    """Measure and print."""
    if reason := why_unavailable():
        sys.stderr.write(f"not measured: {reason}\n")
        return os.EX_UNAVAILABLE
    with TemporaryDirectory(prefix="dms-relay-bench-") as name:
        Path(name).chmod(0o755)
        report(Runtime(Path(name)), Path(name))
        print()
        print_ages(measure(Path(name) / "inputs"))
    return 0


def print_ages(seconds: dict[str, float]) -> None:
    """Print the cost of the age of Postfix's files."""
    names = {
        "old": "files an hour old",
        "ours": "files that apply has just written",
        "hot": "the same with their time set to now",
    }
    print(f"{'from postfix start to the first relayed message':50}{'s':>6}{'over old':>10}")
    for name, text in names.items():
        print(f"  {text:48}{seconds[name]:6.2f}{seconds[name] - seconds['old']:10.2f}")


if __name__ == "__main__":
    sys.exit(main())
