"""A private pair of directories, inputs and Postfix configuration, and the command run on them."""

from __future__ import annotations

import io
import os
import subprocess
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.cli import main
from dms_relay.model import Paths
from tests.support.rested import write_rested

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

DATA = Path(__file__).parents[1] / "data"
BASE_MAIN_CF = (DATA / "base-main.cf").read_text("ascii")


@dataclass(frozen=True)
class Result:
    """What a run of the command gave."""

    code: int
    out: str
    err: str


class Sandbox:
    """Directories of one test. Never the machine's own /etc/postfix or /tmp/docker-mailserver."""

    def __init__(self, root: Path) -> None:
        """Make both directories, with a small main.cf."""
        self.config_dir = root / "config"
        self.postfix_dir = root / "postfix"
        self.config_dir.mkdir(parents=True)
        self.postfix_dir.mkdir(parents=True)
        self.write_main_cf(BASE_MAIN_CF)

    def write_main_cf(self, text: str) -> None:
        """Write main.cf, an hour old: Postfix's own programs wait for one that was just written."""
        self.main_cf.write_text(text, "utf-8")
        then = time.time() - 3600
        os.utime(self.main_cf, (then, then))

    @property
    def main_cf(self) -> Path:
        """The configuration file of this Postfix."""
        return self.postfix_dir / "main.cf"

    def write(self, name: str, content: str | bytes) -> Path:
        """Write an input; ``vhost`` goes to Postfix's directory, all others to the configuration directory."""
        path = (self.postfix_dir if name == "vhost" else self.config_dir) / name
        write_rested(path, content.encode() if isinstance(content, str) else content)
        return path

    def arguments(self, *command: str) -> list[str]:
        """Return the command line for these directories."""
        return ["--config-dir", str(self.config_dir), "--postfix-dir", str(self.postfix_dir), *command]

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> Result:
        """Run the command in this process, with ``env`` as its whole environment."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(self.arguments(*command), dict(env or {}))
        return Result(code, out.getvalue(), err.getvalue())

    def apply(self, **env: str) -> Result:
        """Run ``apply``, which must succeed."""
        result = self.run("apply", env=env)
        assert result.code == 0, result.err
        return result

    def snapshot(self) -> dict[str, tuple[bytes, int, int]]:
        """Return each file of Postfix's directory: content, mode and modification time in nanoseconds."""
        found = {}
        for path in sorted(self.postfix_dir.rglob("*")):
            if path.is_file():
                status = path.stat()
                found[path.name] = (path.read_bytes(), status.st_mode, status.st_mtime_ns)
        return found

    def table(self, name: str) -> dict[str, str] | None:
        """Return a table as Postfix's daemons read it; ``None`` is no table. A warning of Postfix's is a failure.

        A key that stands twice makes a daemon refuse the whole table; ``postmap -s`` warns of it.
        """
        path = self.postfix_dir / name
        if not path.exists():
            return None
        done = subprocess.run(
            ["postmap", "-c", str(self.postfix_dir), "-s", f"texthash:{path}"],
            capture_output=True,
            check=True,
        )
        assert done.stderr == b"", done.stderr
        lines = done.stdout.decode().removesuffix("\n").split("\n") if done.stdout else []
        return dict(line.split("\t", 1) for line in lines)

    def postconf_n(self) -> dict[str, str]:
        """Return the parameters that main.cf sets, as Postfix reads them."""
        done = subprocess.run(
            ["postconf", "-c", str(self.postfix_dir), "-n"],
            capture_output=True,
            check=True,
        )
        pairs = (line.partition(" =") for line in done.stdout.decode().splitlines())
        return {name: value.strip() for name, _, value in pairs}


def default_paths(monkeypatch: pytest.MonkeyPatch, config_dir: Path, postfix_dir: Path) -> None:
    """Have the command read and write these directories where none is named, so that it never touches the machine's own."""

    def paths(*named: Path) -> Paths:
        return Paths(*(named or (config_dir, postfix_dir)))

    for module in ("cli", "commands.editing"):
        monkeypatch.setattr(f"dms_relay.{module}.Paths", paths)
