"""Postfix's programs: missing, failing, hanging; what they are told and what they are not."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox import BASE_MAIN_CF
from tests.support.scene import Env, Scene, Transition, programs_with, running_master, wait_until

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

POSTCONF = shutil.which("postconf")
POSTMAP = shutil.which("postmap")
ON: Env = {"DEFAULT_RELAY_HOST": "[d.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret-1"}
#: The same with an index, for which a program of Postfix's is needed.
INDEXED: Env = ON | {"RELAY_TABLES": "cdb"}
STATIC = f"{BASE_MAIN_CF}smtp_sasl_password_maps = static:user:s3cret-own\n"


def use(monkeypatch: pytest.MonkeyPatch, programs: Path) -> None:
    """Have these programs found first."""
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def test_no_program_is_needed(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Postfix runs, and with tables that are texts, no program of Postfix's is called: main.cf is written here."""
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox.apply(**ON)
    sandbox.apply(RELAY_HOST="r.test")
    sandbox.apply()


@pytest.mark.parametrize("program", ["postconf", "postmap"])
def test_a_program_is_missing(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Without a program in PATH nothing is begun; the message says what to install and where it is looked for."""
    before = sandbox.snapshot()
    directory = tmp_path / "programs"
    directory.mkdir()
    if program != "postconf":
        (directory / "postconf").symlink_to(POSTCONF or "")
    monkeypatch.setenv("PATH", str(directory))
    result = sandbox.run("apply", env=INDEXED)
    text = f"{program} is not found -- install Postfix, or add its directory, often /usr/sbin, to PATH"
    assert result.code == os.EX_UNAVAILABLE
    assert text in result.err
    assert sandbox.snapshot() == before


FAILING = {
    "before": "exit 1",
    "after": f'{POSTMAP} "$@"; exit 1',
    "at its second call": f'[ -e "$0.called" ] && exit 1; touch "$0.called"; exec {POSTMAP} "$@"',
    "killed": "kill -9 $$",
}


@pytest.mark.parametrize("when", FAILING)
def test_postmap_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Where ``postmap`` fails, whether it has done its work or not, the run ends with 69 and the next one does the rest."""
    new: Env = INDEXED | {"RELAY_HOST": "r.test"}
    scene = Scene(tmp_path, Transition(ON, new))
    scene.sandbox.write("vhost", "a.test\n")
    wanted, bare = scene.first_boot(new), scene.first_boot({})
    use(monkeypatch, programs_with(tmp_path, postmap=FAILING[when]))
    result = scene.sandbox.run("apply", env=new)
    code = -9 if when == "killed" else 1
    assert result.code == os.EX_UNAVAILABLE
    assert f" failed with exit code {code}: without a message" in result.err
    monkeypatch.undo()
    scene.apply(new)
    assert scene.outcome() == wanted
    scene.apply({})
    assert scene.outcome() == bare


def test_postmap_hangs(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``postmap`` that does not end is ended after ``PROGRAM_TIMEOUT``, and the run too; the next one does the rest."""
    use(monkeypatch, programs_with(tmp_path, postmap="exec sleep 60"))
    monkeypatch.setattr("dms_relay.postfix.programs.PROGRAM_TIMEOUT", 0.3)
    result = sandbox.run("apply", env=INDEXED)
    assert result.code == os.EX_UNAVAILABLE
    assert "cannot be run: it did not end within 0.3 s -- run it by hand" in result.err
    monkeypatch.undo()
    sandbox.apply(**ON)
    assert sandbox.postconf_n()["relayhost"] == "[d.test]:587"


def test_reason_without_values(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failing program says is shown, but for its warnings and quoted texts: these show settings, logins and all."""
    said = (
        "postmap: warning: main.cf, line 3: overriding earlier entry: smtp_sasl_password_maps=static:user:s3cret-own\n"
        'postmap: fatal: bad value: "static:user:s3cret-own"\n'
    )
    (tmp_path / "said").write_text(said)
    use(monkeypatch, programs_with(tmp_path, postmap=f"cat {tmp_path}/said >&2; exit 3"))
    result = sandbox.run("apply", env=INDEXED)
    assert 'failed with exit code 3: postmap: fatal: bad value: "…"\n' in result.err
    assert "s3cret" not in result.err


RELOADS = 'echo "$*" >> "$0.log"'


def test_reload_that_fails_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload that failed is due: the next run reloads although nothing else is left to do, the one after it does not."""
    scene = Scene(tmp_path, Transition({}, ON, f"{BASE_MAIN_CF}queue_directory = {tmp_path}\n"))
    programs = programs_with(tmp_path, postfix=f"{RELOADS}; exit 1")
    use(monkeypatch, programs)
    monkeypatch.setattr("dms_relay.postfix.programs._RELOAD_GRACE", 0)
    with running_master(tmp_path, scene.sandbox.postfix_dir):
        failed = scene.sandbox.run("apply", env=ON)
        assert failed.code == os.EX_UNAVAILABLE
        assert "postfix reload failed with exit code 1: without a message" in failed.err
        (programs / "postfix").write_text(f"#!/bin/sh\n{RELOADS}\n")
        scene.apply(ON)
        scene.save("done")
        reloads = (programs / "postfix.log").read_text().splitlines()
        assert reloads[-1] == f"-c {scene.sandbox.postfix_dir} reload"
        assert scene.sandbox.run("apply", env=ON).out == "nothing to do\n"
        assert (programs / "postfix.log").read_text().splitlines() == reloads


def test_master_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A master that has ended is not reloaded, though nobody has looked at its exit code: it keeps its number and name."""
    scene = Scene(tmp_path, Transition({}, ON, f"{BASE_MAIN_CF}queue_directory = {tmp_path}\n"))
    use(monkeypatch, programs_with(tmp_path, postfix="exit 1"))
    with running_master(tmp_path, scene.sandbox.postfix_dir) as process:
        process.kill()
        wait_until(lambda: ") Z " in Path(f"/proc/{process.pid}/stat").read_text())
        scene.apply(ON)


@pytest.mark.parametrize("is_first", [True, False])
def test_no_reload_keeps_a_reload_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_first: bool) -> None:
    """``--no-reload`` leaves Postfix alone; a reload that was due before stays due, whether there is more to do or not."""
    scene = Scene(tmp_path, Transition({}, ON, f"{BASE_MAIN_CF}queue_directory = {tmp_path}\n"))
    programs = programs_with(tmp_path, postfix=f"{RELOADS}; exit 1")
    use(monkeypatch, programs)
    monkeypatch.setattr("dms_relay.postfix.programs._RELOAD_GRACE", 0)
    with running_master(tmp_path, scene.sandbox.postfix_dir):
        assert scene.sandbox.run("apply", env=ON).code == os.EX_UNAVAILABLE
        (programs / "postfix").write_text(f"#!/bin/sh\n{RELOADS}\n")
        (programs / "postfix.log").unlink()
        env = ON | {"RELAY_PASSWORD": "s3cret-2"} if is_first else ON
        assert scene.sandbox.run("apply", "--no-reload", env=env).code == 0
        assert not (programs / "postfix.log").exists()
        scene.apply(env)
        assert (programs / "postfix.log").exists()


# What programs are told: a program's arguments can be read by every process on the machine.

USER_FILE = "smtp_sasl_password_maps = inline:{ [d.test]:587=user:s3cret-user }\n"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which arguments and environment of each program of Postfix's end up."""
    log = tmp_path / "told"
    scripts = {
        name: f'{{ echo "$0 $*"; env; }} >> {log}; exec {path} "$@"'
        for name, path in (("postconf", POSTCONF), ("postmap", POSTMAP))
    }
    use(monkeypatch, programs_with(tmp_path, postfix="exit 0", **scripts))
    return log


@pytest.mark.parametrize("base", [STATIC, STATIC.removesuffix("\n"), f"{BASE_MAIN_CF}{STATIC}"])
def test_no_program_is_told_a_login(sandbox: Sandbox, told: Path, monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    """No login stands in an argument or in the environment of a program.

    Wherever it comes from: the environment, a table, main.cf before us, ``postfix-main.cf``, or what is put back.
    """
    for name, value in INDEXED.items():
        monkeypatch.setenv(name, value)
    sandbox.write_main_cf(base)
    before = sandbox.postconf_n()
    told.unlink()
    sandbox.apply(**INDEXED)
    assert "/postmap " in told.read_text()
    sandbox.write("postfix-sasl-password.cf", "[d.test]:587 user:s3cret-2\n")
    sandbox.apply(**INDEXED)
    sandbox.write("postfix-main.cf", USER_FILE)
    sandbox.apply(**INDEXED)
    assert "smtp_sasl_password_maps = inline:{ [d.test]:587=user:s3cret-user }\n" in sandbox.main_cf.read_text()
    for name in ("postfix-sasl-password.cf", "postfix-main.cf"):
        (sandbox.config_dir / name).unlink()
    sandbox.apply()
    assert "s3cret" not in told.read_text()
    assert "RELAY_" not in told.read_text()
    assert sandbox.postconf_n() == before


def test_a_main_cf_that_was_just_written(sandbox: Sandbox) -> None:
    """It is neither waited for nor left so: Postfix's programs wait up to 2 s for one that was written a moment ago."""
    for env in (ON, {"RELAY_HOST": "r.test"}, {}):
        sandbox.main_cf.touch()
        sandbox.apply(**env)
        assert time.time() - sandbox.main_cf.stat().st_mtime > 2
