"""A sandbox whose machine is brought to a certain moment, saved and restored; for tests of kills and failures."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from dms_relay.model import SASL_PASSWD, TABLES
from dms_relay.postfix import main_cf
from dms_relay.postfix.processes import children, command
from testbed import PATIENCE
from tests.support.sandbox import BASE_MAIN_CF, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]

Env = dict[str, str]


@dataclass(frozen=True)
class Transition:
    """From inputs to others, on a machine with something there before us."""

    old: Env
    new: Env
    main_cf: str = BASE_MAIN_CF
    tables: dict[str, bytes] = field(default_factory=dict)
    #: Whether ``postfix-sasl-password.cf`` and ``postfix-main.cf`` are there, before and after.
    login_file: tuple[bool, bool] = (False, False)
    user_file: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class Outcome:
    """What is there in the end."""

    names: list[str]
    tables: dict[str, bytes | None]
    parameters: dict[str, str]


class Scene:
    """A box, and what it is to be at certain moments."""

    def __init__(self, root: Path, transition: Transition) -> None:
        """Bring the machine to where the transition begins."""
        self.transition = transition
        self.sandbox = Sandbox(root)
        self.sandbox.write("vhost", "one.test\n")
        self.sandbox.write_main_cf(transition.main_cf)
        for name, content in transition.tables.items():
            (self.sandbox.postfix_dir / name).write_bytes(content)
            (self.sandbox.postfix_dir / name).chmod(0o640)
        self.save("bare")
        self.write_inputs(0)
        self.apply(transition.old)
        self.save("start")

    def write_inputs(self, number: int) -> None:
        """Write the input files from before (0) or after (1) the transition."""
        contents = {
            "postfix-sasl-password.cf": "@one.test user:s3cret-3\n[r.test]:25 user:s3cret-1\n",
            "postfix-main.cf": "smtp_sasl_password_maps = static:user:s3cret-3\nsmtp_tls_security_level = secure\n",
        }
        is_there = [self.transition.login_file[number], self.transition.user_file[number]]
        for (name, content), there in zip(contents.items(), is_there, strict=True):
            if there:
                self.sandbox.write(name, content)
            else:
                (self.sandbox.config_dir / name).unlink(missing_ok=True)

    def apply(self, env: Env) -> None:
        """Run ``apply`` to its end."""
        result = self.sandbox.run("--log-level", "error", "apply", env=env)
        assert result.code == 0, result.err

    def save(self, name: str) -> None:
        """Keep Postfix's directory as it is now."""
        shutil.rmtree(self._kept(name), ignore_errors=True)
        shutil.copytree(self.sandbox.postfix_dir, self._kept(name), symlinks=True)

    def restore(self, name: str) -> None:
        """Have Postfix's directory as it was then."""
        shutil.rmtree(self.sandbox.postfix_dir)
        shutil.copytree(self._kept(name), self.sandbox.postfix_dir, symlinks=True)

    def _kept(self, name: str) -> Path:
        return self.sandbox.postfix_dir.with_name(f"kept-{name}")

    def first_boot(self, env: Env) -> Outcome:
        """Return what a first boot makes of the machine; the input files are as they are now."""
        self.restore("bare")
        self.apply(env)
        outcome = self.outcome()
        self.restore("start")
        return outcome

    def outcome(self) -> Outcome:
        """Return the files that there are, and what stands in those that Postfix reads."""
        then = time.time() - 60
        os.utime(self.sandbox.main_cf, (then, then))
        names = sorted(path.name for path in self.sandbox.postfix_dir.iterdir())
        return Outcome(names, self.tables(), self.sandbox.postconf_n())

    def tables(self) -> dict[str, bytes | None]:
        """Return the content of each table."""
        paths = {name: self.sandbox.postfix_dir / name for name in TABLES}
        return {name: path.read_bytes() if path.exists() else None for name, path in paths.items()}

    def parameters(self) -> dict[str, str]:
        """Return what main.cf sets, as it stands there."""
        return main_cf.values(self.sandbox.main_cf.read_text("utf-8"))

    def run_killed(self, number: int, env: Env | None = None) -> int:
        """Run ``apply`` until its ``number``-th operation; return the exit code, and leave no program of it at work."""
        arguments = self.sandbox.arguments("--log-level", "error", "apply")
        command = [sys.executable, "-m", "tests.support.killer", str(number), *arguments]
        return run_to_its_end(command, {"PATH": os.environ["PATH"], **(env or self.transition.new)})


def may_stand(name: str, content: bytes | None, old: bytes | None, new: bytes | None) -> bool:
    """Return True if a table is the old or the new one, to the octet, or what the phase between them needs.

    That is said of ``sasl_passwd`` alone, while old and new routes are in use: all of the new one, then each login by
    nexthop of the old one whose key the new one has not.
    """
    if content in (old, new):
        return True
    if name != SASL_PASSWD or old is None or new is None:
        return False
    keys = {line.partition(b"\t")[0] for line in new.splitlines()}
    pairs = ((line.partition(b"\t")[0], line) for line in old.splitlines(keepends=True))
    return content == new + b"".join(line for key, line in pairs if key not in keys and b"@" not in key)


def needs_root(reason: str) -> NoReturn:
    """Skip where something needs more rights than there are; fail instead with REQUIRE_ROOT_TESTS=1."""
    if os.environ.get("REQUIRE_ROOT_TESTS") == "1":
        pytest.fail(f"REQUIRE_ROOT_TESTS=1, but: {reason}", pytrace=False)
    pytest.skip(reason)


def programs_with(root: Path, **scripts: str) -> Path:
    """Make a directory with shell scripts in place of Postfix's programs."""
    directory = root / "programs"
    directory.mkdir()
    for name, script in scripts.items():
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return directory


def run_to_its_end(command: list[str], env: Env) -> int:
    """Run a program that may kill itself, and wait until nothing of it runs any more; give its exit code.

    What it has started outlives it, and may be about to begin. It is of the same process group, from fork(2) to its end.
    """
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.communicate()[1] == b""
    wait_until(lambda: process.pid not in set(_process_groups()))
    return process.returncode


def _process_groups() -> Iterator[int]:
    """Yield the process group of each process that has not ended (proc_pid_stat(5): state, parent, group)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group = stat.read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
            if state not in {"Z", "X"}:
                yield int(group)


def read_by_postfix(directory: Path) -> dict[str, bytes]:
    """Return the files of a configuration directory that Postfix reads: main.cf, and the tables that are named there."""
    text = (directory / "main.cf").read_text("utf-8")
    paths = [directory / name for name in ("main.cf", *(table for table in TABLES if f"/{table}" in text))]
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; fail where that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def running_master(queue_directory: Path, postfix_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a process that looks like the master daemon of a Postfix with that directory; it has no children."""
    program = shutil.copy("/bin/sleep", queue_directory / "master")
    with _named_master([str(program), "600"], queue_directory, postfix_dir) as process:
        yield process


@contextmanager
def running_manager(queue_directory: Path, postfix_dir: Path) -> Iterator[None]:
    """Have such a process with a child that looks like the queue manager."""
    program = shutil.copy("/bin/sh", queue_directory / "master")
    manager = shutil.copy("/bin/sleep", queue_directory / "qmgr")
    with _named_master([str(program), "-c", f"{manager} 600 & wait"], queue_directory, postfix_dir) as process:
        wait_until(lambda: [command(child) for child in children(process.pid)] == ["qmgr"])
        try:
            yield
        finally:
            os.kill(children(process.pid)[0], signal.SIGKILL)


@contextmanager
def _named_master(arguments: list[str], queue_directory: Path, postfix_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(arguments, env={"MAIL_CONFIG": str(postfix_dir)}) as process:
        # It has the name of the program that it was made from until the last moment of exec(2).
        wait_until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "master\n")
        (queue_directory / "pid").mkdir(exist_ok=True)
        (queue_directory / "pid/master.pid").write_text(f"{process.pid:>10}\n")
        try:
            yield process
        finally:
            process.kill()
