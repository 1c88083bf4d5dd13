"""Runs all benchmarks: ``python -m bench``. Each part is a program of its own, ``python -m bench.PART``.

Exit codes: 0 measured, whatever the result; 69 no Postfix; else that of the first part that failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

#: A boot; from the container's start to the first message; growth of the cost; cost of big tables in Postfix; the keeper; a
#: long queue; counting deliveries; replicas on Kubernetes.
PARTS = ("boot", "first_message", "growth", "tables", "keeper", "queue", "metrics", "fleet")


def main() -> int:
    """Run each part, one after the other."""
    if shutil.which("postconf") is None:
        sys.stderr.write("postconf is not found -- install Postfix\n")
        return os.EX_UNAVAILABLE
    codes = [_run(part) for part in PARTS]
    return next((code for code in codes if code), os.EX_OK)


def _run(part: str) -> int:
    print(f"# python -m bench.{part}\n", flush=True)
    code = subprocess.run([sys.executable, "-m", f"bench.{part}"], check=False).returncode
    print(flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
