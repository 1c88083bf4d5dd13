"""The package as users have it: in a virtual environment with only its locked dependencies, compiled, bundled.

Not the environment that runs the benchmark: with the developers' tools in it, structlog would import rich and colorama.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.room import BUNDLE

ROOT = Path(__file__).parents[1]
#: The last revision before the start became faster.
BEFORE = "9ff11db"


class Runtime:
    """A virtual environment with what the package needs at run time."""

    def __init__(self, directory: Path, source: Path = ROOT) -> None:
        """Create it in ``directory``, with the package from ``source``."""
        self.directory = directory / "venv"
        run(sys.executable, "-m", "venv", "--without-pip", str(self.directory))
        self._pip("install", "--require-hashes", "-r", str(source / "requirements.lock"))
        wheels = directory / "wheels"
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(source))
        self._pip("install", "--no-deps", "--no-index", *map(str, wheels.glob("*.whl")))
        run(str(self.python), "-m", "compileall", "-q", "-f", str(self.directory / "lib"))
        if (source / "dms_relay/bundle").exists():
            run(str(self.python), *BUNDLE)

    @property
    def python(self) -> Path:
        """The path of the interpreter."""
        return self.directory / "bin/python"

    @property
    def command(self) -> Path:
        """The path of the command."""
        return self.directory / "bin/dms-relay"

    def _pip(self, *arguments: str) -> None:
        pip("--python", str(self.python), *arguments)


def pip(*arguments: str) -> None:
    """Run the pip of the environment that runs this."""
    run(sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments)


def run(*command: str) -> None:
    """Run a program; raises CalledProcessError with its standard error if it fails."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def before(directory: Path) -> Runtime | None:
    """Return the package at the revision that ``BENCH_BEFORE`` names; ``None`` if the repository does not have it."""
    revision = os.environ.get("BENCH_BEFORE", BEFORE)
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", revision], capture_output=True, check=False)
    if archive.returncode:
        return None
    source = directory / "source"
    source.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(source)], input=archive.stdout, check=True)
    return Runtime(directory, source)
