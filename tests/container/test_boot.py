"""``boot``: which steps are taken, in which order, how they end, and what is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay.sources
from dms_relay.container import boot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
HOOKS = "/docker-entrypoint.d"


@pytest.fixture
def environ(sandbox: Sandbox) -> dict[str, str]:
    """Return settings of a start on a Postfix of our own, whose services do not run in the chroot."""
    (sandbox.postfix_dir / "master.cf").write_text("smtp inet n - n - - smtpd\n")
    relay = {"DEFAULT_RELAY_HOST": "[relay.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "secret"}
    return {"MAIL_CONFIG": str(sandbox.postfix_dir), **relay}


def test_both_steps(environ: dict[str, str], sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Hooks are taken in the order in which they are named, each as the step that its name says after the number."""
    assert boot.main(["--start", f"{HOOKS}/10-postfix", f"{HOOKS}/20-relay"], environ) == os.EX_OK
    said = capsys.readouterr()
    assert said.err.index("Postfix is set up") < said.err.index("table written")
    assert said.out.startswith("applied: ")
    found = sandbox.postconf_n()
    assert (found["mydestination"], found["relayhost"]) == ("", "[relay.test]:587")


def test_without_a_name_it_is_postfix(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A hook that was copied from an earlier image runs it without arguments, and means the set-up of Postfix."""
    assert boot.main([], environ) == os.EX_OK
    said = capsys.readouterr()
    assert "Postfix is set up" in said.err
    assert said.out == ""


@pytest.mark.parametrize("hooks", [["10-postfix", "20-relay"], ["20-relay"]])
def test_a_failing_step_is_the_last(
    environ: dict[str, str], sandbox: Sandbox, capsys: pytest.CaptureFixture[str], hooks: list[str]
) -> None:
    """The first step that fails names its hook in the last line, its exit code is ours, and no later step is taken."""
    wrong = environ | {"RELAY_PORT": "x", "RELAY_HOST": "relay.test"}
    names = [f"{HOOKS}/{name}" for name in hooks]
    assert boot.main(["--start", *names, f"{HOOKS}/30-relay"], wrong) == os.EX_CONFIG
    lines = capsys.readouterr().err.splitlines()
    assert "env RELAY_PORT: " in lines[-2]
    assert lines[-1] == (
        f"docker-entrypoint: error: the hook {HOOKS}/20-relay failed with exit code 78, so Postfix is not started"
    )
    assert not (sandbox.postfix_dir / "relayhost_map").exists()


def test_by_hand_nothing_is_said_of_the_start(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A person who runs a hook starts no container, and is not told that Postfix is not started."""
    assert boot.main([f"{HOOKS}/10-postfix"], environ | {"PERMIT_DOCKER": "x"}) == os.EX_CONFIG
    assert "docker-entrypoint" not in capsys.readouterr().err


def test_an_unknown_step(environ: dict[str, str], sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of ours under a name that says no step is an error that names it, and no step at all is taken."""
    before = sandbox.snapshot()
    assert boot.main(["--start", "10-postfix", f"{HOOKS}/20-mine"], environ) == 2
    assert f"boot: {HOOKS}/20-mine: there is no such step -- " in capsys.readouterr().err
    assert sandbox.snapshot() == before


def test_a_bug_of_ours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error that nobody thought of ends the start in exit code 70, with the place, and the hook is named."""

    def broken(_: Mapping[str, str], __: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setitem(boot.STEPS, "relay", broken)
    assert boot.main(["--start", "20-relay"], {}) == os.EX_SOFTWARE
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "the hook 20-relay failed with exit code 70, so Postfix is not started" in said


def test_the_program(environ: dict[str, str]) -> None:
    """As a program it ends with the step's exit code, and loses nothing of what was said."""
    command = [sys.executable, "-m", "dms_relay.container", "--start", "10-postfix", "20-relay"]
    path = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environ | path, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout[:9]) == (0, "applied: "), done.stderr
    done = subprocess.run(command, env=environ | path, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "nothing to do\n")


def test_the_hooks_name_the_program() -> None:
    """Each hook in the image begins with what the entrypoint knows them by, and its name says a step."""
    said = (ROOT / "docker-entrypoint.sh").read_text()
    [program] = [line.partition("=")[2] for line in said.splitlines() if line.startswith("readonly BOOT=")]
    hooks = sorted((ROOT / "entrypoint.d").iterdir())
    assert [path.name for path in hooks] == ["10-postfix", "20-relay", "30-user-files"]
    for path in hooks:
        assert path.read_text().startswith(f"#!{program}\n")
        assert os.access(path, os.X_OK)
        assert path.name.partition("-")[2] in boot.STEPS
    assert Path("/docker-entrypoint.d", hooks[2].name) == dms_relay.sources.USER_FILES_HOOK
