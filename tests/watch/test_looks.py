"""How a file looks: each change of it is seen, and what is no change is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dms_relay.model import Paths
from dms_relay.sources import read
from dms_relay.watch.looks import FILE, WAY, changed_at, look
from dms_relay.watch.noted import Noted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda path: path.write_text("xx"),
    "same size": lambda path: path.write_text("y"),
    "another file": lambda path: (path.with_name("n").write_text("x"), path.with_name("n").rename(path)),
    "rights": lambda path: path.chmod(0o600),
    "time": lambda path: os.utime(path, (1, 1)),
    "gone": lambda path: path.unlink(),
    "a link": lambda path: path.rename(path.with_name("n")).with_name("file").symlink_to("n"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(tmp_path: Path, name: str) -> None:
    """Each change of a file is seen."""
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o644)
    before = look(str(path), FILE)
    path.read_text()
    assert look(str(path), FILE) == before
    CHANGES[name](path)
    assert look(str(path), FILE) != before


def test_what_is_not_there(tmp_path: Path) -> None:
    """Of what is not there, the reason counts: it is another one for a link in a circle, or below a file."""
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").write_text("")
    found = [look(str(tmp_path / name), FILE) for name in ("none", "circle", "file/below", "\0")]
    assert found == ["ENOENT", "ELOOP", "ENOTDIR", "EINVAL"]


def test_directory_on_the_way(tmp_path: Path) -> None:
    """Of a directory on the way, what is in it does not count, but whose it is."""
    before = look(str(tmp_path), WAY), look(str(tmp_path), FILE)
    (tmp_path / "new").write_text("")
    after = look(str(tmp_path), WAY), look(str(tmp_path), FILE)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
    tmp_path.chmod(0o711)
    assert look(str(tmp_path), WAY) != before[0]


def test_devices() -> None:
    """/dev/null, which is mounted to hide a file, does not change with its use."""
    before = look("/dev/null", FILE)
    os.utime("/dev/null")
    assert look("/dev/null", FILE) == before
    assert changed_at(before) == 0


def test_time_of_a_change(tmp_path: Path) -> None:
    """The time of a change is that of the change of any of it, also of its rights."""
    path = tmp_path / "file"
    path.write_text("")
    os.utime(path, (1, 1))
    assert changed_at(look(str(path), FILE)) == pytest.approx(path.stat().st_ctime)
    assert changed_at(look(str(tmp_path / "none"), FILE)) == 0


def test_all_that_is_read_is_noted(tmp_path: Path) -> None:
    """Every file that reading the inputs opens is noted as it looked before, with the directories on the way to it."""
    paths = Paths(tmp_path / "config", tmp_path / "postfix", tmp_path / "state")
    paths.config_dir.mkdir()
    paths.postfix_dir.mkdir()
    (paths.postfix_dir / "main.cf").write_text("")
    (tmp_path / "real").mkdir()
    (tmp_path / "real/secret").write_text("pw\n")
    (tmp_path / "link").symlink_to("real")
    noted = Noted(paths)
    read(paths, {"RELAY_HOST": "r", "RELAY_USER": "u", "RELAY_PASSWORD_FILE": f"{tmp_path}/link/secret"})
    noted.stop()
    named = {name.removeprefix(f"{tmp_path}/") for name in noted.looks}
    files = {"relay.yaml", "relay.env", "postfix-relaymap.cf", "postfix-sasl-password.cf", "postfix-main.cf"}
    files |= {"postfix-master.cf", "postfix-accounts.cf", "postfix-virtual.cf"}
    assert {f"config/{name}" for name in files} | {"config", "postfix/vhost", "link/secret"} <= named
    assert {"link", "real", "postfix"} <= named
    assert "postfix/main.cf" not in named
    assert noted.looks[f"{tmp_path}/link"][0] == WAY
    (tmp_path / "config/after").write_text("")
    assert f"{tmp_path}/config/after" not in noted.looks
