"""Disks, locks and programs that fail: nothing is changed, or each file is old or new, and the next run does the rest."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from dms_relay.model import PARAMETERS
from tests.support.sandbox import BASE_MAIN_CF
from tests.support.scene import ROOT, Env, Scene, Transition, may_stand, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sandbox import Result, Sandbox

#: Octets that the disk of these tests has in all, and in one of its pages.
DISK = 256 * 1024
PAGE = os.sysconf("SC_PAGE_SIZE")

OLD: Env = {"DEFAULT_RELAY_HOST": "[d.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret-1"}
NEW: Env = {**OLD, "RELAY_HOST": "r.test", "RELAY_PASSWORD": "s3cret-2"}
OFF: Env = {}
TRANSITIONS = {
    "off to on": Transition(OFF, OLD),
    "on to other": Transition(OLD, NEW),
    "on to off": Transition(OLD, OFF, f"{BASE_MAIN_CF}smtp_sasl_password_maps = static:user:s3cret-own\n"),
}


@pytest.fixture(params=TRANSITIONS)
def transition(request: pytest.FixtureRequest) -> Transition:
    """Return each transition in turn."""
    return TRANSITIONS[request.param]


class Repair:
    """What a transition must end in, however often it fails."""

    def __init__(self, scene: Scene) -> None:
        """Note the state before, and that after, which is a first boot's."""
        self.scene = scene
        self.old, self.old_parameters = scene.outcome(), scene.parameters()
        self.new = scene.first_boot(scene.transition.new)
        scene.apply(scene.transition.new)
        self.new_parameters = scene.parameters()
        scene.restore("start")

    def check_old_or_new(self) -> None:
        """Check each table and each parameter, and that nothing lies about."""
        for name, content in self.scene.tables().items():
            assert may_stand(name, content, self.old.tables[name], self.new.tables[name])
        found = self.scene.parameters()
        for name in PARAMETERS:
            assert found.get(name) in (self.old_parameters.get(name), self.new_parameters.get(name))
        names = {*self.old.names, *self.new.names, "dms-relay.state.json"}
        assert {path.name for path in self.scene.sandbox.postfix_dir.iterdir()} <= names

    def check_next_run(self) -> None:
        """Check that the next run, when all is well again, does all of the work."""
        self.scene.apply(self.scene.transition.new)
        assert self.scene.outcome() == self.new


class Disk:
    """A small file system."""

    def __init__(self, path: Path) -> None:
        """Take where it is mounted."""
        self.path = path

    def fill(self, pages: int) -> None:
        """Leave room for that many pages."""
        with (self.path / "filler").open("wb") as filler:
            room = os.statvfs(self.path).f_bavail - pages
            filler.write(b"x" * (room * PAGE))

    def free(self) -> None:
        """Make room again."""
        (self.path / "filler").unlink()

    def remount(self, option: str) -> None:
        """Set ``ro`` or ``rw``."""
        subprocess.run(["mount", "-o", f"remount,{option}", self.path], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mount a small file system."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", path], capture_output=True, check=False
    )
    if done.returncode:
        needs_root(f"a file system cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", path], check=True)


def run(sandbox: Sandbox, env: Env) -> Result:
    """Run ``apply``, which may fail."""
    return sandbox.run("--log-level", "error", "apply", env=env)


def test_full_disk(disk: Disk, transition: Transition) -> None:
    """However little room is left, each file stays old or becomes new, and with room again the next run does the rest."""
    scene = Scene(disk.path, transition)
    repair = Repair(scene)
    codes = []
    for pages in range(8):
        scene.restore("start")
        disk.fill(pages)
        codes.append(run(scene.sandbox, transition.new).code)
        repair.check_old_or_new()
        disk.free()
        repair.check_next_run()
    assert set(codes) <= {os.EX_OK, os.EX_UNAVAILABLE, os.EX_CANTCREAT}
    assert codes[0] != os.EX_OK
    assert codes[-1] == os.EX_OK


def test_full_disk_message(disk: Disk) -> None:
    """Where nothing can be written at all, nothing is changed, and the message names the file, the reason and the remedy."""
    scene = Scene(disk.path, TRANSITIONS["off to on"])
    before = scene.sandbox.snapshot()
    disk.fill(0)
    result = run(scene.sandbox, OLD)
    state = scene.sandbox.postfix_dir / "dms-relay.state.json"
    remedy = "free space or repair the file system, then run again"
    assert result.code == os.EX_CANTCREAT
    assert f"{state} cannot be written, and is unchanged: No space left on device -- {remedy}" in result.err
    assert scene.sandbox.snapshot() == before


def test_read_only_file_system(disk: Disk, transition: Transition) -> None:
    """A read-only file system changes nothing; a run with nothing to do does not even notice."""
    scene = Scene(disk.path, transition)
    repair = Repair(scene)
    before = scene.sandbox.snapshot()
    disk.remount("ro")
    nothing, refused = run(scene.sandbox, transition.old), run(scene.sandbox, transition.new)
    disk.remount("rw")
    assert nothing.code == 0
    assert refused.code == os.EX_CANTCREAT
    remedy = "run as root, or mount it without :ro"
    assert f"{scene.sandbox.postfix_dir} is not writable, so nothing was changed -- {remedy}" in refused.err
    assert scene.sandbox.snapshot() == before
    repair.check_next_run()


@contextmanager
def failing_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the ``number``-th call that writes fail with an input/output error, and all that come after it."""
    left = number

    def failing(name: str) -> Any:  # noqa: ANN401 -- any of the functions below
        original = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 -- the same
            nonlocal left
            left -= 1
            if left <= 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return original(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("open", "fchmod", "fchown", "utime", "fsync", "rename", "unlink"):
            patch.setattr(os, name, failing(name))
        yield


def test_disk_that_fails_at_any_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transition: Transition
) -> None:
    """Whichever operation on the disk fails: exit code 66, 69 or 73, each file old or new, the next run repairs."""
    scene = Scene(tmp_path, transition)
    repair = Repair(scene)
    code, number = 73, 0
    while code:
        number += 1
        scene.restore("start")
        with failing_at(number, monkeypatch):
            code = run(scene.sandbox, transition.new).code
        assert code in {0, os.EX_NOINPUT, os.EX_UNAVAILABLE, os.EX_CANTCREAT}
        for leftover in scene.sandbox.postfix_dir.glob("*.tmp"):
            leftover.unlink()  # it could not be removed, as all that follows fails
        repair.check_old_or_new()
        repair.check_next_run()
    assert number > 10


# The lock.


def test_lock_held_by_another_run(sandbox: Sandbox) -> None:
    """While another run holds the lock, a run ends with 75 after --lock-timeout and changes nothing."""
    before = sandbox.snapshot()
    program = (
        "import fcntl, os, sys, time; d = os.open(sys.argv[1], 0); fcntl.flock(d, 2); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, sandbox.postfix_dir], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        result = sandbox.run("apply", "--lock-timeout", "0.2", env=OLD)
        holder.kill()
    text = f"another dms-relay holds the lock of {sandbox.postfix_dir} -- wait until it ends, then run again"
    assert result.code == os.EX_TEMPFAIL
    assert text in result.err
    assert sandbox.snapshot() == before
    sandbox.apply(**OLD)


def test_two_runs_at_once(sandbox: Sandbox) -> None:
    """Of two runs at once, both succeed, and the result is that of the last inputs: inputs are read under the lock."""
    command = [sys.executable, "-m", "dms_relay", *sandbox.arguments("--log-level", "error", "apply")]
    for number in range(5):
        runs = []
        for last in (False, True):
            sandbox.write("postfix-relaymap.cf", f"@{number}.test [{'last' if last else 'first'}.test]:587\n")
            runs.append(subprocess.Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE))
        assert [process.communicate() and process.returncode for process in runs] == [0, 0]
        assert sandbox.table("relayhost_map") == {f"@{number}.test": "[last.test]:587"}


# A directory that somebody made where a file of ours belongs.


@pytest.mark.parametrize("name", [".dms-relay.index/theirs", ".main.cf.dms-relay.tmp/theirs"])
def test_directory_in_the_way(sandbox: Sandbox, name: str) -> None:
    """`check` and `apply` name it; once it is moved away, as they say, the next run does all."""
    stranger = sandbox.postfix_dir / name
    stranger.mkdir(parents=True)
    result = sandbox.run("apply", env=OLD)
    assert f"move the directory {stranger} away, then run again" in result.err
    assert f"move the directory {stranger} away, then run dms-relay apply" in sandbox.run("check", env=OLD).out
    assert result.code == os.EX_CANTCREAT
    stranger.rename(sandbox.config_dir / "theirs")
    sandbox.apply(**OLD)
    assert "leftover-file" not in sandbox.run("check", env=OLD).out
