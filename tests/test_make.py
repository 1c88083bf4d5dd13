"""``make``: what it empties is its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE_OF = ("Makefile", "pyproject.toml", "requirements-dev.lock", "requirements-lint.lock")


def test_the_environment_of_another_tree_stays(tmp_path: Path) -> None:
    """Where .venv is a link, make says so and ends: it would empty the environment that the link names."""
    tree, other = tmp_path / "tree", tmp_path / "other"
    shutil.copytree(ROOT / "demo", tree / "demo", ignore=shutil.ignore_patterns("__pycache__"))
    for name in MADE_OF:
        shutil.copy(ROOT / name, tree / name)
    other.mkdir()
    (other / "mine").touch()
    (tree / ".venv").symlink_to(other)
    done = subprocess.run(
        ["make", "-C", tree, f"PYTHON={sys.executable}", ".venv/.ready"], capture_output=True, text=True, check=False
    )
    assert (other / "mine").exists()
    assert done.returncode != 0
    assert (
        "make: .venv is a link, and what it names would be emptied -- remove the link, then run make again"
        in done.stderr
    )
