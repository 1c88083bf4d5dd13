"""Ending the processes of one Postfix instance."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

from testbed import processes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DEAF = ["sh", "-c", "trap '' TERM; echo; exec sleep 60"]


def test_a_process_that_begins_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that a script has just begun as the script is killed ends too, be it deaf to TERM."""
    with subprocess.Popen(DEAF, cwd=tmp_path, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        later: list[subprocess.Popen[bytes]] = []
        kill = os.kill

        def slow_kill(process: int, number: signal.Signals) -> None:
            if number == signal.SIGKILL and not later:
                later.append(subprocess.Popen(DEAF, cwd=tmp_path, stdout=subprocess.DEVNULL))
            kill(process, number)

        monkeypatch.setattr("os.kill", slow_kill)
        try:
            processes.end_all(lambda: processes.working_in(tmp_path), 0.2)
            assert processes.working_in(tmp_path) == []
        finally:
            for process in (first, *later):
                process.kill()
                process.wait()
    assert later
