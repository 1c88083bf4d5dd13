"""Runs the tests and says how much of the package they go through, in the processes that they start as well.

    python -m tests.support.measure_coverage ARGUMENTS…     arguments of pytest

Tests start the command with an environment of their own, so no variable can tell such a process that it is to be measured. A
``.pth`` file in the virtual environment does, for as long as this runs: ``site`` executes it at each start of Python.

Known limits: a process that is killed has no time to say where it was; one that is started with ``-S`` or in a container is
not measured. Tests that look at what a start imports, or count what a process opens, may fail here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.scene import ROOT

#: What each process of this Python executes when it starts.
_AT_START = """\
import os; os.environ.update(COVERAGE_PROCESS_START={config!r}, COVERAGE_FILE={data!r}); \
import coverage; coverage.process_startup()
"""
_PTH = "measure-coverage.pth"


def main(arguments: list[str]) -> int:
    """Run the tests, then print the report; return the tests' exit code."""
    data = ROOT / ".coverage"
    environ = {**os.environ, "COVERAGE_FILE": str(data), "COVERAGE_RCFILE": str(ROOT / "pyproject.toml")}
    hook = Path(sysconfig.get_path("purelib"), _PTH)
    _coverage(environ, "erase")
    hook.write_text(_AT_START.format(config=environ["COVERAGE_RCFILE"], data=str(data)))
    try:
        done = subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environ, cwd=ROOT, check=False)
    finally:
        hook.unlink()
    _coverage(environ, "combine", "--quiet")
    _coverage(environ, "report", "--sort=cover")
    return done.returncode


def _coverage(environ: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "coverage", *arguments], env=environ, cwd=ROOT, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
