"""Runs the command in forks of one process that has imported the package: a start of Python takes 0.1 s of the processor.

To the system, the command is a process as any other: with arguments, environment, descriptors and an exit code of its own.
What a start itself does is the subject of tests that start Python (``sys.executable``); here it is what comes after.

Known limits: one command at a time, a second one meanwhile is started with Python; so is each where coverage is measured.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NoReturn, TextIO

from testbed import PATIENCE
from testbed.inputs import started

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Done = subprocess.CompletedProcess[str]

ROOT = Path(__file__).parents[2]
#: Octets of the longest message: arguments and environment.
_MESSAGE = 1 << 17
_READ = 1 << 16
#: What commands import when they are run: modules, and all modules of a package.
_MODULES = (
    "structlog",
    "yaml",
    "dotenv",
    "difflib",
    "dns.resolver",
    "encodings.idna",
    *(f"dms_relay.{name}" for name in ("apply", "arguments", "cli", "deferral", "log_lines")),
)
_PACKAGES = ("checks", "commands", "explain", "merge", "plan", "postfix", "relay_test", "render", "sources", "tokens")


class Prepared:
    """The process that forks; it begins with the first command, and ends with this one at the latest."""

    def __init__(self, patience: int = int(PATIENCE)) -> None:
        """Begin without it; ``patience`` is how many seconds a command may take."""
        self._patience = patience
        self._lock = Lock()
        self._asking: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, arguments: Sequence[str], env: Mapping[str, str], feed: str = "") -> Done:
        """Run ``dms-relay`` with these arguments, this environment, and ``feed`` on its standard input."""
        if "COVERAGE_PROCESS_START" in os.environ or not self._lock.acquire(blocking=False):
            return started(arguments, env, feed)
        try:
            return self._run(arguments, env, feed)
        finally:
            self._lock.release()

    def _run(self, arguments: Sequence[str], env: Mapping[str, str], feed: str) -> Done:
        asking = self._begun()
        given = os.memfd_create("stdin")
        os.pwrite(given, feed.encode(), 0)
        (out, its_out), (err, its_err) = os.pipe(), os.pipe()
        message = json.dumps([list(arguments), dict(env), str(Path.cwd()), self._patience]).encode()
        socket.send_fds(asking, [message], [given, its_out, its_err])
        for descriptor in (given, its_out, its_err):
            os.close(descriptor)
        said = _read_all(out, err)
        code = int(asking.recv(_READ))
        if code == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(list(arguments), self._patience, said[out], said[err])
        return subprocess.CompletedProcess(list(arguments), code, said[out].decode(), said[err].decode())

    def _begun(self) -> socket.socket:
        if self._asking is None:
            self._asking, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with its:
                # The locale of the command, which Python reads at its start, is that of an environment without any.
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.support.prepared", str(its.fileno())],
                    pass_fds=[its.fileno()],
                    cwd=ROOT,
                    env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
                )
        return self._asking

    def close(self) -> None:
        """End it; it ends by itself where nobody can ask any more."""
        if self._asking is not None and self._process is not None:
            self._asking.close()
            self._process.wait(PATIENCE)


def _read_all(*descriptors: int) -> dict[int, bytes]:
    """Return what each descriptor gives until nobody has its other end; close them."""
    said = dict.fromkeys(descriptors, b"")
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                if piece := os.read(key.fd, _READ):
                    said[key.fd] += piece
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return said


def _serve(asked: socket.socket) -> None:
    """Fork for each command, and say its exit code, until nobody asks any more."""
    for name in (*_MODULES, *(f"dms_relay.{package}" for package in _PACKAGES)):
        import_module(name)
    for package in _PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / "dms_relay" / package)], f"dms_relay.{package}."):
            import_module(module.name)
    gc.freeze()
    while message := (received := socket.recv_fds(asked, _MESSAGE, 3))[0]:
        if (child := os.fork()) == 0:
            asked.close()
            _become(message, received[1])
        for descriptor in received[1]:
            os.close(descriptor)
        asked.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(message: bytes, descriptors: list[int]) -> NoReturn:
    """Be the command."""
    from dms_relay.cli import run  # noqa: PLC0415 -- here alone: whoever asks has imported it

    arguments, env, directory, patience = json.loads(message)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = _stream(0, "surrogateescape"), _stream(1, "surrogateescape"), _stream(2)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(directory)
    sys.argv = ["dms-relay", *arguments]
    signal.alarm(patience)
    run()
    raise AssertionError("it has ended")


def _stream(number: int, errors: str = "backslashreplace") -> TextIO:
    """Return what Python makes of a descriptor at its start, where the environment names no locale (PEP 538)."""
    mode, buffering = ("r" if number == 0 else "w"), (1 if number == 2 else -1)
    return open(number, mode, buffering, encoding="utf-8", errors=errors, closefd=False)  # type: ignore[return-value]


if __name__ == "__main__":
    # What is interrupted is the one who asks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve(socket.socket(fileno=int(sys.argv[1])))
