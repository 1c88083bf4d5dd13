"""A disk that gets full while an index is made: postmap(1) does not say so of each type."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from dms_relay import Paths
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.table_types import PACKAGES, WORKSHOP
from testbed.inputs import LOGINS
from tests.apply.test_big_tables import ON, logins
from tests.support.machine import prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.scene import needs_root
from tests.support.table_types import make_old, require_indexes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Octets of the disk, and between what is left free in two tries.
DISK, STEP = 2 << 20, 96 << 10
KEYS = 5000


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Return a sandbox whose Postfix directory is a small file system."""
    require_indexes()
    sandbox = Sandbox(tmp_path)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(sandbox.postfix_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        needs_root(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        prepare(sandbox, BASE_MAIN_CF)
        yield sandbox
    finally:
        subprocess.run(["umount", str(sandbox.postfix_dir)], check=True)


def answer(sandbox: Sandbox, table: str) -> str:
    """Return the login of the last key, as Postfix finds it."""
    make_old(sandbox.main_cf)
    key = f"@d{KEYS - 1}.test"
    return Postfix(Paths(sandbox.config_dir, sandbox.postfix_dir).postfix_dir).lookup(table, [key]).get(key, "")


@pytest.mark.one_in(2)
@pytest.mark.long
@pytest.mark.parametrize("table_type", PACKAGES)
def test_full_disk(sandbox: Sandbox, table_type: str) -> None:
    """However little room is left, each login is found, the old one or, where the run says that it is done, the new one."""
    env = ON | {"RELAY_TABLES": table_type}
    table, filler = f"{table_type}:{sandbox.postfix_dir}/sasl_passwd", sandbox.postfix_dir / "filler"
    sandbox.write(LOGINS, logins(KEYS, "old"))
    sandbox.apply(**env)
    old = answer(sandbox, table)
    codes = []
    status = os.statvfs(sandbox.postfix_dir)
    for left in range(0, status.f_bavail * status.f_frsize, STEP):
        sandbox.write(LOGINS, logins(KEYS, "new"))
        filler.write_bytes(b"\0" * (status.f_bavail * status.f_frsize - left))
        codes.append(sandbox.run("apply", env=env).code)
        assert (answer(sandbox, table) != old) == (codes[-1] == os.EX_OK)
        assert answer(sandbox, table)
        assert not (sandbox.postfix_dir / WORKSHOP).exists()
        filler.unlink()
        sandbox.apply(**env)
        assert answer(sandbox, table) not in {"", old}
        sandbox.write(LOGINS, logins(KEYS, "old"))
        sandbox.apply(**env)
    assert {codes[0], codes[-1]} == {os.EX_CANTCREAT, os.EX_OK}
    assert set(codes) <= {os.EX_OK, os.EX_UNAVAILABLE, os.EX_CANTCREAT}
