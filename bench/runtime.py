"""The package as the image has it: in a virtual environment with its locked dependencies and nothing else, compiled.

Not the environment that runs the benchmark: with the developers' tools in it, structlog would import rich and colorama.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Runtime:
    """A virtual environment that holds what the package needs at run time."""

    def __init__(self, directory: Path) -> None:
        """Make it in ``directory``."""
        self.directory = directory / "venv"
        run(sys.executable, "-m", "venv", "--without-pip", str(self.directory))
        self._pip("install", "--require-hashes", "-r", str(ROOT / "requirements.lock"))
        wheels = directory / "wheels"
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
        self._pip("install", "--no-deps", "--no-index", *map(str, wheels.glob("*.whl")))
        run(str(self.python), "-m", "compileall", "-q", "-f", str(self.directory / "lib"))
        # As docker/build-package.sh does; it is used where the directory is mounted as /opt/dms-relay.
        run("install", "-m", "755", str(ROOT / "docker/boot"), str(self.directory / "bin/boot"))
        run(str(self.python), "-I", "-m", "dms_relay.bundle")

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.directory / "bin/python"

    @property
    def command(self) -> Path:
        """The command."""
        return self.directory / "bin/dms-relay"

    def _pip(self, *arguments: str) -> None:
        pip("--python", str(self.python), *arguments)


def pip(*arguments: str) -> None:
    """Run the pip of the environment that runs this."""
    run(sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments)


def run(*command: str) -> None:
    """Run a program; raises CalledProcessError where it fails, with what it said on standard error."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
