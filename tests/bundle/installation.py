"""The package as it is installed, with its launcher and its bundle, and launchers of the tests."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.runtime import Runtime
    from tests.support.sandbox import Sandbox

ENV = {"DEFAULT_RELAY_HOST": "[relay.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}
RELAY_YAML = """\
version: 1
relays:
  service: {host: smtp.relay.test, port: 587, login: {username: user, password_env: RELAY_PASSWORD}}
senders: {a.test: service}
"""
#: Run by a launcher of its own: where modules come from, and a constant of one. A function that is imported late works.
PROBE = """
import sys
from pathlib import Path

def run(writer):
    from dms_relay import apply, cli
    from dms_relay.apply import LOCK_TIMEOUT
    import structlog.dev
    for name in ("dms_relay", "dms_relay.cli", "dms_relay.apply", "structlog.dev", "re"):
        print(name, type(sys.modules[name].__loader__).__name__)
    print(LOCK_TIMEOUT)
    assert Path("/a b").as_uri() == "file:///a%20b"
    assert "urllib.parse" in sys.modules
    if writer:
        writer.close()
"""
#: Run by another one: what a first boot has imported in its own process.
IMPORTS = """
import os, sys

def run(writer):
    from dms_relay.cli import main
    main(sys.argv[1:], os.environ, writer=writer)
    print(*sys.modules)
"""
#: Run by a third one: any code.
CODE = """
import sys

def run(writer):
    exec(sys.argv[1], {})
"""


class Installation:
    """The package as it is installed, with its launcher and its bundle."""

    def __init__(self, runtime: Runtime) -> None:
        """Find what is there, and add launchers."""
        self.runtime = runtime
        [self.bundle] = runtime.directory.rglob("boot.*.bundle")
        self.package = self.bundle.parents[1]
        (self.package.parent / "probe.py").write_text(PROBE)
        (self.package.parent / "imports.py").write_text(IMPORTS)
        (self.package.parent / "any_code.py").write_text(CODE)
        names = ("probe", "imports", "any_code")
        self.build("dms-relay=dms_relay.cli:run", *(f"{name}={name}:run" for name in names))

    def build(self, *launchers: str) -> list[str]:
        """Write the bundle and return the files that were written."""
        command = [str(self.runtime.python), "-I", "-m", "dms_relay.bundle", *launchers]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def probe(self) -> dict[str, str]:
        """Return by module what loads it, and the constant."""
        done = subprocess.run([self.runtime.command.with_name("probe")], capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        return dict(line.split() for line in lines[:-1]) | {"constant": lines[-1]}

    def code(self, code: str, *arguments: str) -> str:
        """Run code, with ``sys.argv[2:]``, in a process that a launcher has started, and return what it says."""
        command = [str(self.runtime.command.with_name("any_code")), code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def run(self, sandbox: Sandbox, *command: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        words = [str(self.runtime.command), *sandbox.arguments(*command)]
        environ = ENV | {"PATH": os.environ["PATH"]}
        return subprocess.run(words, env=environ, capture_output=True, text=True, check=False)


def write_relay_yaml(sandbox: Sandbox, text: str = RELAY_YAML) -> None:
    """Write it, if there is a text, and the services of Postfix, which transports need."""
    if text:
        sandbox.write("relay.yaml", text)
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n")
