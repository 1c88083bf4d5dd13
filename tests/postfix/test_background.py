"""Programs that run while we go on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dms_relay.postfix.background import begin, end

ROOT = Path(__file__).parents[2]
IGNORED = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
sys.path.insert(0, {root!r})
from dms_relay.postfix.background import begin, end
sys.exit(end(begin(Path({program!r}), Path("/"))))
"""


def program(directory: Path, script: str) -> Path:
    """Write a program."""
    path = directory / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -signal.SIGKILL)])
def test_how_it_ended(tmp_path: Path, script: str, code: int) -> None:
    """The exit code is the program's, or the number of the signal."""
    assert end(begin(program(tmp_path, script), tmp_path)) == code


def test_sigchld_is_ignored(tmp_path: Path) -> None:
    """A parent may have left SIGCHLD ignored: the exit code is the program's all the same."""
    script = IGNORED.format(root=str(ROOT), program=str(program(tmp_path, "exit 3")))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
