"""Who reads the inputs, and who edits them, while somebody else writes there under the lock."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.console import said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.support.sandbox import Sandbox

RELAYMAP = "postfix-relaymap.cf"
#: Locks a directory, holds the lock for some seconds, and leaves a mark just before it lets go.
WRITER = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_EX)
print(flush=True)
time.sleep(float(sys.argv[2]))
open(sys.argv[3], "w").close()
"""


@contextmanager
def writer(sandbox: Sandbox, seconds: float, mark: Path) -> Iterator[None]:
    """Have somebody else hold the lock of the configuration directory."""
    command = [sys.executable, "-c", WRITER, str(sandbox.config_dir), str(seconds), str(mark)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def test_readers_wait_for_a_writer(sandbox: Sandbox, tmp_path: Path) -> None:
    """Who reads waits until the writer has ended its work."""
    sandbox.write(RELAYMAP, "@a.test [r.test]\n")
    with writer(sandbox, 1, tmp_path / "mark"):
        assert sandbox.run("show").code == 0
        assert (tmp_path / "mark").exists()


def test_readers_do_not_wait_for_ever(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may read the directory can hold its lock; a boot does not hang on that, and reads without."""
    monkeypatch.setattr("dms_relay.files.READING_TIMEOUT", 0.1)
    sandbox.write(RELAYMAP, "@a.test [r.test]\n")
    with writer(sandbox, 60, tmp_path / "mark"):
        assert "@a.test" in sandbox.run("show").out


def test_an_edit_does_not_go_without_the_lock(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit that cannot have the lock in time is refused, with exit code 75, and nothing is written."""
    monkeypatch.setattr("dms_relay.edit.LOCK_TIMEOUT", 0.1)
    with writer(sandbox, 60, tmp_path / "mark"):
        refused = sandbox.run("add-domain", "a.test", "r.test", "--no-apply")
    assert said(refused)[-1][1].startswith(f"another dms-relay holds the lock of {sandbox.config_dir}")
    assert refused.code == os.EX_TEMPFAIL
    assert list(sandbox.config_dir.iterdir()) == []
