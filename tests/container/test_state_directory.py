"""``state_directory``: whose the directory of tokens is after the start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dms_relay.container import state_directory
from dms_relay.log import log_of

#: Somebody else's number.
STRANGER = 12_345


def own(directory: Path) -> None:
    """Take the step."""
    state_directory.own({"DMS_RELAY_STATE_DIR": str(directory)}, log_of({}).warn)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o755, 0o750, 0o700])
def test_nobody_else_can_look_into_it(tmp_path: Path, mode: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever mode it was mounted with, only its owner has any right to it afterwards; what is in it stays."""
    (tmp_path / "kept").write_text("kept")
    tmp_path.chmod(mode)
    own(tmp_path)
    assert tmp_path.stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "kept").read_text() == "kept"
    assert capsys.readouterr().err == ""


def test_it_becomes_ours(tmp_path: Path) -> None:
    """A directory that belongs to somebody else is given to root."""
    if os.geteuid() != 0:
        pytest.skip("needs root: only root gives files away")
    os.chown(tmp_path, STRANGER, STRANGER)
    own(tmp_path)
    status = tmp_path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 0, 0o700)


def test_what_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made, and nothing is said: whoever needs the directory makes it. A file in its place stays as it is."""
    own(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
    file = tmp_path / "file"
    file.write_text("")
    file.chmod(0o644)
    own(file)
    assert file.stat().st_mode & 0o777 == 0o644
    assert capsys.readouterr().err == ""


def test_what_cannot_be_set_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it cannot be set, a warning names the directory and what to do, and the start goes on."""
    directory = f"/proc/{os.getpid()}/task"  # nobody can set a mode there (proc_setattr)
    own(Path(directory))
    said = capsys.readouterr().err
    assert f"{directory} is for tokens, but cannot be closed to other users: Operation not permitted -- run" in said
