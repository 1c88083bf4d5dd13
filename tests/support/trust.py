"""Owners, modes and mounts of inputs, for tests of whom a run believes. All of it needs root."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.scene import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A user of no machine, with a group of the same number, such as a host's user in a container; and somebody else.
OPERATOR, STRANGER = 54321, 54322


def give(path: Path, uid: int, gid: int | None = None, mode: int | None = None) -> Path:
    """Have a file or directory belong to somebody."""
    if os.geteuid() != 0:
        needs_root("only root can give a file away")
    os.chown(path, uid, uid if gid is None else gid, follow_symlinks=False)
    if mode is not None:
        path.chmod(mode)
    return path


@contextmanager
def mounted(source: Path, target: Path, *options: str) -> Iterator[None]:
    """Have a file or directory mounted over another one, as a container engine does."""
    if os.geteuid() != 0:
        needs_root("only root can mount")
    subprocess.run(["mount", "--bind", source, target], check=True)
    try:
        if options:
            subprocess.run(["mount", "-o", ",".join(["remount", "bind", *options]), target], check=True)
        yield
    finally:
        subprocess.run(["umount", target], check=True)
