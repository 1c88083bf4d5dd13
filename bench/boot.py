"""What a boot costs: ``apply`` against the floor, a bare interpreter and one ``postconf -e``."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from demo.page import LOGINS, RELAYMAP

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.runtime import Runtime

#: Runs of each kind, one after the other in turn, so that what else the machine does meets all kinds alike.
ROUNDS = 21
#: The same for those with very many domains.
ROUNDS_LARGE = 5
LARGE = 100_000
MAIN_CF = "compatibility_level = 3.6\nmyhostname = mail.example.test\nrelayhost =\nsmtp_tls_security_level = may\n"
PEAK = Path(__file__).with_name("peak.py")


@dataclass
class Kind:
    """What is measured, and what came of it: seconds of each round, and the peak memory in MiB."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    prepare: Callable[[], object] = lambda: None
    rounds: int = ROUNDS
    seconds: list[float] = field(default_factory=list)
    peak: float = 0.0

    def run(self) -> None:
        """Run it once and take the time."""
        self.prepare()
        begin = time.perf_counter()
        done = subprocess.run(self.command, env=self.env, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        self.seconds.append(time.perf_counter() - begin)
        if done.returncode:
            raise RuntimeError(f"{self.name}: exit code {done.returncode}: {done.stderr.decode()}")

    def weigh(self, python: Path) -> None:
        """Run it once more and take the peak memory."""
        self.prepare()
        command = [str(python), "-I", "-S", str(PEAK), shutil.which(self.command[0]) or "", *self.command[1:]]
        done = subprocess.run(command, env=self.env, capture_output=True, check=True)
        self.peak = int(done.stdout) / 1024


class Machine:
    """Inputs and Postfix's configuration: the page's example, with some managed domains, before the first boot."""

    def __init__(self, root: Path, domains: int) -> None:
        """Write the inputs, in a new directory."""
        directory = Path(mkdtemp(dir=root))
        self.config, self.postfix = directory / "config", directory / "postfix"
        self.config.mkdir()
        (self.config / "postfix-relaymap.cf").write_text(RELAYMAP)
        (self.config / "postfix-sasl-password.cf").write_text(LOGINS)
        accounts = "".join(f"someone@domain{number}.com|{{SHA512-CRYPT}}x\n" for number in range(1, domains + 1))
        (self.config / "postfix-accounts.cf").write_text(accounts)

    def first_boot(self, age: int = 3600) -> None:
        """Have Postfix's configuration as it is before the first boot, ``age`` seconds old."""
        shutil.rmtree(self.postfix, ignore_errors=True)
        self.postfix.mkdir()
        (self.postfix / "main.cf").write_text(MAIN_CF)
        then = time.time() - age
        os.utime(self.postfix / "main.cf", (then, then))


class Boot:
    """All kinds of runs, each on a machine of its own."""

    def __init__(self, runtime: Runtime, root: Path) -> None:
        """Prepare them."""
        self.runtime = runtime
        self.root = root
        bare = Machine(root, 0)
        bare.first_boot()
        postconf = ["postconf", "-c", str(bare.postfix), "-e", "relayhost = [relay.example.test]:587"]
        self.floor = [Kind("python -c pass", [str(runtime.python), "-c", "pass"]), Kind("postconf -e", postconf)]
        self.example = self._first_boot("apply, the page's example", 3)
        self.kinds = [
            self.example,
            self._first_boot("  10 managed domains", 10),
            self._first_boot("  1,000 managed domains", 1000),
            self._first_boot("  100,000 managed domains", LARGE, ROUNDS_LARGE),
            self._hot("  main.cf written a moment ago"),
            *self._again(),
        ]

    def _first_boot(self, name: str, domains: int, rounds: int = ROUNDS) -> Kind:
        machine = Machine(self.root, domains)
        return Kind(name, self._apply(machine), settings(), machine.first_boot, rounds)

    def _hot(self, name: str) -> Kind:
        machine = Machine(self.root, 3)
        return Kind(name, self._apply(machine), settings(), lambda: machine.first_boot(0))

    def _again(self) -> list[Kind]:
        nothing, change = Machine(self.root, 3), Machine(self.root, 3)
        for machine in (nothing, change):
            machine.first_boot()
            subprocess.run(self._apply(machine), env=settings(), capture_output=True, check=True)
        kind = Kind("  again, one change", self._apply(change))
        passwords = ["other", "password"]

        def alternate() -> None:
            kind.env = settings() | {"RELAY_PASSWORD": passwords[0]}
            passwords.reverse()

        kind.prepare = alternate
        return [Kind("  again, nothing to do", self._apply(nothing), settings()), kind]

    def _apply(self, machine: Machine) -> list[str]:
        return [
            str(self.runtime.command),
            "--config-dir",
            str(machine.config),
            "--postfix-dir",
            str(machine.postfix),
            "apply",
        ]

    def measure(self) -> None:
        """Run them all, and once more for the memory."""
        order = [*self.floor, *self.kinds]
        for number in range(ROUNDS):
            # Another order each time: what a run leaves behind, such as a full cache, meets all that may come after it.
            Random(number).shuffle(order)  # noqa: S311 -- no secret
            for kind in order:
                if number < kind.rounds:
                    kind.run()
        for kind in self.kinds:
            kind.weigh(self.runtime.python)

    def floor_seconds(self) -> float:
        """Return the floor: the median of each of its two halves."""
        return sum(median(kind.seconds) for kind in self.floor)


def settings() -> dict[str, str]:
    """Return the environment of a run: the page's relay, with a login."""
    relay = {
        "RELAY_HOST": "smtp.relay-service.com",
        "RELAY_PORT": "587",
        "RELAY_USER": "user",
        "RELAY_PASSWORD": "password",
    }
    return {"PATH": os.environ["PATH"], **relay}
