"""A keeper that runs for one test, and what it is waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dms_relay.watch.looks import look_again
from tests.support.machine import Machine, machine_of, prepare
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Seconds after which something that should happen counts as not happening; on an idle machine it takes a fraction of one.
PATIENCE = 30.0
#: Seconds between two looks of the keeper, and of a test at what it has done.
INTERVAL = "0.1"
_POLL = 0.02


def wait_until(is_true: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        time.sleep(_POLL)


def program(sandbox: Sandbox, *words: str) -> list[str]:
    """Return the command line of a program of its own."""
    return [sys.executable, "-m", "dms_relay", *sandbox.arguments(*words)]


class Keeping:
    """A keeper on the directories of a sandbox."""

    def __init__(self, root: Path, **env: str) -> None:
        """Make the directories; ``env`` are the settings that it is started with."""
        self.sandbox = Sandbox(root)
        prepare(self.sandbox)
        self.state = root / "state"
        self._log = (root / "log").open("w+")
        self.env = {"PATH": os.environ["PATH"], "DMS_RELAY_STATE_DIR": str(self.state), **env}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what runs."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with suppress(ProcessLookupError):
            for pid in (self.record().get("children") or {}).values():
                os.killpg(pid, signal.SIGKILL)
        self._log.close()

    def start(self, *options: str) -> Self:
        """Start it, and wait until it has applied."""
        before = self.record().get("pid")
        command = program(self.sandbox, "watch", "--interval", INTERVAL, *options)
        self.process = subprocess.Popen(command, env=self.env, stderr=self._log, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.record().get("pid", before) != before, "a record of its own")
        self.settle()
        return self

    def restart(self) -> Self:
        """Kill it, with nothing said before, and start another."""
        assert self.process
        self.process.kill()
        self.process.wait()
        return self.start()

    def log(self) -> str:
        """Return all log lines so far, without colours or times."""
        self._log.flush()
        return Path(self._log.name).read_text("utf-8")

    def record(self) -> dict[str, Any]:
        """Return what it says of itself."""
        try:
            found: dict[str, Any] = json.loads((self.state / "keeper.json").read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return found

    def health(self) -> list[str]:
        """Return the lines that the health check reads."""
        return (self.state / "health").read_text("utf-8").splitlines()

    def is_settled(self) -> bool:
        """Return True if it has read the inputs as they are now, and does nothing."""
        assert self.process
        assert self.process.poll() is None, self.log()
        record = self.record()
        before = record["apply"].get("looks", {})
        return bool(before) and look_again(before) == before and not record["children"]

    def settle(self) -> float:
        """Wait until what it has read is what stands there now, and return how many seconds that took."""
        began = time.monotonic()
        wait_until(self.is_settled, "the keeper has read the inputs")
        return time.monotonic() - began

    def status(self) -> tuple[int, dict[str, Any]]:
        """Return what ``dms-relay status --json`` says, and its exit code."""
        done = subprocess.run(
            program(self.sandbox, "status", "--json"), env=self.env, stdout=subprocess.PIPE, check=False
        )
        return done.returncode, json.loads(done.stdout)

    def machine(self) -> Machine:
        """Return what is in force."""
        return machine_of(self.sandbox)

    def first_boot(self) -> Machine:
        """Return what a first boot with the inputs of this moment would make."""
        with tempfile.TemporaryDirectory() as directory:
            fresh = Sandbox(Path(directory))
            prepare(fresh)
            vhost = self.sandbox.postfix_dir / "vhost"
            if vhost.exists():
                fresh.write("vhost", vhost.read_bytes())
            fresh.config_dir.rmdir()
            fresh.config_dir.symlink_to(self.sandbox.config_dir)
            fresh.apply(**settings(self.env), LOG_LEVEL="error")
            return machine_of(fresh)


def settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return those variables that are settings of relays."""
    return {name: value for name, value in env.items() if "RELAY" in name and not name.startswith("DMS_")}
