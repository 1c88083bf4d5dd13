"""Modes and owners: what is written is as closed as it has to be, whoever runs it and with whatever umask."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.machine import MASTER_CF
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.scene import ROOT, Env, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

ON: Env = {"DEFAULT_RELAY_HOST": "[d.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret-1"}
STATE = "dms-relay.state.json"
NOBODY = 65534


@pytest.mark.parametrize("umask", [0o777, 0o077, 0o000])
def test_umask(sandbox: Sandbox, umask: int) -> None:
    """Whatever the umask is, tables and memory are 0600 and main.cf keeps its mode."""
    old = os.umask(umask)
    try:
        sandbox.apply(**ON)
        sandbox.apply(RELAY_HOST="r.test", RELAY_USER="user", RELAY_PASSWORD="s3cret-2")
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in sandbox.postfix_dir.iterdir()}
    assert modes == {"main.cf": 0o644, "relayhost_map": 0o600, "sasl_passwd": 0o600, STATE: 0o600}
    sandbox.apply()
    assert {path.name: path.stat().st_mode & 0o7777 for path in sandbox.postfix_dir.iterdir()} == {"main.cf": 0o644}


@pytest.mark.parametrize("umask", [0o777, 0o000])
def test_umask_of_directories_and_indexes(sandbox: Sandbox, umask: int) -> None:
    """The same of the directory of tables, of indexes, and of what a program reads meanwhile."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    old = os.umask(umask)
    try:
        sandbox.apply(**ON, RELAY_ROUTING="transports", RELAY_TABLES="cdb")
    finally:
        os.umask(old)
    assert sandbox.postfix_dir.joinpath("relay.d").stat().st_mode & 0o7777 == 0o700
    assert {path.stat().st_mode & 0o7777 for path in sandbox.postfix_dir.glob("relay.d/*")} == {0o600}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_mode_and_owner_of_main_cf_stay(sandbox: Sandbox, mode: int) -> None:
    """``postconf -e`` makes any main.cf 0644 and root's; who keeps it secret has a reason, so ours stays as it was."""
    if os.geteuid() != 0:
        needs_root("only root can give a file to another user")
    sandbox.write_main_cf(f"{BASE_MAIN_CF}smtp_sasl_password_maps = static:user:s3cret-own\n")
    sandbox.main_cf.chmod(mode)
    os.chown(sandbox.main_cf, 0, NOBODY)
    before = sandbox.postconf_n()
    for env in (ON, {}):
        sandbox.apply(**env)
        status = sandbox.main_cf.stat()
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (mode, 0, NOBODY)
    assert sandbox.postconf_n() == before


def test_table_that_was_there_is_put_back(sandbox: Sandbox) -> None:
    """A table that was there before us comes back with its content, its mode and its owner."""
    if os.geteuid() != 0:
        needs_root("only root can give a file to another user")
    path = sandbox.postfix_dir / "sasl_passwd"
    path.write_bytes(b"[own.test]:25\town:\xff\n")
    path.chmod(0o640)
    os.chown(path, NOBODY, NOBODY)
    sandbox.apply(**ON)
    assert (path.stat().st_mode & 0o7777, path.stat().st_uid) == (0o600, 0)
    sandbox.apply()
    status = path.stat()
    assert path.read_bytes() == b"[own.test]:25\town:\xff\n"
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o640, NOBODY, NOBODY)


#: Becomes another user only when all is imported: that user may not be able to read where Python is.
AS_NOBODY = f"""
import contextlib, io, os, sys
from dms_relay import cli, deferral, log, mask
from dms_relay.commands import apply
log.Log(stream=io.StringIO()).error("imports structlog")
with contextlib.redirect_stdout(io.StringIO()):
    cli.main([*sys.argv[1:-1], "plan"], {{}})
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
cli.run()
"""


@pytest.fixture
def common_box() -> Iterator[Sandbox]:
    """Yield a box that every user can reach."""
    if os.geteuid() != 0:
        needs_root("only root can run a program as another user")
    with tempfile.TemporaryDirectory(prefix="dms-relay-test-") as name:
        Path(name).chmod(0o755)
        yield Sandbox(Path(name) / "box")


def run_as_nobody(sandbox: Sandbox, env: Env) -> subprocess.CompletedProcess[str]:
    """Run ``apply`` as the user ``nobody``."""
    command = [sys.executable, "-c", AS_NOBODY, *sandbox.arguments("--log-level", "error", "apply")]
    environ = {"PATH": os.environ["PATH"], **env}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("owned", [["."], [".", "main.cf"]])
def test_another_user_than_root(common_box: Sandbox, owned: list[str]) -> None:
    """Whoever owns the directory can run it; what is written is theirs, and a second run has nothing to do."""
    directory = common_box.postfix_dir
    (directory / "relayhost_map").write_text("# root's\n")
    for name in owned:
        os.chown(directory / name, NOBODY, NOBODY)
    for said in ("applied: 2 tables and 6 parameters changed\n", "nothing to do\n"):
        done = run_as_nobody(common_box, ON)
        assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    owners = {path.name: (path.stat().st_uid, path.stat().st_mode & 0o777) for path in directory.iterdir()}
    tables = dict.fromkeys(("sasl_passwd", "relayhost_map", STATE), (NOBODY, 384))
    assert owners == {"main.cf": (NOBODY, 0o644), **tables}
    assert run_as_nobody(common_box, {}).returncode == 0
    assert (directory / "relayhost_map").read_text() == "# root's\n"


def test_user_who_may_not_write(common_box: Sandbox) -> None:
    """Who may not write to the directory changes nothing there, and is told so."""
    before = common_box.snapshot()
    done = run_as_nobody(common_box, ON)
    text = "is not writable, so nothing was changed -- run as root, or mount it without :ro"
    assert done.returncode == os.EX_CANTCREAT
    assert f"{common_box.postfix_dir} {text}" in done.stderr
    assert common_box.snapshot() == before
