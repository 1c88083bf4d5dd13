"""What a power failure leaves behind: when files get their names, and when their directory is synced to disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay import files
from dms_relay.model import RELAY_DIRECTORY

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

FIRST = {"RELAY_HOST": "r.test", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}
STATE, SYNC = "dms-relay.state.json", "(sync)"
MASTER_CF = "smtp unix - - n - - smtp\n"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> list[tuple[str, str]]:
    """Return each file that gets its name from now on, and each sync of a directory, in order; the directory comes first.

    A file that is not synced before it gets its name is an error: it could be empty after a power failure.
    """
    sandbox.write("postfix-accounts.cf", "someone@a.test|{SHA512-CRYPT}x\n")
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    rename, fsync = os.rename, os.fsync
    seen: list[tuple[str, str]] = []
    synced: set[str] = set()

    def renamed(source: Path, target: Path) -> None:
        assert str(source) in synced, target
        synced.remove(str(source))  # the next file of this name is another one
        seen.append((Path(target).parent.name, Path(target).name))
        rename(source, target)

    def synchronized(descriptor: int) -> None:
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.add(str(place))
        if place.is_dir():
            seen.append((place.name, SYNC))
        fsync(descriptor)

    monkeypatch.setattr(os, "rename", renamed)
    monkeypatch.setattr(os, "fsync", synchronized)
    return seen


def test_a_first_boot(sandbox: Sandbox, written: list[tuple[str, str]]) -> None:
    """The memory comes before any table, and all tables before the settings that name them; one sync is enough for these."""
    assert sandbox.run("apply", env=FIRST).code == 0
    names = [name for _, name in written]
    assert sorted(names[2:4]) == ["relayhost_map", "sasl_passwd"]
    assert [*names[:2], *names[4:]] == [STATE, SYNC, SYNC, "main.cf", SYNC, STATE, SYNC]


def test_relays_with_their_own_transport(sandbox: Sandbox, written: list[tuple[str, str]]) -> None:
    """The same for tables in a directory of their own: at each setting, what was written before is synced to disk."""
    for password in ("s3cret", "other"):
        env = {**FIRST, "RELAY_ROUTING": "transports", "RELAY_PASSWORD": password}
        assert sandbox.run("apply", env=env).code == 0
    assert {directory for directory, name in written if name == SYNC} == {sandbox.postfix_dir.name, RELAY_DIRECTORY}
    check(written)


def test_after_a_directory_that_could_not_be_synced(
    sandbox: Sandbox, written: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends between tables and their sync leaves that to the next one, which has no table to write."""
    env = {**FIRST, "RELAY_ROUTING": "transports"}
    sync = files.sync_directory

    def fail(path: Path) -> None:
        if path.name == RELAY_DIRECTORY:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_directory", fail)
        result = sandbox.run("apply", env=env)
    assert (result.code, "repair the disk, then run again" in result.err) == (os.EX_CANTCREAT, True)
    assert sandbox.run("apply", env=env).code == 0
    check(written)


def check(written: list[tuple[str, str]]) -> None:
    """Check that all names are on disk when a setting changes."""
    unsynced: set[str] = set()
    for directory, name in written:
        if name in {"main.cf", "master.cf"}:
            assert not unsynced, name
        if name == SYNC:
            unsynced.discard(directory)
        else:
            unsynced.add(directory)
