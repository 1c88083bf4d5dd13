"""A container whose standard output is a socket, which no program can open by name; Postfix logs by name."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.image.engine import send, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.image.conftest import Relay, Starter
    from tests.image.engine import Container

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
#: Becomes the entrypoint, with a socket as standard output, as process 1.
CONNECT = """
import os, socket
log = socket.socket(socket.AF_UNIX)
log.connect("/log/socket")
{more}
os.dup2(log.fileno(), 1)
os.execv("/usr/local/bin/docker-entrypoint.sh", ["docker-entrypoint.sh"])
"""
HERE = {"DEFAULT_RELAY_HOST": "[relay.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "secret"}
#: Reloads, each with an end and a new start of Postfix's log server.
RELOADS = 3


class Log(threading.Thread):
    """The other end of the socket, outside of the container."""

    def __init__(self, directory: Path) -> None:
        """Listen."""
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(directory / "socket"))
        self.listener.listen()
        self.data = b""
        self.start()

    def run(self) -> None:
        """Read to the end."""
        self.connection, _ = self.listener.accept()
        with self.connection, suppress(OSError):
            while data := self.connection.recv(65_536):
                self.data += data

    def hang_up(self) -> None:
        """Read no more."""
        self.connection.shutdown(socket.SHUT_RDWR)
        self.join()

    def text(self) -> str:
        """Return what has come so far."""
        return self.data.decode()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Yield where the log of a test's container comes out."""
    directory = tmp_path / "log"
    directory.mkdir()
    log = Log(directory)
    yield log
    print(f"--- what came through the socket\n{log.text()}")
    log.listener.close()


def begin(start: Starter, tmp_path: Path, log: Log, more: str = "", *options: str) -> Container:
    """Start a container with the socket, and wait until its Postfix takes mail."""
    mount = f"--volume={tmp_path}/log:/log"
    script = CONNECT.format(more=more)
    container = start(mount, "--entrypoint=python3", *options, command=("-c", script), **HERE)
    wait_for(lambda: "daemon started" in log.text(), "the log")
    return container


@pytest.mark.parametrize("more", ["", "log.setblocking(False)"], ids=["blocking", "non-blocking"])
def test_the_log_arrives(start: Starter, relay: Relay, tmp_path: Path, log: Log, more: str) -> None:
    """All of the log arrives: of the start, deliveries, reloads, and the stop."""
    container = begin(start, tmp_path, log, more)
    for number in range(RELOADS):
        container.execute("postfix", "reload")
        wait_for(lambda: log.text().count(": reload -- version") == number + 1, "a reload")  # noqa: B023 -- at once
        relay.wait_for_mail(send(container, "example.test"))
    wait_for(lambda: log.text().count("status=sent") == RELOADS, "the deliveries")
    container.engine.call("stop", container.name)
    assert container.wait_until_ended() == 0
    log.join(10)
    # postlog(1) says it on standard error as well: Postfix's log server may end before it has read it (seen, under load).
    assert "stopping the Postfix mail system" in log.text() + container.log()
    assert "applied: " in log.text().splitlines()[0]


def test_nothing_is_lost_at_the_end(start: Starter, tmp_path: Path, log: Log) -> None:
    """What a hook says right before it fails arrives whole, be it more than a pipe holds."""
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nseq 200000\necho the last line\nexit 3\n")
    hook.chmod(0o755)
    options = (f"--volume={hook}:/docker-entrypoint.d/40-fails:ro", f"--volume={tmp_path}/log:/log")
    container = start(*options, "--entrypoint=python3", command=("-c", CONNECT.format(more="")), **HERE)
    assert container.wait_until_ended() == 3
    log.join(10)
    assert log.text().splitlines()[-200_001:] == [*map(str, range(1, 200_001)), "the last line"]


def test_what_a_hook_leaves_behind_holds_nothing_up(start: Starter, tmp_path: Path, log: Log) -> None:
    """A process that a hook leaves behind keeps the pipe open: the stop does not wait for it beyond a second."""
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nsleep 600 &\n")
    hook.chmod(0o755)
    container = begin(start, tmp_path, log, "", f"--volume={hook}:/docker-entrypoint.d/40-stays:ro")
    container.engine.call("stop", container.name)
    assert container.wait_until_ended() == 0
    # As above: on either stream.
    assert "stopping the Postfix mail system" in log.text() + container.log()


def test_a_reader_that_has_gone(start: Starter, relay: Relay, tmp_path: Path, log: Log) -> None:
    """Where nobody reads the log any more, that is said once on standard error, and mail goes on."""
    container = begin(start, tmp_path, log)
    log.hang_up()
    for _ in range(2):
        relay.wait_for_mail(send(container, "example.test"))
    container.engine.call("stop", container.name)
    assert container.wait_until_ended() == 0
    said = "docker-entrypoint: error: standard output takes nothing more (Broken pipe), so Postfix's log is lost"
    assert container.log().count(said) == 1


def test_nothing_comes_in_between_otherwise(start: Starter) -> None:
    """With the engine's pipe there is no further process, and hooks see no variable of ours."""
    container = start.ready()
    assert "stdout_pipe" not in container.execute("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
