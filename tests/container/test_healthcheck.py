"""``docker/healthcheck live`` and ``ready``: a server at port 25 of a network of its own, a process of the name master."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.scene import ROOT, needs_root

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = "/var/spool/postfix"
#: Is called as master(8), where that is to run, with its number in its file; and greets; "none" does not listen.
SCENE = """
import fcntl, os, socket, struct, subprocess, sys, threading
script, word, greeting, lock = sys.argv[1:]
with socket.socket() as lo:
    fcntl.ioctl(lo, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
if lock:
    began = os.stat(lock).st_mtime_ns
    with open("/proc/self/comm", "w") as name, open(lock, "w") as file:
        name.write("master")
        file.write(f"{os.getpid():>10}\\n")
    os.utime(lock, ns=(began, began))
def serve(server):
    session, _ = server.accept()
    session.sendall(greeting.encode() + b"\\r\\n")
    session.recv(100)
if greeting != "none":
    server = socket.create_server(("127.0.0.1", 25))
    threading.Thread(target=serve, args=(server,), daemon=True).start()
sys.exit(subprocess.run([script, word]).returncode)
"""
#: Seconds between two files' times.
LATER = 60
GREETING, BUSY, REFUSES = "220 mail.test ESMTP Postfix", "421 4.3.2 mail.test too busy", "554 5.3.2 mail.test no"


@pytest.fixture(autouse=True)
def own_network() -> None:
    """Skip where no network can be made in which port 25 is free."""
    if os.geteuid() != 0:
        needs_root("a network of its own takes root")
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network of its own can be made here")


class Scene:
    """The files of a Postfix in a queue directory of the test's, and a health check that looks there."""

    def __init__(self, root: Path) -> None:
        """Write them: master(8) began a while ago."""
        self.pid, self.script = root / "pid", root / "healthcheck"
        self.pid.mkdir()
        self.lock, self.marker = self.pid / "master.pid", self.pid / "dms-relay.draining"
        self.lock.touch()
        text = (ROOT / "docker/healthcheck").read_text("utf-8")
        assert QUEUE in text
        self.script.write_text(text.replace(QUEUE, str(root)), "utf-8")
        self.script.chmod(0o755)

    def drain(self, later: int) -> None:
        """Leave the marker of a drain, that many seconds after the start."""
        self.marker.touch()
        then = self.lock.stat().st_mtime_ns + later * 1_000_000_000
        os.utime(self.marker, ns=(then, then))

    def ask(self, word: str, greeting: str = GREETING, *, is_running: bool = True) -> tuple[int, str]:
        """Return the exit code, and what is said on standard output."""
        lock = str(self.lock) if is_running else ""
        command = ["unshare", "--net", sys.executable, "-c", SCENE, str(self.script), word, greeting, lock]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return a scene."""
    return Scene(tmp_path)


@pytest.mark.parametrize(
    ("greeting", "live", "ready"), [(GREETING, 0, 0), (BUSY, 0, 1), (REFUSES, 0, 1), ("none", 1, 1)]
)
def test_greetings(scene: Scene, greeting: str, live: int, ready: int) -> None:
    """Ready is who greets with 220; alive is who greets at all."""
    assert scene.ask("live", greeting)[0] == live
    assert scene.ask("ready", greeting)[0] == ready


def test_a_drain(scene: Scene) -> None:
    """Who drains is alive, even where nobody greets any more, and is not ready, even where Postfix still greets."""
    scene.drain(LATER)
    assert scene.ask("live", "none") == (0, "")
    assert scene.ask("ready") == (1, "the queue is being drained, so Postfix takes no mail\n")
    scene.drain(0)  # a file system may keep no more than seconds
    assert scene.ask("ready")[0] == 1


def test_a_drain_of_before(scene: Scene) -> None:
    """The marker of a drain from before Postfix's start says nothing."""
    scene.drain(-LATER)
    assert scene.ask("ready") == (0, "")
    assert scene.ask("live", "none")[0] == 1


def test_without_master(scene: Scene) -> None:
    """Where master(8) does not run, nothing is alive: whoever greets is somebody else, and nothing drains either."""
    scene.drain(LATER)
    assert scene.ask("live", is_running=False) == (1, "Postfix's master does not run\n")
    scene.lock.unlink()
    assert scene.ask("live", is_running=False)[0] == 1


def test_the_keeper_does_not_count(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the keeper has to say, such as a wrong input, is nothing to a liveness or a readiness probe."""
    state = scene.pid / "state"
    state.mkdir()
    (state / "health").write_text("wrong\nthe inputs are wrong\n")
    monkeypatch.setenv("DMS_RELAY_STATE_DIR", str(state))
    assert scene.ask("live")[0] == scene.ask("ready")[0] == 0
