"""Prints the cost of big login tables in Postfix, by type: ``python -m bench.tables [KEYS]``, by default a million.

One run, in which all kinds take turns. For each type a private Postfix relays through the same relay, each message from
another sender with its own login; one more, with ten keys, is the base of the comparison. ``dms-relay apply`` writes the
tables. Exit codes: 0 measured, 69 no Postfix, or one without these types.

Known limits: the relay is a Python program on the same machine and takes as much time as Postfix does, so the ratio of
messages per second flatters the slow; the CPU of Postfix's own processes for a message does not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from testbed import SUBMISSION, Inputs, Testbed, why_unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed import Postfix, Relay

KEYS, FEW = 1_000_000, 10
#: Rounds, in which all kinds take turns; messages per kind and round; and parallel submissions.
ROUNDS, MESSAGES, PARALLEL = 5, 200, 4
#: Number of builds of each type and size.
BUILDS = 3
TYPES = ("cdb", "lmdb", "texthash")
TICK = os.sysconf("SC_CLK_TCK")
LOGINS, RECIPIENT = "postfix-sasl-password.cf", "anyone@world.test"
SEED = 7


def login_table(keys: int, separator: str = " ") -> str:
    """Return the text of a table of logins by sender."""
    return "".join(f"@domain{n}.test{separator}user{n}@domain{n}.test:password-{n}\n" for n in range(keys))


class Kind:
    """A Postfix with a table of one type and size."""

    def __init__(self, name: str, testbed: Testbed, relay: Relay, inputs: Inputs, keys: int) -> None:
        """Create it, write its tables with ``apply``, and start it."""
        self.name, self.keys, self.relay = name, keys, relay
        self.random = Random(SEED)  # noqa: S311 -- only chooses the next sender
        self.postfix: Postfix = testbed.postfix(start=False)
        apply(inputs, self.postfix)
        self.postfix.start()
        self.rates: list[float] = []
        self.cpu: list[float] = []
        self.first: list[float] = []
        self.memory: list[float] = []

    def round(self, number: int) -> None:
        """Reload, send one message, then many, and record the times."""
        self.postfix.reload()
        begin = time.perf_counter()
        self._send([f"{self.name}-{number}-first"])
        self.first.append(time.perf_counter() - begin)
        cpu, begin = cpu_seconds(self.postfix), time.perf_counter()
        self._send([f"{self.name}-{number}-{n}" for n in range(MESSAGES)])
        self.rates.append(MESSAGES / (time.perf_counter() - begin))
        self.cpu.append((cpu_seconds(self.postfix) - cpu) / MESSAGES)
        self.memory.extend(memory_of_clients(self.postfix))

    def _send(self, names: list[str]) -> None:
        expected = len(self.relay.received) + len(names)
        senders = [f"me@domain{self.random.randrange(self.keys)}.test" for _ in names]
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(
                pool.map(
                    lambda pair: self.postfix.send(pair[0], [RECIPIENT], pair[1]), zip(senders, names, strict=True)
                )
            )
        self.relay.wait_for(expected, 120)


def apply(inputs: Inputs, postfix: Postfix) -> None:
    """Run ``dms-relay apply`` without a time limit."""
    directories = ["--config-dir", str(inputs.directory), "--postfix-dir", str(postfix.config)]
    command = [sys.executable, "-m", "dms_relay", "--log-level", "error", *directories, "apply"]
    subprocess.run(command, env=os.environ | inputs.settings, check=True, stdout=subprocess.DEVNULL)


def cpu_seconds(postfix: Postfix) -> float:
    """Return the CPU seconds of an instance's processes, and of those that have ended (proc_pid_stat(5), 14 to 17)."""
    return sum(sum(map(int, fields[11:15])) for fields in map(_stat, postfix.processes()) if fields) / TICK


def _stat(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended: its parent has its time
        return []


def memory_of_clients(postfix: Postfix) -> Iterable[float]:
    """Yield the private memory of each smtp(8) process in MiB, without what it shares, such as an index."""
    for process in postfix.processes():
        try:
            is_client = Path(f"/proc/{process}/comm").read_text() == "smtp\n"
            text = Path(f"/proc/{process}/smaps_rollup").read_text() if is_client else ""
        except OSError:
            continue
        if text:
            yield sum(map(int, re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", text, re.MULTILINE))) / 1024


def measure(keys: int) -> tuple[Kind, list[Kind]]:
    """Return the kind with few keys, and one for each type, measured in turn."""
    with TemporaryDirectory(prefix="dms-relay-bench-") as name, Testbed() as testbed:
        relay = testbed.relay("relay.test", SUBMISSION)

        def kind(name_: str, count: int, **env: str) -> Kind:
            inputs = Inputs(Path(name) / "config", DEFAULT_RELAY_HOST=relay.nexthop, **env)
            inputs.write(LOGINS, login_table(count))
            return Kind(name_, testbed, relay, inputs, count)

        few = kind(f"texthash, {FEW} keys", FEW)
        kinds = [kind(f"{name_}, {keys} keys", keys, RELAY_TABLES=name_) for name_ in TYPES]
        for number in range(ROUNDS):
            for one in (few, *kinds):
                one.round(number)
        return few, kinds


def print_kinds(few: Kind, kinds: list[Kind]) -> None:
    """Print medians, and ratios to the table of few keys."""
    print(
        f"{'':26}{'messages/s':>11}{'ratio':>7}{'CPU ms a message':>18}{'ratio':>7}{'first ms':>10}{'MiB a smtp':>12}"
    )
    for kind in (few, *kinds):
        rate, cpu = median(kind.rates), median(kind.cpu)
        ratios = median(mine / its for mine, its in zip(kind.rates, few.rates, strict=True)), cpu / median(few.cpu)
        row = f"{rate:11.1f}{ratios[0]:7.2f}{cpu * 1000:18.2f}{ratios[1]:7.2f}"
        print(f"{kind.name:26}{row}{median(kind.first) * 1000:10.1f}{median(kind.memory):12.1f}")


def print_builds(sizes: Iterable[int]) -> None:
    """Print the CPU time of postmap(1) for an index, and its size."""
    print(f"\n{'postmap':26}{'CPU ms':>11}{'MB':>9}{'MB of text':>12}")
    for keys in sizes:
        with TemporaryDirectory(prefix="dms-relay-bench-") as name:
            (Path(name) / "main.cf").write_text("")
            text = Path(name) / "table"
            text.write_text(login_table(keys, "\t"))
            for path in Path(name).iterdir():
                os.utime(path, (0, 0))
            found: dict[str, list[float]] = {kind: [] for kind in TYPES[:2]}
            for _ in range(BUILDS):
                for kind, builds in found.items():
                    text.with_name(f"table.{kind}").unlink(missing_ok=True)
                    builds.append(cpu_of("postmap", "-w", "-c", name, f"{kind}:{text}"))
            for kind, builds in found.items():
                size = text.with_name(f"table.{kind}").stat().st_blocks * 512
                row = f"{median(builds) * 1000:11.0f}{size / 1e6:9.1f}{text.stat().st_size / 1e6:12.1f}"
                print(f"{f'{kind}, {keys} keys':26}{row}")


def cpu_of(*command: str) -> float:
    """Return the CPU seconds of a program."""
    with subprocess.Popen(command) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


def why_types_are_missing() -> str | None:
    """Return which types this Postfix lacks; None if it has them all."""
    has = subprocess.run(["postconf", "-m"], capture_output=True, text=True, check=True).stdout.split()
    missing = [kind for kind in TYPES if kind not in has]
    return f"Postfix has no {' and no '.join(missing)} -- install postfix-cdb and postfix-lmdb" if missing else None


def main() -> int:
    """Measure and print."""
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else KEYS
    reason = why_unavailable() or why_types_are_missing()
    if reason:
        sys.stderr.write(f"{reason}\n")
        return os.EX_UNAVAILABLE
    print_kinds(*measure(keys))
    print_builds(sorted({keys // 10, keys}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
