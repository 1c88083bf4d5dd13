"""Runs a program and returns its output: for ``programs``, the only caller.

``subprocess`` does the same, but importing it costs 4 ms at start. The program gets the given environment and standard
input, and none of our descriptors unless the caller says so. Raises ``OSError`` if it cannot be started, and
``TimeoutExpired`` if it does not end in time: then it is killed and waited for, as when we are interrupted.

Known limits: processes that the program has started are not killed, and are waited for as long as they hold standard output
or standard error. If SIGCHLD is ignored, as a parent may have left it, the system keeps no exit code: so we reset it while a
program runs. Only the main thread can do that; in another one, a lost exit code is an error (``ChildProcessError``).
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from contextlib import suppress
from errno import E2BIG

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Octets to read at once: the capacity of a pipe (pipe(7)).
_CHUNK = 65536
#: The first descriptor after the standard streams. Ours can be lower if we were started without one of these.
_FIRST = 3
#: Where the descriptors of this process are listed (proc(5)).
_DESCRIPTORS = "/proc/self/fd"
#: Signals that Python ignores and a program must not; subprocess restores the same ones.
_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
#: Seconds between two checks of a program that has closed its output but has not ended yet.
_INTERVAL = 0.001


class TimeoutExpired(Exception):  # noqa: N818 -- its name is shown to operators
    """A program did not end in time."""


@frozen
class Ended:
    """The result of a program: its exit code, or minus the signal that killed it, and its output."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run(  # noqa: PLR0913 -- what a program gets; rare ones by name
    command: list[str],
    environ: Mapping[str, str],
    feed: bytes,
    timeout: float,
    *,
    inherits: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> Ended:
    """Run a program, named by its path, for at most ``timeout`` seconds.

    With ``inherits`` it gets our descriptors. ``meanwhile`` is called once it has started, before we wait for its end.
    """
    deadline = time.monotonic() + timeout
    pipes = [_pipe(), _pipe(), _pipe()]
    stdin, stdout, stderr = pipes[0][1], pipes[1][0], pipes[2][0]
    theirs = pipes[0][0], pipes[1][1], pipes[2][1]
    with _SigchldHeeded(), _Open([stdin, stdout, stderr]) as ours:
        with _Open([*theirs]):
            pid = _spawn(command, environ, theirs, [] if inherits else _inheritable())
        try:
            meanwhile()
            said = _exchange(ours, stdin, feed, deadline)
            return Ended(_wait(pid, deadline), bytes(said[stdout]), bytes(said[stderr]))
        except BaseException:
            _kill(pid)
            raise


def which(name: str) -> str | None:
    """Return the path of a program in PATH; importing shutil for this costs 2 ms."""
    for directory in os.get_exec_path():
        path = os.path.join(directory, name)  # noqa: PTH118 -- PATH may hold an empty entry
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112 -- no pathlib for this
            return path
    return None


class _SigchldHeeded:
    """While this is entered, the system keeps the exit codes of our child processes."""

    def __enter__(self) -> None:
        self.is_ignored = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
        self._set(signal.SIG_DFL)

    def __exit__(self, *_: object) -> None:
        self._set(signal.SIG_IGN)

    def _set(self, what: signal.Handlers) -> None:
        if self.is_ignored:
            with suppress(ValueError):  # in a thread
                signal.signal(signal.SIGCHLD, what)


class _Open:
    """Open descriptors, which are closed at the end."""

    def __init__(self, descriptors: list[int]) -> None:
        self.descriptors = descriptors

    def __enter__(self) -> _Open:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)

    def close(self, descriptor: int) -> None:
        self.descriptors.remove(descriptor)
        os.close(descriptor)


def _pipe() -> tuple[int, int]:
    """Make a pipe whose descriptors are not those of standard streams."""
    ends = os.pipe()
    with _Open([*ends]):
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST) for end in ends)
    return read, write


def _inheritable() -> list[int]:
    """Return our descriptors that a program would get, among them the lock (``files.lock``)."""
    found = []
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 -- numbers, not paths
        with suppress(OSError):  # the listing itself
            if int(name) >= _FIRST and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


def _spawn(command: list[str], environ: Mapping[str, str], streams: Sequence[int], closed: Sequence[int]) -> int:
    actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(streams)]
    actions += [(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in closed]
    return os.posix_spawn(command[0], command, environ, file_actions=actions, setsigdef=_SIGNALS)


def _exchange(ours: _Open, stdin: int, feed: bytes, deadline: float) -> dict[int, bytearray]:
    """Feed a program and read its output until it closes it; each stream is closed as it ends."""
    said = {descriptor: bytearray() for descriptor in ours.descriptors}
    left = memoryview(feed)
    poll = select.poll()
    for descriptor in ours.descriptors:
        poll.register(descriptor, select.POLLOUT if descriptor == stdin else select.POLLIN)
    while ours.descriptors:
        ready = poll.poll(max(0, deadline - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutExpired
        for descriptor, _ in ready:
            if descriptor == stdin:
                left = left[_written(stdin, left) :]
                is_over = not left
            else:
                said[descriptor] += (chunk := os.read(descriptor, _CHUNK))
                is_over = not chunk
            if is_over:
                poll.unregister(descriptor)
                ours.close(descriptor)
    return said


def _written(stdin: int, left: memoryview) -> int:
    """Write as much as possible without blocking; a program that stops reading counts as having read everything."""
    try:
        return os.write(stdin, left[: select.PIPE_BUF])
    except BrokenPipeError:
        return len(left)


def _wait(pid: int, deadline: float) -> int:
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            raise TimeoutExpired
        time.sleep(_INTERVAL)


def _kill(pid: int) -> None:
    """Kill a program that has not been waited for yet."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def why_not_run(error: Exception, timeout: float) -> tuple[str, str]:
    """Return why a program cannot be run, or did not end, and what to do; its arguments are not shown."""
    if not isinstance(error, OSError):
        return f"it did not end within {timeout:g} s", "run it by hand"
    if error.errno == E2BIG:
        return "a value of main.cf is too long for an argument", "put it into a file, and name that"
    return error.strerror or type(error).__name__, "run it by hand"
