"""Prints what it costs: ``python -m bench``, all of it measured in one run.

Exit codes: 0 measured, whatever came of it; 69 no Postfix.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import first_message
from bench.boot import Boot
from bench.runtime import Runtime
from testbed import why_unavailable


def main() -> int:
    """Measure and print."""
    if shutil.which("postconf") is None:
        sys.stderr.write("postconf is not found -- install Postfix\n")
        return os.EX_UNAVAILABLE
    with TemporaryDirectory(prefix="dms-relay-bench-") as name:
        Path(name).chmod(0o755)
        sys.stderr.write("making a virtual environment with what the image has\n")
        boot = Boot(Runtime(Path(name)), Path(name))
        boot.measure()
        print_boot(boot)
        print()
        if reason := why_unavailable():
            print(f"first relayed message: not measured, {reason}")
        else:
            print_first_message(first_message.measure(Path(name) / "inputs"))
    return 0


def print_boot(boot: Boot) -> None:
    """Print the runs of ``apply``."""
    floor, example = boot.floor_seconds(), median(boot.example.seconds)
    halves = ", ".join(f"{kind.name} {median(kind.seconds) * 1000:.1f} ms" for kind in boot.floor)
    print(f"floor: {floor * 1000:.1f} ms ({halves})\n")
    print(f"{'':34}{'ms':>8}{'floors':>8}{'examples':>10}{'MiB':>6}")
    for kind in boot.kinds:
        seconds = median(kind.seconds)
        row = f"{seconds * 1000:8.1f}{seconds / floor:8.2f}{seconds / example:10.2f}{kind.peak:6.0f}"
        print(f"{kind.name:34}{row}")


def print_first_message(seconds: dict[str, float]) -> None:
    """Print the starts of Postfix."""
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
