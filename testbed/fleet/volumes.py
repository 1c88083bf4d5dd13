"""Lays out the directories of a pod's volumes as kubelet does, so that the mounts look as in a cluster.

A ConfigMap or a Secret is a directory that everybody may write (it is mounted read-only), with a timestamped directory
that contains the files, a link ``..data`` to it, and a link through ``..data`` for each file. A change creates a new
directory and swaps ``..data`` by rename, so that all files change at once (kubelet's atomic_writer.go). With an fsGroup,
Kubernetes gives files and directories to that group, which may read them (volume_linux.go): mode 0400 becomes 0440.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.fleet.translate import File

#: The link to swap.
DATA = "..data"
#: What an fsGroup adds to the modes of directories, and of files mounted read-only.
GROUP_DIRECTORY, GROUP_READ = 0o2070, 0o440


def empty(directory: Path, fs_group: int | None, *, is_in_memory: bool = False) -> None:
    """Create an emptyDir: for everybody, and for the pod's group; sticky if it is in memory, like a tmpfs."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    directory.chmod(0o1777 if is_in_memory else 0o777)
    _give(directory, fs_group, GROUP_DIRECTORY)


def formatted(directory: Path, fs_group: int | None) -> None:
    """Make a claim look like a newly formatted disk: root's, with a lost+found."""
    (directory / "lost+found").mkdir(mode=0o700, exist_ok=True)
    _give(directory, fs_group, GROUP_DIRECTORY)


def write(directory: Path, files: dict[str, File], fs_group: int | None) -> None:
    """Put these files into a volume, with one swap; does nothing if it has them already."""
    if not directory.exists():
        empty(directory, fs_group)
    if _found(directory) == {name: file.content for name, file in files.items()}:
        return
    before = (directory / DATA).resolve() if (directory / DATA).is_symlink() else None
    moment = directory / f"..{time.strftime('%Y_%m_%d_%H_%M_%S')}.{time.time_ns() % 10**9}"
    _fill(moment, files, fs_group)
    (directory / "..data_tmp").symlink_to(moment.name)
    (directory / "..data_tmp").rename(directory / DATA)
    _link(directory, {name.partition("/")[0] for name in files})
    if before is not None:
        shutil.rmtree(before)


def _found(directory: Path) -> dict[str, bytes]:
    data = directory / DATA
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def _fill(moment: Path, files: dict[str, File], fs_group: int | None) -> None:
    moment.mkdir(mode=0o755)
    _give(moment, fs_group, GROUP_DIRECTORY)
    for name, file in files.items():
        path = moment / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        _give(path, fs_group, GROUP_READ)


def _link(directory: Path, names: set[str]) -> None:
    for path in directory.iterdir():
        if not path.name.startswith("..") and path.name not in names:
            path.unlink()
    for name in names:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"{DATA}/{name}")


def _give(path: Path, fs_group: int | None, mode: int) -> None:
    if fs_group is not None:
        os.chown(path, 0, fs_group)
        path.chmod(path.stat().st_mode | mode)
