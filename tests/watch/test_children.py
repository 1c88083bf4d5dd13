"""What the keeper starts is fed and heard, and ended at its time limit with all that it has started."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.watch import children
from dms_relay.watch.children import Child, ended
from tests.watch.keeping import wait_until

if TYPE_CHECKING:
    import pytest

ECHO = "import sys, json; json.dump({'got': json.load(sys.stdin)}, sys.stdout)"
#: It ignores TERM, and so does what it starts.
STUBBORN = "trap '' TERM; sleep 60 & echo $! > {pid}; wait; wait; sleep 60"


def finish(child: Child) -> int:
    """Wait until a child has ended, ending it where it is late, and return its exit code."""
    running = {child.pid: child}
    codes: list[int] = []

    def is_over() -> bool:
        child.check()
        codes.extend(code for _, code in ended(running))
        return not running

    wait_until(is_over, "its end")
    return codes[0]


def descriptors() -> int:
    """Return how many descriptors are open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_fed_and_heard() -> None:
    """A child gets JSON on standard input, however long, and what it prints is read; no descriptor is left open."""
    before = descriptors()
    fed = ["x" * 1000] * 1000
    child = Child("echo", [sys.executable, "-IS", "-c", ECHO], fed, 60)
    assert finish(child) == 0
    assert child.said() == {"got": fed}
    assert descriptors() == before


def test_no_answer() -> None:
    """What is no JSON is no answer."""
    child = Child("false", ["/bin/sh", "-c", "echo no; exit 3"], None, 60)
    assert (finish(child), child.said(), child.is_late) == (3, None, False)


def test_cannot_be_started() -> None:
    """A program that is not there raises an error, and leaves no descriptor open."""
    before = descriptors()
    for _ in range(3):
        try:
            Child("none", ["/nonexistent"], None, 60)
        except FileNotFoundError:
            continue
        raise AssertionError
    assert descriptors() == before


def test_time_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A child that is late gets TERM, and later KILL, with all that it has started."""
    monkeypatch.setattr(children, "GRACE", 0.2)
    file = tmp_path / "pid"
    child = Child("stubborn", ["/bin/sh", "-c", STUBBORN.format(pid=file)], None, 0.5)
    wait_until(lambda: file.exists() and file.read_text(), "its own child")
    assert finish(child) == -9
    assert child.is_late
    wait_until(lambda: not is_running(int(file.read_text())), "the end of its child")
    child.said()


def is_running(pid: int) -> bool:
    """Return True if a process is there, and has not ended."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_signals_are_as_for_any_program() -> None:
    """A child has no signal blocked or ignored, though the keeper blocks those that it waits for."""
    code = (
        "import signal; print(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])), signal.getsignal(signal.SIGTERM) == 0)"
    )
    child = Child("signals", [sys.executable, "-IS", "-c", f"{code}; print()"], None, 60)
    assert finish(child) == 0
    assert os.pread(child._said, 100, 0).split() == [b"0", b"True"]  # noqa: SLF001 -- it is no JSON
    child.said()
