"""How programs are run: what they are given, what comes back, and how they end; as ``subprocess`` does it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dms_relay.postfix import child

ENVIRON = {"PATH": os.environ["PATH"]}
#: Seconds: long enough for any of these programs, and for one that is not to end in time.
PATIENCE, SHORT = 120.0, 0.3
#: More than a pipe holds.
LARGE = 300_000
ROOT = Path(__file__).parents[2]


def run(script: str, feed: bytes = b"", timeout: float = PATIENCE, *, inherits: bool = False) -> child.Ended:
    """Run a script of the shell."""
    return child.run(["/bin/sh", "-c", script], ENVIRON, feed, timeout, inherits=inherits)


def children() -> list[str]:
    """Return the processes that we have begun and that are there, be it as a zombie."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=LARGE), st.integers(0, 255))
def test_as_subprocess_does_it(feed: bytes, code: int) -> None:
    """What is fed comes back, on either stream, with the exit code."""
    script = f"tee /dev/fd/2; exit {code}"
    theirs = subprocess.run(["/bin/sh", "-c", script], input=feed, capture_output=True, check=False)
    mine = run(script, feed)
    assert (mine.returncode, mine.stdout, mine.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)


@pytest.mark.parametrize("script", ["cat", f"head -c {LARGE} /dev/zero >&2; cat", "sleep 0.1; cat"])
def test_more_than_a_pipe_holds(script: str) -> None:
    """Neither side waits for the other, whichever stream is full first."""
    feed = bytes(range(256)) * (LARGE // 256)
    assert run(script, feed).stdout == feed


def test_input_that_is_not_read() -> None:
    """A program that does not read what it is fed has read enough."""
    assert run("echo done", b"x" * LARGE) == child.Ended(0, b"done\n", b"")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed(number: int) -> None:
    """A signal that ended the program is its exit code, with a minus."""
    assert run(f"kill -{int(number)} $$").returncode == -number


@pytest.mark.parametrize("script", ["exec sleep 60", "exec sleep 60 >&- 2>&-", "echo; trap '' TERM; exec sleep 60"])
def test_hanging(script: str) -> None:
    """A program that does not end in time is killed and leaves no zombie, also where it has closed its output."""
    before = children()
    with pytest.raises(child.TimeoutExpired):
        run(script, timeout=SHORT)
    assert children() == before


def test_hanging_with_a_child_that_holds_its_output() -> None:
    """What the program has started does not hold us longer than the time limit."""
    begin = time.monotonic()
    with pytest.raises(child.TimeoutExpired):
        run("sleep 100 & echo $!", timeout=SHORT)
    assert time.monotonic() - begin < PATIENCE / 2


@pytest.mark.parametrize(("path", "error"), [("/nowhere/x", FileNotFoundError), ("/etc/passwd", PermissionError)])
def test_not_started(path: str, error: type[OSError]) -> None:
    """What cannot be started raises what the system says, and leaves no descriptor open."""
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(error):
        child.run([path], ENVIRON, b"", PATIENCE)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_signals_are_as_a_shell_would_give_them() -> None:
    """Python ignores SIGPIPE; a program does not."""
    ignored = int(run("grep SigIgn /proc/self/status").stdout.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


@pytest.mark.parametrize("inherits", [True, False])
def test_descriptors(inherits: bool) -> None:  # noqa: FBT001 -- a parameter
    """A program gets the descriptors that may be inherited where its caller says so, and otherwise none but its streams."""
    descriptor = os.open("/", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        said = run("ls /proc/$$/fd", inherits=inherits).stdout.split()
    finally:
        os.close(descriptor)
    assert (str(descriptor).encode() in said) == inherits
    assert {b"0", b"1", b"2"} <= set(said)


def test_environment() -> None:
    """A program has the environment that it is given, and nothing else."""
    done = child.run(["/usr/bin/env"], {"A": "b"}, b"", PATIENCE)
    assert done.stdout == b"A=b\n"


WITHOUT_STREAMS = """
import os, sys
sys.path.insert(0, {root!r})
from dms_relay.postfix import child
for number in {closed}:
    os.close(number)
done = child.run(["/bin/sh", "-c", "cat; echo said >&2; exit 3"], {{}}, b"fed", 30.0)
sys.exit(0 if done == child.Ended(3, b"fed", b"said\\n") else 1)
"""


@pytest.mark.parametrize("closed", [(0,), (0, 1, 2), (1, 2)])
def test_without_standard_streams(closed: tuple[int, ...]) -> None:
    """Where we have been started without some standard streams, the program has all of its own."""
    script = WITHOUT_STREAMS.format(root=str(ROOT), closed=closed)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


IGNORED = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"


def test_sigchld_is_ignored() -> None:
    """A parent may have left SIGCHLD ignored: a program's exit code is its own, and the signal is ignored again after it."""
    script = WITHOUT_STREAMS.format(root=str(ROOT), closed=()).replace(
        "sys.exit(", "assert signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN\nsys.exit("
    )
    assert subprocess.run([sys.executable, "-c", IGNORED + script], check=False).returncode == 0


IN_A_THREAD = """
import sys, threading
sys.path.insert(0, {root!r})
from dms_relay.postfix import child
def run():
    try:
        child.run(["/bin/sh", "-c", "exit 3"], {{}}, b"", 30.0)
    except ChildProcessError:
        print("lost")
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


def test_sigchld_is_ignored_in_a_thread() -> None:
    """Where nobody can know the exit code, it is no 0: a program that has failed counts as none that has worked."""
    command = [sys.executable, "-c", IGNORED + IN_A_THREAD.format(root=str(ROOT))]
    assert subprocess.run(command, capture_output=True, check=False).stdout == b"lost\n"


def test_a_directory_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of that name in PATH is passed over, as a shell does; after it the program is found."""
    (tmp_path / "sh").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert child.which("sh") == "/bin/sh"


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where we are interrupted, the program is ended: nothing of ours goes on behind our back."""
    before = children()
    monkeypatch.setattr(child, "_exchange", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run("exec sleep 60")
    assert children() == before


def test_meanwhile(tmp_path: Path) -> None:
    """What is to be done meanwhile is done while the program works, and what it raises ends the program."""
    before = children()
    done = child.run(["/bin/cat"], ENVIRON, b"fed", PATIENCE, meanwhile=(tmp_path / "worked").touch)
    assert (done.stdout, (tmp_path / "worked").exists()) == (b"fed", True)

    def fail() -> None:
        assert len(children()) == len(before) + 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        child.run(["/bin/sleep", "60"], ENVIRON, b"", PATIENCE, meanwhile=fail)
    assert children() == before
