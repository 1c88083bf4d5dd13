"""Prints how the cost grows with the input: ``python -m bench.growth``, all measured in one run.

Measures each kind of inputs at a ninth, a third and all of its largest size: CPU seconds and peak memory of a whole
``dms-relay apply`` or ``dms-relay check`` on its own Postfix configuration, or of only reading and merging. The growth is
the ratio of CPU times from each size to the next, less the time of the same command for inputs of size 1.

    --command apply|check|merge   which (all of them)
    --kind TEXT                   kinds whose names begin with this (all of them)
    --divide NUMBER               sizes divided by this
    --tree DIRECTORY              another copy of this repository, measured in turn with this one

Exit codes: 0 measured, whatever the result; 69 no Postfix.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from bench.growth_inputs import KINDS

if TYPE_CHECKING:
    from argparse import Namespace

    from bench.growth_inputs import Kind

ROOT = Path(__file__).parents[1]
USAGE = Path(__file__).with_name("usage.py")
#: The factor from one size to the next.
STEP = 3
#: Runs of each size. The one with the least CPU time counts, since the machine's other load only adds.
ROUNDS = 3
#: Minimum CPU seconds that can be measured: the kernel's tick (time(7)).
_TICK = 0.01
MAIN_CF = "compatibility_level = 3.6\nmyhostname = mail.example.test\nrelayhost =\nsmtp_tls_security_level = may\n"
MASTER_CF = "smtp unix - - n - - smtp\n"
MERGE = """
import os, sys
from pathlib import Path
from dms_relay import InputError, Paths, merge, read
merge(read(Paths(Path(sys.argv[1]), Path(sys.argv[2])), os.environ))
"""
COMMANDS = ("apply", "check", "merge")


class Cost(NamedTuple):
    """CPU seconds, and the peak memory in MiB."""

    cpu: float
    mib: float


class Machine:
    """Inputs of one kind and size, and a Postfix configuration before the first boot."""

    def __init__(self, root: Path, kind: Kind, size: int) -> None:
        """Write the inputs, in a new directory."""
        made = kind.make(size)
        self.config, self.postfix = root / f"config-{size}", root / f"postfix-{size}"
        self.config.mkdir()
        for name, text in made.files.items():
            (self.config / name).write_text(text)
        self.env = {"PATH": os.environ["PATH"], "LOG_LEVEL": "error", "PYTHONHASHSEED": "0", **made.env}
        self.main_cf = MAIN_CF + made.main_cf

    def cost(self, command: str, tree: Path) -> Cost:
        """Run a command of one copy of the package, on the configuration before a first boot."""
        shutil.rmtree(self.postfix, ignore_errors=True)
        self.postfix.mkdir()
        (self.postfix / "main.cf").write_text(self.main_cf)
        (self.postfix / "master.cf").write_text(MASTER_CF)
        places = ["--config-dir", str(self.config), "--postfix-dir", str(self.postfix)]
        arguments = ["-m", "dms_relay", *places, command]
        if command == "merge":
            arguments = ["-c", MERGE, str(self.config), str(self.postfix)]
        # check exits with 78 if it finds an error, as for some kinds.
        codes = {os.EX_OK, os.EX_CONFIG} if command == "check" else {os.EX_OK}
        return _cost([sys.executable, *arguments], self.env, tree, codes)


def _cost(command: list[str], env: dict[str, str], tree: Path, codes: set[int]) -> Cost:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(USAGE), *command], env=env, cwd=tree, capture_output=True, check=True
    )
    used = json.loads(done.stdout)
    if used["code"] not in codes or b"Traceback" in done.stderr:
        raise RuntimeError(f"{' '.join(command)}: exit code {used['code']}: {done.stderr.decode()}")
    return Cost(used["cpu"], used["mib"])


def measure(kind: Kind, command: str, trees: list[Path], divide: int) -> None:
    """Measure a kind, and print one line per copy of the package."""
    largest = kind.largest // divide
    sizes = [1, *(max(largest // STEP**power, 1) for power in (2, 1, 0))]
    with TemporaryDirectory(prefix="dms-relay-growth-") as name:
        machines = [Machine(Path(name), kind, size) for size in dict.fromkeys(sizes)]
        found: dict[tuple[Path, int], list[Cost]] = {}
        for _ in range(ROUNDS):
            for number, machine in enumerate(machines):
                for tree in trees:
                    found.setdefault((tree, number), []).append(machine.cost(command, tree))
    for tree in trees:
        costs = [min(found[tree, number]) for number in range(len(machines))]
        print(_row(kind, command, largest, costs), str(tree) if len(trees) > 1 else "", flush=True)


def _row(kind: Kind, command: str, size: int, costs: list[Cost]) -> str:
    """Return a line: the size, the seconds at size 1, seconds and memory at the other sizes, and the growth."""
    base, *others = costs
    pairs = pairwise(max(cost.cpu - base.cpu, _TICK) for cost in others)
    grown = " ".join(f"{after / before:5.2f}" for before, after in pairs)
    cells = "".join(f"{cost.cpu:9.2f}{cost.mib:6.0f}" for cost in others)
    return f"{kind.name:36}{command:6}{size:9,}{base.cpu:7.2f}{cells}   {grown}"


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    if shutil.which("postconf") is None:
        sys.stderr.write("postconf is not found -- install Postfix\n")
        return os.EX_UNAVAILABLE
    arguments = _arguments(argv)
    trees = [ROOT, *([arguments.tree.resolve()] if arguments.tree else [])]
    heads = "".join(f"{head:>15}" for head in ("ninth: s  MiB", "third: s  MiB", "all: s  MiB"))
    print(f"{'':36}{'':6}{'size':>9}{'1: s':>7}{heads}   growth")
    for kind in KINDS:
        for command in arguments.command or COMMANDS:
            if kind.name.startswith(arguments.kind):
                measure(kind, command, trees, arguments.divide)
    return os.EX_OK


def _arguments(argv: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m bench.growth", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--command", choices=COMMANDS, action="append")
    parser.add_argument("--kind", default="")
    parser.add_argument("--divide", type=int, default=1)
    parser.add_argument("--tree", type=Path)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
