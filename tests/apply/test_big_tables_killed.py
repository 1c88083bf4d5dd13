"""Killed anywhere while tables are indexed, or are no longer: the next run ends as a first boot would.

A run is killed at one operation that touches the machine, another at a later one, and so on (``tests/support/killer.py``),
in `make soak` at every one, with a Postfix that runs, so that every phase is gone through. After each kill no parameter
names a table that is not there, and runs with the same inputs, with others, and with none are tried.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from dms_relay.postfix.table_types import WORKSHOP
from tests.apply.test_big_tables import STATES, maps
from tests.apply.test_transports_killed import _check_modes, _restore, _run_killed
from tests.support.amounts import step
from tests.support.machine import machine_of, prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.scene import ROOT, programs_with, running_master, wait_until
from tests.support.states import State, apply, first_boot
from tests.support.table_types import make_old, require_indexes

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.amounts import Figures

#: From one operation at which a run is killed to the next, in `make test`; each run begins at another one.
STEP = 30
#: Fewer operations than any of these runs has would mean that they are not counted.
OPERATIONS_MIN = 30
TRANSITIONS = {
    "an index comes": (maps(3), maps(4, RELAY_TABLES="cdb")),
    "its login changes": (maps(RELAY_TABLES="cdb"), maps(word="other", RELAY_TABLES="cdb")),
    "another type": (maps(RELAY_TABLES="cdb"), maps(3, word="other", RELAY_TABLES="lmdb")),
    "an index goes": (maps(RELAY_TABLES="lmdb"), maps(1)),
    "to transports": (maps(RELAY_TABLES="cdb"), STATES["transports by cdb"]),
    "to maps": (STATES["transports by lmdb"], maps(RELAY_TABLES="cdb")),
}
_TABLE = re.compile(r"\b(texthash|cdb|lmdb):(/[\w./-]+)")


def check_tables_are_there(sandbox: Sandbox) -> None:
    """Check that each table that main.cf or master.cf names can be opened by Postfix."""
    make_old(sandbox.main_cf)
    text = sandbox.main_cf.read_text() + (sandbox.postfix_dir / "master.cf").read_text()
    for kind, path in set(_TABLE.findall(text)):
        command = ["postmap", "-c", str(sandbox.postfix_dir), "-q", "nobody", f"{kind}:{path}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.one_in(2)
@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("name", TRANSITIONS)
def test_killed_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: Random, figures: Figures, name: str
) -> None:
    """Whatever the kill leaves, each table that is named can be opened, and the next run does all that is left."""
    require_indexes()
    old, new = TRANSITIONS[name]
    monkeypatch.setenv("PATH", f"{programs_with(tmp_path, postfix='exit 0')}:{os.environ['PATH']}")
    monkeypatch.setattr("dms_relay.postfix.programs._RELOAD_GRACE", 0)
    base = f"{BASE_MAIN_CF}queue_directory = {tmp_path}\n"
    expected = [(state, first_boot(state, base)) for state in (new, old, State())]
    sandbox, start, killed = Sandbox(tmp_path / "box"), tmp_path / "start", tmp_path / "killed"
    prepare(sandbox, base)
    with running_master(tmp_path, sandbox.postfix_dir):
        apply(sandbox, old)
        shutil.copytree(sandbox.postfix_dir, start)
        distance, kills = step(STEP), 0
        number = drawn.randrange(distance) + 1 - distance
        while True:
            number += distance
            _restore(sandbox, start)
            if _run_killed(sandbox, number, new) != -signal.SIGKILL:
                break
            kills += 1
            _check_modes(sandbox)
            check_tables_are_there(sandbox)
            shutil.rmtree(killed, ignore_errors=True)
            shutil.copytree(sandbox.postfix_dir, killed)
            for state, machine in expected:
                _restore(sandbox, killed)
                apply(sandbox, state)
                assert machine_of(sandbox) == machine
    figures(kills, "kills while tables are indexed, or no longer: the next runs do all of the work")
    assert number > OPERATIONS_MIN
    assert machine_of(sandbox) == expected[0][1]


def test_orphaned_postmap_is_waited_for(tmp_path: Path) -> None:
    """Where a run is killed while postmap works, the next one waits for it, and is not taken its directory away."""
    require_indexes()
    sandbox, begun = Sandbox(tmp_path / "box"), tmp_path / "begun"
    prepare(sandbox, BASE_MAIN_CF)
    new = maps(4, RELAY_TABLES="cdb")
    for name, text in new.files.items():
        sandbox.write(name, text)
    script = f'touch {begun}\nsleep 0.7\nexec {shutil.which("postmap")} "$@"'
    environ = {"PATH": f"{programs_with(tmp_path, postmap=script)}:{os.environ['PATH']}", **new.env}
    command = [sys.executable, "-m", "dms_relay", *sandbox.arguments("--log-level", "error", "apply")]
    with subprocess.Popen(command, cwd=ROOT, env=environ) as run:
        wait_until(begun.exists)
        run.kill()
    assert (sandbox.postfix_dir / WORKSHOP).is_dir()
    apply(sandbox, new)
    expected = first_boot(new, BASE_MAIN_CF)
    assert machine_of(sandbox) == expected
    time.sleep(1)
    assert machine_of(sandbox) == expected
