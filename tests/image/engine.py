"""Drives a container engine, docker or podman, through its command line.

Reads ``CONTAINER_ENGINE`` (docker or podman; without it, the first of the two that answers) and
``IMAGE_BUILD_CONTAINERS_CONF`` (``CONTAINERS_CONF`` for a build alone). What the engine refuses raises ``EngineError``
with what it said.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The project's root, from which the image is built.
ROOT = Path(__file__).resolve().parents[2]
#: Seconds for one call of the engine, and for a build from nothing.
CALL_TIMEOUT = 120
BUILD_TIMEOUT = 600
#: Seconds for which it is remembered what a test run has built.
NOTES_KEPT = 86_400
#: Seconds until what a test waits for must have come; and between two looks: at first, and at most. A look through the
#: engine costs 0.1 s of processor time, which containers that start need, too.
PATIENCE = 120.0
INTERVAL = 0.05
INTERVAL_MAX = 0.4
#: Fields of a line in the log file of a podman container before the text: time, stream, whether the line is whole.
LOG_FIELDS = 3
#: When this process was started, nearly: later processes may get its number (the notes of ``_build_lock`` outlive it).
_STARTED = time.time_ns()
#: What podman says of a directory that is still mounted somewhere (EBUSY).
BUSY = "device or resource busy"
#: What master(8) logs when Postfix takes mail.
READY = "daemon started"


class EngineError(Exception):
    """The engine refused."""


class Engine(NamedTuple):
    """One engine, by its program."""

    program: str
    #: Where podman keeps what its containers say, by their ids.
    containers: Path | None = None

    @property
    def often(self) -> tuple[str, ...]:
        """What has ``wait`` look every 50 ms; podman does it every 250 ms otherwise."""
        return ("--interval=50ms",) if self.program == "podman" else ()

    @property
    def at_once(self) -> tuple[str, ...]:
        """What has a container ended at once that is removed; podman waits for 10 s otherwise."""
        return ("--time=0",) if self.program == "podman" else ()

    def call(self, *arguments: str, check: bool = True, feed: str = "") -> str:
        """Run the engine and give what it says, both streams as they come."""
        done = subprocess.run(
            [self.program, *arguments],
            input=feed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=CALL_TIMEOUT,
        )
        if check and done.returncode:
            raise EngineError(f"{self.program} {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def build(self, *options: str, context: Path = ROOT, tag: str = "dms-relay:test") -> str:
        """Build an image, with options of ``build``, and give its number; one image at a time.

        Of several processes of one test run, the first builds it, and the others take what it has built.
        """
        with _build_lock(tag) as built:
            if number := built.read_text("ascii"):
                return number
            number = self._build(*options, context=context, tag=tag)
            built.write_text(number, "ascii")
            return number

    def _build(self, *options: str, context: Path, tag: str) -> str:
        environ = {"BUILDAH_FORMAT": "docker", **os.environ}
        if config := environ.get("IMAGE_BUILD_CONTAINERS_CONF"):
            environ["CONTAINERS_CONF"] = config
        with tempfile.TemporaryDirectory() as directory:
            number = Path(directory, "number")
            done = subprocess.run(
                [self.program, "build", *options, "--tag", tag, "--iidfile", str(number), str(context)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=BUILD_TIMEOUT,
                env=environ,
            )
            if done.returncode:
                raise EngineError(f"the build failed with exit code {done.returncode}\n{done.stdout}")
            return number.read_text("ascii")

    def has(self, image: str) -> bool:
        """Return True if an image is here, or can be had from a registry."""
        done = subprocess.run([self.program, "image", "inspect", image], capture_output=True, check=False)
        if done.returncode == 0:
            return True
        try:
            self.call("pull", image)
        except (EngineError, subprocess.TimeoutExpired):
            return False
        return True

    def log(self, container: str, number: str) -> str:
        """Return what a container has said so far, both streams; ``number`` is its id.

        Where podman writes that to a file (its driver k8s-file), it is read there: ``podman logs`` costs 0.1 s of CPU.
        """
        file = self.containers and self.containers / number / "userdata/ctr.log"
        if not file or not file.is_file():
            return self.call("logs", container)
        lines = file.read_bytes().split(b"\n")
        said = b"".join(_text(line) for line in lines[:-1])  # the last is empty, or not written to its end
        return said.decode("utf-8", "replace")

    def image(self, number: str) -> dict[str, Any]:
        """Return what the engine knows of an image."""
        return self.inspect("image", "inspect", number)

    def inspect(self, *arguments: str) -> dict[str, Any]:
        """Return the first object of a JSON answer; what the engine says beside it does not count."""
        done = subprocess.run([self.program, *arguments], capture_output=True, check=True, timeout=CALL_TIMEOUT)
        found: dict[str, Any] = json.loads(done.stdout)[0]
        return found


@contextmanager
def _build_lock(tag: str) -> Iterator[Path]:
    """Keep other processes from building; yield the file with the number of what this run has built under a tag, or nothing.

    Without pytest-xdist a run is one process. The builds of other runs wait as well: they use the same tags.
    """
    temporary, user = Path(tempfile.gettempdir()), os.getuid()
    with (temporary / f"dms-relay-image-{user}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}.{_STARTED}")
        directory = temporary / f"dms-relay-image-{user}"
        directory.mkdir(mode=0o700, exist_ok=True)
        _forget_other_runs(directory, run)
        built = directory / f"{run}-{tag.replace(':', '-')}"
        built.touch()
        yield built


def _forget_other_runs(directory: Path, run: str) -> None:
    """Remove what other runs have noted, more than a day ago."""
    for path in directory.iterdir():
        if not path.name.startswith(f"{run}-") and time.time() - path.stat().st_mtime > NOTES_KEPT:
            path.unlink()


def find_engine() -> Engine | None:
    """Return the engine that answers, ``None`` where none does. A program on PATH may have no engine behind it."""
    told = os.environ.get("CONTAINER_ENGINE")
    for program in [told] if told else ["docker", "podman"]:
        try:
            done = subprocess.run([program, "info"], capture_output=True, check=False, timeout=CALL_TIMEOUT)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return Engine(program, _containers() if program == "podman" else None)
    return None


def _containers() -> Path:
    """Return the directory of podman's containers (containers-storage.conf(5))."""
    done = subprocess.run(["podman", "info", "--format=json"], capture_output=True, check=True)
    store = json.loads(done.stdout)["store"]
    return Path(store["graphRoot"], f"{store['graphDriverName']}-containers")


def _text(line: bytes) -> bytes:
    """Return what a container wrote, from a line of its log; a piece of a long line (``P``) has no line end."""
    _, _, piece, text = line.split(b" ", LOG_FIELDS)
    return text if piece == b"P" else text + b"\n"


class Container:
    """One container, by its name; ``number`` is its id, once it has one."""

    def __init__(self, engine: Engine, name: str, number: str = "") -> None:
        """Take a container that runs, or has run."""
        self.engine = engine
        self.name = name
        self.number = number

    def execute(self, *command: str, check: bool = True, feed: str = "") -> str:
        """Run a command in the container and give what it says: both streams, in no order between them."""
        return self.engine.call("exec", "-i", self.name, *command, check=check, feed=feed)

    def log(self) -> str:
        """Return what the container has said so far, both streams."""
        return self.engine.log(self.name, self.number)

    def state(self) -> dict[str, Any]:
        """Return what the engine knows of the container."""
        return self.engine.inspect("inspect", self.name)

    def address(self, version: int = 4) -> str:
        """Return the container's first address."""
        key = "GlobalIPv6Address" if version == 6 else "IPAddress"
        return str(next(iter(self.state()["NetworkSettings"]["Networks"].values()))[key])

    def wait_until_ready(self, times: int = 1) -> None:
        """Wait until Postfix takes mail, for the given number of starts."""
        wait_for(lambda: self.log().count(READY) >= times, f"{self.name}: {times} x {READY!r}")

    def wait_until_ended(self) -> int:
        """Wait until the container has ended, and give its exit code."""
        return int(self.engine.call("wait", *self.engine.often, self.name))

    def stop(self) -> tuple[int, float]:
        """Stop it as a person would; give the exit code, and the seconds that it took."""
        begin = time.monotonic()
        self.engine.call("stop", self.name)
        seconds = time.monotonic() - begin
        return self.wait_until_ended(), seconds

    def remove(self) -> None:
        """Take it away with its unnamed volumes, whatever it does, at once: podman's ``rm -f`` waits for 10 s.

        On a busy machine a mount of the container may still be in use when its processes have gone.
        """
        wait_for(self._is_removed, f"{self.name} to be removed")

    def _is_removed(self) -> bool:
        try:
            self.engine.call("rm", "-f", "-v", *self.engine.at_once, self.name)
        except EngineError as error:
            if BUSY not in str(error):
                raise
            return False
        return True


class Sender(str):
    """A sender's address, with the container at which its message was handed in."""

    __slots__ = ("container",)
    container: Container


def send(container: Container, domain: str) -> Sender:
    """Hand a message in, from a new sender in ``domain``; return that sender."""
    sender = Sender(f"user-{uuid.uuid4().hex[:8]}@{domain}")
    sender.container = container
    container.execute("sendmail", "-f", sender, "someone@elsewhere.test", feed="Subject: test\n\ntest\n")
    return sender


def wait_for(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait until a condition holds; fail, saying what was waited for, where it does not in time."""
    deadline = time.monotonic() + patience
    interval = INTERVAL
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience} s in vain for {what}"
        time.sleep(interval)
        interval = min(interval * 1.5, INTERVAL_MAX)
