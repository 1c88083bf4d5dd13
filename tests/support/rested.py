"""Writes files that nobody is taken to be writing still."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_rested(path: Path, content: bytes) -> None:
    """Write a file. One without a line end counts as half of one for 2 s (``files.content``), so it is dated back."""
    path.write_bytes(content)
    if not content.endswith(b"\n"):
        os.utime(path, (0, 0))
