"""What the keeper says of itself, where somebody else was in the state directory before."""

from __future__ import annotations

import fcntl
import os
from stat import S_IMODE
from typing import TYPE_CHECKING

import pytest

from dms_relay.watch.record import HEALTH, RECORD, Record, load
from tests.support.trust import STRANGER, give

if TYPE_CHECKING:
    from pathlib import Path

    from tests.watch.keeping import Keeping


def test_record_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    """It would say what has been applied and tested."""
    assert Record(str(tmp_path)).write({"apply": {"code": 0}}, []) == ""
    assert load(str(tmp_path))["apply"] == {"code": 0}
    (tmp_path / RECORD).chmod(0o666)
    assert load(str(tmp_path)) == {}
    give(tmp_path / RECORD, STRANGER, mode=0o600)
    assert load(str(tmp_path)) == {}


@pytest.mark.parametrize("name", [RECORD, HEALTH])
def test_temporary_file_of_somebody_else_is_not_written_to(tmp_path: Path, name: str) -> None:
    """It would stay theirs, and say what they like later on."""
    temporary = tmp_path / f".{name}.dms-relay.tmp"
    temporary.touch()
    give(temporary, STRANGER, mode=0o666)
    assert Record(str(tmp_path)).write({"apply": {"code": 0}}, []) == ""
    status = (tmp_path / name).stat()
    assert (status.st_uid, S_IMODE(status.st_mode)) == (os.geteuid(), 0o600)


def test_lock_of_somebody_else(keeping: Keeping) -> None:
    """Who holds a lock on a file of their own keeps no keeper from work."""
    keeping.state.mkdir(0o700)
    lock = keeping.state / "keeper.lock"
    with lock.open("w") as theirs:
        give(lock, STRANGER, mode=0o666)
        fcntl.flock(theirs, fcntl.LOCK_EX)
        keeping.start()
        assert keeping.status()[1]["keeper"]["running"]
    assert lock.stat().st_uid == os.geteuid()
