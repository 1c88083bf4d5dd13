"""Killed anywhere while relays with a transport of their own change: the next run ends as a first boot would.

A run is killed at one of its operations that touch the machine (``tests/support/killer.py``): in a soak at each of them,
otherwise at one of 30, beginning with one that is drawn. After each kill, runs with the same inputs, with others, and with
none are tried.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.support.amounts import Figures, step
from tests.support.machine import machine_of, prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.scene import programs_with, run_to_its_end, running_master
from tests.support.states import MAPS, State, apply, first_boot

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

#: Operations from one that is tried to the next.
STEP = step(30)
#: Fewer operations than any of these runs has would mean that they are not counted.
OPERATIONS_MIN = 40
_TEXT = """\
version: 1
relays:
  a: {{host: {host}, tls: {{level: {level}}}, login: {{username: u, password: s3cret-{n}}}}}
  {other}: {{host: c.test}}
default: a
senders:
  one.test: {{relay: a, login: {{username: own, password: s3cret-{n}}}}}
  two.test: {other}
  out.test: direct
"""
ONE = State({}, {"relay.yaml": _TEXT.format(host="a.test", level="secure", other="b", n=1)})
TWO = State({}, {"relay.yaml": _TEXT.format(host="b.test", level="encrypt", other="c", n=2)})
TRANSITIONS = {
    "a relay changes its host": (ONE, TWO),
    "maps to transports": (MAPS, ONE),
    "transports to maps": (TWO, MAPS),
}


def _run_killed(sandbox: Sandbox, number: int, state: State) -> int:
    """Run ``apply`` until its ``number``-th operation, and give its exit code."""
    for name, text in state.files.items():
        (sandbox.config_dir / name).write_text(text)
    for path in sandbox.config_dir.iterdir():
        if path.name not in state.files:
            path.unlink()
    command = [
        sys.executable,
        "-m",
        "tests.support.killer",
        str(number),
        *sandbox.arguments("--log-level", "error", "apply"),
    ]
    return run_to_its_end(command, {"PATH": os.environ["PATH"], **state.env})


def _check_modes(sandbox: Sandbox) -> None:
    for path in sandbox.postfix_dir.rglob("*"):
        if path.is_file() and b"s3cret" in path.read_bytes():
            assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.soak
@pytest.mark.parametrize("name", TRANSITIONS)
def test_killed_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: Random, figures: Figures, name: str
) -> None:
    """With a Postfix that runs, so that every phase is gone through: the next run does all that is left."""
    old, new = TRANSITIONS[name]
    monkeypatch.setenv("PATH", f"{programs_with(tmp_path, postfix='exit 0')}:{os.environ['PATH']}")
    monkeypatch.setattr("dms_relay.postfix.programs._RELOAD_GRACE", 0)
    base = f"{BASE_MAIN_CF}queue_directory = {tmp_path}\ntransport_maps = hash:/before\n"
    expected = [(state, first_boot(state, base)) for state in (new, old, State())]
    sandbox, start, killed = Sandbox(tmp_path / "box"), tmp_path / "start", tmp_path / "killed"
    prepare(sandbox, base)
    with running_master(tmp_path, sandbox.postfix_dir):
        apply(sandbox, old)
        shutil.copytree(sandbox.postfix_dir, start)
        for number in count(drawn.randint(1, STEP), STEP):
            _restore(sandbox, start)
            if _run_killed(sandbox, number, new) != -signal.SIGKILL:
                break
            _check_modes(sandbox)
            shutil.rmtree(killed, ignore_errors=True)
            shutil.copytree(sandbox.postfix_dir, killed)
            for state, machine in expected:
                _restore(sandbox, killed)
                apply(sandbox, state)
                assert machine_of(sandbox) == machine
            figures(1, "kills at one operation while services change: the next runs do all of the work")
    assert number > OPERATIONS_MIN
    assert machine_of(sandbox) == expected[0][1]


def _restore(sandbox: Sandbox, kept: Path) -> None:
    shutil.rmtree(sandbox.postfix_dir)
    shutil.copytree(kept, sandbox.postfix_dir)
