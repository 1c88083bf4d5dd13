"""Killed between any two operations that touch the machine: nothing is half done for good, and nothing is lost.

A run is killed at one of its operations (``tests/support/killer.py``): in a soak at each of them, otherwise at each 15th,
beginning with one that is drawn. After each kill, runs with the same inputs, with others, and with none must end as a first
boot with these would.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

import pytest

from dms_relay.model import PARAMETERS
from tests.support.amounts import Figures, step
from tests.support.sandbox import BASE_MAIN_CF
from tests.support.scene import (
    ROOT,
    Env,
    Scene,
    Transition,
    may_stand,
    programs_with,
    read_by_postfix,
    running_master,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

LOGINS = (b"s3cret-1", b"s3cret-2", b"s3cret-3", b"s3cret-own")
#: Operations from one that is tried to the next.
STEP = step(15)
#: Fewer operations than any run of these has would mean that they are not counted.
OPERATIONS_MIN = 15

DEFAULT: Env = {"DEFAULT_RELAY_HOST": "[d.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret-1"}
OTHER: Env = {"RELAY_HOST": "r.test", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret-2"}
THIRD: Env = {"DEFAULT_RELAY_HOST": "[e.test]:25", "RELAY_HOST": "r.test"}
OFF: Env = {}
STATIC = (
    "smtp_sasl_password_maps = static:user:s3cret-own\nrelayhost = [before.test]:25\nsmtp_tls_security_level = dane\n"
)
OWN_TABLES = {"sasl_passwd": b"[x.test]:25 own:s3cret-own\n", "relayhost_map": b"@own.test [x.test]:25\n"}
TRANSITIONS = {
    "off to on": Transition(OFF, DEFAULT),
    "on to other": Transition(DEFAULT, OTHER, login_file=(False, True)),
    "on to off": Transition(OTHER, OFF, login_file=(True, True)),
    "off to on, ours set and tables there": Transition(OFF, OTHER, BASE_MAIN_CF + STATIC, OWN_TABLES),
    "on to off, all put back": Transition(DEFAULT, OFF, BASE_MAIN_CF + STATIC, OWN_TABLES, login_file=(True, False)),
    "on to other, with logins in main.cf": Transition(DEFAULT, THIRD, BASE_MAIN_CF + STATIC, user_file=(False, True)),
}


class Expected:
    """What may stand on the machine after a kill, and what must after the run that follows."""

    def __init__(self, scene: Scene) -> None:
        """Make the whole transition once, and a first boot of each inputs that follow."""
        self.scene = scene
        self.old_tables, self.old_parameters = scene.tables(), scene.parameters()
        scene.write_inputs(1)
        self.after = [(env, scene.first_boot(env)) for env in (scene.transition.new, THIRD | DEFAULT, OFF)]
        self.new_tables = self.after[0][1].tables
        scene.apply(scene.transition.new)
        self.new_parameters = scene.parameters()

    def check_old_or_new(self) -> None:
        """Check that each file is old or new, and that no login can be read by others."""
        for name, content in self.scene.tables().items():
            assert may_stand(name, content, self.old_tables[name], self.new_tables[name])
        found = self.scene.parameters()
        for name in {*found, *self.old_parameters, *self.new_parameters}:
            values = self.old_parameters.get(name), self.new_parameters.get(name)
            assert found.get(name) in values if name in PARAMETERS else found.get(name) == values[0]
        # Who may read a login in main.cf or in a table that was there before us, may read it there again.
        paths = [path for path in self.scene.sandbox.postfix_dir.iterdir() if "main.cf" not in path.name]
        for path in paths:
            content = path.read_bytes()
            was_there = any(table.startswith(content) for table in OWN_TABLES.values())
            if not was_there and any(login in content for login in LOGINS):
                assert path.stat().st_mode & 0o777 == 0o600
        if (state := self.scene.sandbox.postfix_dir / "dms-relay.state.json").exists():
            assert json.loads(state.read_bytes())["version"] == 1

    def check_next_runs(self) -> None:
        """Check that the next run, with whatever inputs, ends as a first boot, with nothing left to do."""
        self.scene.save("killed")
        for env, first_boot in self.after:
            self.scene.restore("killed")
            self.scene.apply(env)
            assert self.scene.outcome() == first_boot
            plan = self.scene.sandbox.run("--log-level", "error", "plan", "--exit-code", env=env)
            assert (plan.code, plan.out.partition(":")[0].strip()) == (0, "nothing to do")


@pytest.mark.soak
@pytest.mark.parametrize("name", TRANSITIONS)
def test_killed_anywhere(tmp_path: Path, drawn: Random, figures: Figures, name: str) -> None:
    """After a kill each file is old or new; the next run, with the same inputs, others or none, does all of its work."""
    scene = Scene(tmp_path, TRANSITIONS[name])
    expected = Expected(scene)
    for number in count(drawn.randint(1, STEP), STEP):
        scene.restore("start")
        if scene.run_killed(number) != -signal.SIGKILL:
            break
        expected.check_old_or_new()
        expected.check_next_runs()
        figures(1, "kills at one operation: the next runs do all of the work")
    assert number > OPERATIONS_MIN
    assert scene.outcome() == expected.after[0][1]


@pytest.mark.soak
@pytest.mark.parametrize("step", [1, 5])
def test_killed_twice(tmp_path: Path, step: int) -> None:
    """A run that completes what a killed one left may be killed as well, with other inputs: nothing is lost either."""
    scene = Scene(tmp_path, TRANSITIONS["off to on, ours set and tables there"])
    expected = Expected(scene)
    for number in range(3 * step, 40, STEP):
        scene.restore("start")
        scene.run_killed(number, DEFAULT)
        scene.run_killed(50 - number, THIRD)
        expected.check_next_runs()


def test_orphaned_postmap_is_waited_for(tmp_path: Path) -> None:
    """Where a run is killed while ``postmap`` works, the next run waits for it: it would write into what is there then."""
    scene = Scene(tmp_path, TRANSITIONS["off to on"])
    first_boot = scene.first_boot(OTHER)
    programs = programs_with(
        tmp_path, postmap=f'touch {tmp_path}/begun\nsleep 0.7\nexec {shutil.which("postmap")} "$@"'
    )
    environ = {"PATH": f"{programs}:{os.environ['PATH']}", "RELAY_TABLES": "cdb", **DEFAULT}
    run = subprocess.Popen(
        [sys.executable, "-m", "dms_relay", *scene.sandbox.arguments("apply")], cwd=ROOT, env=environ
    )
    wait_until((tmp_path / "begun").exists)
    run.kill()
    run.wait()
    scene.apply(OTHER)
    assert scene.outcome() == first_boot
    time.sleep(1)
    assert scene.outcome() == first_boot


RUNNING = {"on to other": (DEFAULT, OTHER), "on to off": (OTHER, OFF)}


@pytest.mark.soak
@pytest.mark.parametrize("name", RUNNING)
def test_running_postfix_learns_of_every_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: Random, figures: Figures, name: str
) -> None:
    """After a kill, the next run tells a running Postfix of all that has changed, be it with the previous inputs."""
    old, new = RUNNING[name]
    scene = Scene(tmp_path, Transition(old, new, f"{BASE_MAIN_CF}queue_directory = {tmp_path}\n"))
    # A reload reads all that stands there: the stand-in for it keeps a copy.
    loaded = tmp_path / "loaded"
    copy = f"rm -rf {loaded} && cp -a {scene.sandbox.postfix_dir} {loaded}"
    programs = programs_with(tmp_path, postfix=copy)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr("dms_relay.postfix.programs._RELOAD_GRACE", 0)
    with running_master(tmp_path, scene.sandbox.postfix_dir):
        for number in count(drawn.randint(1, STEP), STEP):
            scene.restore("start")
            subprocess.run(["sh", "-c", copy], check=True)
            if scene.run_killed(number) != -signal.SIGKILL:
                break
            scene.save("killed")
            shutil.copytree(loaded, tmp_path / f"loaded-{number}")
            for env in (new, old):
                scene.restore("killed")
                shutil.rmtree(loaded)
                shutil.copytree(tmp_path / f"loaded-{number}", loaded)
                scene.apply(env)
                assert read_by_postfix(loaded) == read_by_postfix(scene.sandbox.postfix_dir)
            figures(1, "kills at one operation beside a Postfix that runs: it learns of every change")
    assert number > 2 * OPERATIONS_MIN
