"""Volumes as kubelet lays them out: what a pod sees of them, also while they change."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from testbed.fleet import volumes
from testbed.fleet.translate import File
from tests.support.scene import needs_root

if TYPE_CHECKING:
    from pathlib import Path

GROUP = 901


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Return where a volume is to be."""
    return tmp_path / "volume"


def text(content: str, mode: int = 0o644) -> File:
    """Return a file."""
    return File(content.encode(), mode)


def test_links_lead_through_data(volume: Path) -> None:
    """Each file is a link through ..data, which is a link to the directory of the moment."""
    volumes.write(volume, {"a": text("1"), "deep/b": text("2", 0o400)}, None)
    assert str((volume / "a").readlink()) == "..data/a"
    assert str((volume / "deep").readlink()) == "..data/deep"
    moment = volume / str((volume / "..data").readlink())
    assert moment.parent == volume
    assert (volume / "deep/b").read_text() == "2"
    assert stat.S_IMODE((volume / "deep/b").stat().st_mode) == 0o400
    assert stat.S_IMODE(volume.stat().st_mode) == 0o777


def test_a_change_is_one_swap(volume: Path) -> None:
    """Another directory of the moment, links for what is there now, and nothing of the previous ones."""
    volumes.write(volume, {"a": text("1"), "b": text("1")}, None)
    before = str((volume / "..data").readlink())
    volumes.write(volume, {"a": text("2"), "c": text("2")}, None)
    assert str((volume / "..data").readlink()) != before
    assert sorted(path.name for path in volume.iterdir() if not path.name.startswith("..")) == ["a", "c"]
    assert sum(path.name.startswith("..") for path in volume.iterdir()) == 2
    assert (volume / "a").read_text() == "2"


def test_the_same_again_changes_nothing(volume: Path) -> None:
    """Without a change there is no swap."""
    volumes.write(volume, {"a": text("1")}, None)
    before = str((volume / "..data").readlink())
    volumes.write(volume, {"a": text("1")}, None)
    assert str((volume / "..data").readlink()) == before


def test_all_files_change_at_once(volume: Path) -> None:
    """Whoever opens ..data meanwhile sees files of one moment."""
    volumes.write(volume, {"a": text("0"), "b": text("0")}, None)
    is_over, seen = threading.Event(), set()

    def read() -> None:
        while not is_over.is_set():
            moment = (volume / "..data").resolve()
            with contextlib.suppress(FileNotFoundError):  # it is gone already
                seen.add(((moment / "a").read_text(), (moment / "b").read_text()))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        volumes.write(volume, {"a": text(f"{number}"), "b": text(f"{number}")}, None)
    is_over.set()
    reader.join()
    assert len(seen) > 1
    assert all(a == b for a, b in seen)


def test_the_pods_group(volume: Path, tmp_path: Path) -> None:
    """With an fsGroup, all belongs to that group, which may read it: 0400 becomes 0440, as in a cluster."""
    if os.geteuid() != 0:
        needs_root("only root can give a file to another group")
    volumes.write(volume, {"a": text("1", 0o400)}, GROUP)
    modes = {path: (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) for path in (volume, volume / "a")}
    assert modes == {volume: (GROUP, 0o2777), volume / "a": (GROUP, 0o440)}
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o755)
    volumes.formatted(disk, GROUP)
    assert (disk.stat().st_gid, stat.S_IMODE(disk.stat().st_mode)) == (GROUP, 0o2775)
    assert (disk / "lost+found").is_dir()
