"""What a boot costs: ``python -m bench.boot``, as ratios of one run.

Compares ``apply`` with the floor, which is a bare interpreter and one ``postconf -e``; with an earlier revision of the
package (``BENCH_BEFORE``); and with docker-mailserver's relay.sh, if ``BENCH_RELAY_SH`` names a copy.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from bench import relay_sh
from bench.runtime import BEFORE, Runtime, before
from demo.page import LOGINS, RELAYMAP

if TYPE_CHECKING:
    from collections.abc import Callable

#: Runs of each kind. The kinds take turns, so that the machine's other load affects all of them alike.
ROUNDS = 21
#: The same for kinds with very many domains.
ROUNDS_LARGE = 5
LARGE = 100_000
MAIN_CF = "compatibility_level = 3.6\nmyhostname = mail.example.test\nrelayhost =\nsmtp_tls_security_level = may\n"
MASTER_CF = "smtp unix - - n - - smtp\n"
#: The page's example as relay.yaml; without the domain that opts out, which would need no relay.
RELAY_YAML = """\
version: 1
relays:
  mailgun: {host: smtp.mailgun.org, port: 587, login: {username: mailgun-user, password_env: SECRET}}
  sendgrid: {host: smtp.sendgrid.net, port: 2525, login: {username: sendgrid-user, password_env: SECRET}}
  service: {host: smtp.relay-service.com, port: 587, login: {username: user, password_env: SECRET}}
senders: {domain1.com: mailgun, domain2.com: sendgrid, domain3.com: service}
"""
PEAK = Path(__file__).with_name("peak.py")


@dataclass
class Kind:
    """A kind of run, and its results: seconds of each round, and the peak memory in MiB."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    prepare: Callable[[], object] = lambda: None
    rounds: int = ROUNDS
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: float = 0.0

    def run(self) -> None:
        """Run it once, and record elapsed time and CPU time."""
        self.prepare()
        used, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(self.command, env=self.env, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        self.seconds.append(time.perf_counter() - begin)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu.append(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)
        if done.returncode:
            raise RuntimeError(f"{self.name}: exit code {done.returncode}: {done.stderr.decode()}")

    def weigh(self, python: Path) -> None:
        """Run it once more, and record the peak memory."""
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
        self.postfix.mkdir()
        (self.config / "postfix-relaymap.cf").write_text(RELAYMAP)
        (self.config / "postfix-sasl-password.cf").write_text(LOGINS)
        accounts = "".join(f"someone@domain{number}.com|{{SHA512-CRYPT}}x\n" for number in range(1, domains + 1))
        (self.config / "postfix-accounts.cf").write_text(accounts)

    def first_boot(self, age: int = 3600) -> None:
        """Restore Postfix's configuration from before the first boot, ``age`` seconds old."""
        for path in self.postfix.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (self.postfix / "main.cf").write_text(MAIN_CF)
        (self.postfix / "master.cf").write_text(MASTER_CF)
        then = time.time() - age
        os.utime(self.postfix / "main.cf", (then, then))


class Boot:
    """All kinds of runs, each with its own machine."""

    def __init__(self, root: Path, runtime: Runtime, old: Runtime | None) -> None:
        """Prepare the kinds."""
        self.root = root
        self.runtime = runtime
        bare = Machine(root, 0)
        bare.first_boot()
        postconf = ["postconf", "-c", str(bare.postfix), "-e", "relayhost = [relay.example.test]:587"]
        self.floor = [Kind("python -c pass", [str(runtime.python), "-c", "pass"]), Kind("postconf -e", postconf)]
        self.example = self._first_boot("apply, the page's example", 3)
        self.relay_sh = self._relay_sh() if relay_sh.script() else None
        self.others = [*([self.relay_sh] if self.relay_sh else []), *(self._before(old) if old else [])]
        self.kinds = [
            self.example,
            self._first_boot("  LOG_LEVEL=warn", 3, LOG_LEVEL="warn"),
            self._first_boot("  RELAY_ROUTING=transports", 3, RELAY_ROUTING="transports"),
            self._with_relay_yaml("  relay.yaml"),
            *self._again(),
            self._hot("  main.cf written a moment ago"),
            self._first_boot("  10 managed domains", 10),
            self._first_boot("  1,000 managed domains", 1000),
            self._first_boot("  100,000 managed domains", LARGE, ROUNDS_LARGE),
        ]

    def _first_boot(self, name: str, domains: int, rounds: int = ROUNDS, **env: str) -> Kind:
        machine = Machine(self.root, domains)
        return Kind(name, self._apply(machine), settings() | env, machine.first_boot, rounds)

    def _before(self, old: Runtime) -> list[Kind]:
        first, again = Machine(self.root, 3), Machine(self.root, 3)
        again.first_boot()
        command = self._apply(again, old)
        subprocess.run(command, env=settings(), capture_output=True, check=True)
        name = f"before ({os.environ.get('BENCH_BEFORE', BEFORE)})"
        return [
            Kind(name, self._apply(first, old), settings(), first.first_boot),
            Kind("  again, nothing to do", command, settings()),
        ]

    def _relay_sh(self) -> Kind:
        machine = Machine(self.root, 3)
        command = relay_sh.command(self.root, relay_sh.script() or Path())
        relay_sh.mount(machine.config, machine.postfix, self.root)
        machine.postfix = relay_sh.POSTFIX
        return Kind("relay.sh", command, settings(), machine.first_boot)

    def _with_relay_yaml(self, name: str) -> Kind:
        machine = Machine(self.root, 3)
        for path in machine.config.glob("postfix-[rs]*"):
            path.unlink()
        (machine.config / "relay.yaml").write_text(RELAY_YAML)
        env = {"PATH": os.environ["PATH"], "SECRET": "password"}
        return Kind(name, self._apply(machine), env, machine.first_boot)

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

    def _apply(self, machine: Machine, runtime: Runtime | None = None) -> list[str]:
        directories = ["--config-dir", str(machine.config), "--postfix-dir", str(machine.postfix)]
        return [str((runtime or self.runtime).command), *directories, "apply"]

    def measure(self) -> None:
        """Run all kinds, and once more for the memory."""
        order = [*self.floor, *self.others, *self.kinds]
        for number in range(ROUNDS):
            # A new order each time: what a run leaves behind, such as a full cache, affects a different one each time.
            Random(number).shuffle(order)  # noqa: S311 -- no secret
            for kind in order:
                if number < kind.rounds:
                    kind.run()
        for kind in self.kinds:
            kind.weigh(self.runtime.python)

    def floor_seconds(self) -> float:
        """Return the floor in seconds: the sum of the medians of its two halves."""
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


def main(root: Path) -> int:
    """Measure and print."""
    if relay_sh.script():
        relay_sh.enter(root)
    sys.stderr.write("making virtual environments with what users have\n")
    boot = Boot(root, Runtime(root / "now"), before(root / "before"))
    boot.measure()
    floor, example = boot.floor_seconds(), median(boot.example.seconds)
    halves = ", ".join(f"{kind.name} {median(kind.seconds) * 1000:.1f} ms" for kind in boot.floor)
    print(f"floor: {floor * 1000:.1f} ms ({halves})\n")
    print(f"{'':32}{'ms':>8}{'CPU ms':>8}{'floors':>8}{'examples':>10}{'relay.sh':>10}{'CPU':>6}{'MiB':>6}")
    for kind in (*boot.others, *boot.kinds):
        seconds, cpu = median(kind.seconds), median(kind.cpu)
        row = f"{seconds * 1000:8.1f}{cpu * 1000:8.1f}{seconds / floor:8.2f}{seconds / example:10.2f}"
        if boot.relay_sh:
            row += f"{seconds / median(boot.relay_sh.seconds):10.2f}{cpu / median(boot.relay_sh.cpu):6.2f}"
        print(f"{kind.name:32}{row:50}{f'{kind.peak:6.0f}' if kind.peak else ''}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with TemporaryDirectory(prefix="dms-relay-bench-") as name:
        Path(name).chmod(0o755)
        sys.exit(subprocess.run([sys.executable, "-m", "bench.boot", name], check=False).returncode)
