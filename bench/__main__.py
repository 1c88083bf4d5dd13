"""Prints what it costs: ``python -m bench``, all of it measured in one run.

Exit codes: 0 measured, whatever came of it; 69 no Postfix.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import first_message
from testbed import why_unavailable

#: What is measured: each a module of its own, ``python -m bench.PART DIRECTORY``, which prints what came of it.
PARTS = ("boot",)


def main() -> int:
    """Measure and print."""
    if shutil.which("postconf") is None:
        sys.stderr.write("postconf is not found -- install Postfix\n")
        return os.EX_UNAVAILABLE
    with TemporaryDirectory(prefix="dms-relay-bench-") as name:
        Path(name).chmod(0o755)
        for part in PARTS:
            (Path(name) / part).mkdir(mode=0o755)
            subprocess.run([sys.executable, "-m", f"bench.{part}", str(Path(name) / part)], check=True)
            print(flush=True)
        if reason := why_unavailable():
            print(f"first relayed message: not measured, {reason}")
        else:
            print_first_message(first_message.measure(Path(name) / "inputs"))
    return 0


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
