"""A run with another configuration directory than the last one, or with none any more, takes nothing back unasked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level
from tests.support.rested import write_rested
from tests.support.sandbox import default_paths
from tests.support.scene import needs_root
from tests.support.trust import mounted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

RELAYMAP = "postfix-relaymap.cf"
ROUTE = "@a.test [r.test]:587\n"
MEANT = "; if you mean it, run dms-relay apply --from-scratch"


@pytest.fixture
def applied(sandbox: Sandbox) -> Sandbox:
    """Return a machine with a relay from the configuration directory."""
    sandbox.write(RELAYMAP, ROUTE)
    sandbox.apply()
    return sandbox


def assert_refused(sandbox: Sandbox, text: str, **env: str) -> None:
    """Check that apply and plan refuse with these words, and change nothing, and that check says the same."""
    before = sandbox.snapshot()
    for command in ("apply", "plan"):
        result = sandbox.run(command, env=env)
        assert (result.code, sandbox.snapshot()) == (os.EX_CONFIG, before)
        assert text in "\n".join(of_level(result, "error"))
    assert "other-directory" in sandbox.run("check", env=env).out


def assert_taken_back(sandbox: Sandbox) -> None:
    """Check that it is done once it is said that it is meant: nothing is left, and the next run needs no option."""
    plan = sandbox.run("plan", "--from-scratch")
    assert (plan.code, "relayhost_map" in plan.out) == (0, True)
    assert sandbox.run("apply", "--from-scratch").code == 0
    assert sandbox.table("relayhost_map") is None
    assert sandbox.run("apply").code == 0


def test_another_directory(applied: Sandbox, tmp_path: Path) -> None:
    """Whatever is in it; the remedy names the one of the last run, and works."""
    last, other = applied.config_dir, tmp_path / "other"
    other.mkdir()
    (other / RELAYMAP).write_text("@b.test [r.test]:587\n")
    applied.config_dir = other
    remedy = f"name it with --config-dir {last}{MEANT}"
    assert_refused(
        applied, f"{other}: the last run read {last}, and everything that came from there would be undone -- {remedy}"
    )
    assert_refused(applied, str(last), DEFAULT_RELAY_HOST="[r.test]:587")
    applied.config_dir = last
    applied.apply()
    applied.config_dir = other
    assert applied.run("apply", "--from-scratch").code == 0
    assert applied.table("relayhost_map") == {"@b.test": "[r.test]:587"}
    applied.apply()
    applied.config_dir = last
    assert_refused(applied, str(other))


def test_a_directory_that_is_gone(applied: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory that is read where none is named may be missing, but not where it had inputs."""
    default_paths(monkeypatch, applied.config_dir, applied.postfix_dir)
    monkeypatch.setattr(applied, "arguments", lambda *command: list(command))
    shutil.rmtree(applied.config_dir)
    assert_refused(
        applied, "the last run read inputs in this directory, but now it is missing; everything from there would"
    )
    assert_taken_back(applied)


def test_a_mount_that_failed(applied: Sandbox, tmp_path: Path) -> None:
    """An empty directory in the place of the one that had the inputs; with it mounted again, all is as it was."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with mounted(empty, applied.config_dir):
        assert_refused(applied, "now it is a different one, and empty")
    applied.apply()
    with mounted(empty, applied.config_dir):
        assert_taken_back(applied)


def test_a_directory_that_was_emptied(applied: Sandbox) -> None:
    """Who removes the last file from it means that: it is the same directory."""
    (applied.config_dir / RELAYMAP).unlink()
    applied.apply()
    assert applied.table("relayhost_map") is None


def test_a_directory_that_was_replaced_as_a_whole(applied: Sandbox) -> None:
    """So a checkout or a new volume puts new inputs there: what counts is that there are some."""
    shutil.rmtree(applied.config_dir)
    applied.config_dir.mkdir()
    applied.write(RELAYMAP, "@b.test [r.test]:587\n")
    applied.apply()
    assert applied.table("relayhost_map") == {"@b.test": "[r.test]:587"}


def test_another_name_of_the_same_directory(applied: Sandbox, tmp_path: Path) -> None:
    """A link to it, or another spelling, is no other directory."""
    link = tmp_path / "link"
    link.symlink_to(applied.config_dir)
    applied.config_dir = link
    applied.apply()


def test_relays_that_came_from_variables_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """No directory had a part in them, so none is missed: they go with the variables."""
    sandbox.apply(DEFAULT_RELAY_HOST="[r.test]:587")
    other = tmp_path / "other"
    other.mkdir()
    sandbox.config_dir = other
    sandbox.apply()
    assert "[r.test]" not in sandbox.main_cf.read_text()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_state_file_of_an_older_version(
    applied: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    is_there: bool,  # noqa: FBT001 -- a case
) -> None:
    """It does not say where the inputs came from: refused is what would take all back for want of a directory."""
    path = applied.postfix_dir / "dms-relay.state.json"
    document = json.loads(path.read_text())
    assert document.pop("config_dir")[0] == str(applied.config_dir)
    write_rested(path, json.dumps(document).encode())
    if is_there:
        applied.apply()
        assert json.loads(path.read_text())["config_dir"][0] == str(applied.config_dir)
        return
    default_paths(monkeypatch, applied.config_dir / "nowhere", applied.postfix_dir)
    monkeypatch.setattr(applied, "arguments", lambda *command: list(command))
    assert_refused(applied, "the directory does not exist, and the last run had relays, which would be removed")
    assert_taken_back(applied)


def test_the_variable_that_names_the_directory(applied: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as ``--config-dir``, which wins; a directory that is not there is an error that names it."""
    last = applied.config_dir
    named = {"DMS_RELAY_CONFIG_DIR": str(last)}
    monkeypatch.setattr(applied, "arguments", lambda *command: ["--postfix-dir", str(applied.postfix_dir), *command])
    result = applied.run("apply", env=named)
    assert (result.code, result.out) == (0, "nothing to do\n")
    missing = {"DMS_RELAY_CONFIG_DIR": f"{last}/nowhere"}
    result = applied.run("apply", env=missing)
    assert result.code == os.EX_NOINPUT
    assert f"env DMS_RELAY_CONFIG_DIR: {last}/nowhere is not a directory" in of_level(result, "error")[-1]
    monkeypatch.undo()
    assert applied.run("apply", env=missing).out == "nothing to do\n"


def test_a_directory_that_was_moved(applied: Sandbox, tmp_path: Path) -> None:
    """As docs/host.md has it: nothing changes but what is remembered, and that without a write to Postfix's own files."""
    applied.config_dir = applied.config_dir.rename(tmp_path / "moved")
    before = applied.snapshot()
    assert applied.run("plan", "--from-scratch").out == "nothing to do\n"
    assert applied.run("apply", "--from-scratch").out == "nothing to do\n"
    after = applied.snapshot()
    assert {name for name in after if after[name] != before[name]} == {"dms-relay.state.json"}
    applied.apply()


def test_the_root_of_another_file_system(sandbox: Sandbox) -> None:
    """An empty volume in place of the last one has the same number there, as the root of any file system of its kind."""
    if os.geteuid() != 0:
        needs_root("only root can mount")
    numbers = []
    for _ in range(2):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", sandbox.config_dir], check=True)
        try:
            numbers.append(sandbox.config_dir.stat().st_ino)
            if len(numbers) == 1:
                sandbox.write(RELAYMAP, ROUTE)
                sandbox.apply()
            else:
                assert_refused(sandbox, "now it is a different one, and empty")
        finally:
            subprocess.run(["umount", sandbox.config_dir], check=True)
    assert numbers[0] == numbers[1]
