"""Fixtures of the image's tests: the engine, the image, a network, a relay on it, and containers that are cleaned up.

Without an engine, or an image of Debian for it, the tests skip, with the reason; with ``REQUIRE_IMAGE_TESTS=1`` that is a
failure.
"""

from __future__ import annotations

import importlib.util
import json
import os
import uuid
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import trustme

from tests.image.engine import ROOT, Container, Engine, EngineError, Sender, find_engine, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Packages that the relay needs beside the image's own Python; all are pure Python.
RELAY_PACKAGES = ("aiosmtpd", "public", "attr", "attrs")

#: Looks at a relay after which Postfix is told to try again: some 20 s.
LOOKS = 40

#: The image that the Dockerfile begins with.
DEBIAN = "debian:trixie-slim"


def unique(what: str) -> str:
    """Make a name that nothing else has, also where several test processes run."""
    return f"dms-relay-test-{what}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Return the container engine, which has the image that ours begins with."""
    found = find_engine()
    if found is None:
        give_up("no container engine answers: neither docker nor podman")
    if not found.has(DEBIAN):
        give_up(f"{DEBIAN} is neither here nor to be had")
    return found


def give_up(reason: str) -> NoReturn:
    """Skip what cannot run here, or fail where it must."""
    if os.environ.get("REQUIRE_IMAGE_TESTS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """Build the image once for each test session; give its number."""
    return engine.build("--target=relay")


class Starter:
    """Starts containers and remembers them."""

    def __init__(self, engine: Engine, image: str, network: str) -> None:
        """Take the network that the containers join."""
        self.engine = engine
        self.image = image
        self.network = network
        self.started: list[Container] = []
        self.volumes: list[str] = []

    def __call__(self, *options: str, command: tuple[str, ...] = (), **environ: str) -> Container:
        """Start a container of the image with options of ``run`` and environment variables; do not wait for it."""
        name = unique("container")
        if not any(option.startswith("--network=") for option in options):
            options = (f"--network={self.network}", *options)
        settings = [f"--env={key}={value}" for key, value in environ.items()]
        container = Container(self.engine, name)
        self.started.append(container)
        said = self.engine.call(
            "run", "-d", "--name", name, "--no-healthcheck", *options, *settings, self.image, *command
        )
        container.number = said.split()[-1]
        return container

    def ready(self, *options: str, **environ: str) -> Container:
        """Start a container with the default command and wait until its Postfix takes mail."""
        container = self(*options, command=(), **environ)
        container.wait_until_ready()
        return container

    def clean_up(self) -> None:
        """Show the logs, which pytest prints where a test failed; remove all containers, then the volumes that they used."""
        for container in reversed(self.started):
            with suppress(EngineError):  # it may be gone
                print(f"--- log of {container.name}\n{container.log()}")
            container.remove()
        for name in self.volumes:
            self.engine.call("volume", "rm", name)

    def new_volume(self) -> str:
        """Make an empty volume; return its name."""
        name = unique("volume")
        self.engine.call("volume", "create", name)
        self.volumes.append(name)
        return name


@pytest.fixture(scope="session")
def network(engine: Engine) -> Iterator[str]:
    """Yield a network without a way out, on which containers find each other by name."""
    name = unique("network")
    engine.call("network", "create", "--internal", name)
    yield name
    engine.call("network", "rm", name)


@pytest.fixture
def start(engine: Engine, image: str, network: str) -> Iterator[Starter]:
    """Yield what starts a test's containers."""
    starter = Starter(engine, image, network)
    yield starter
    starter.clean_up()


@pytest.fixture(scope="session")
def long_lived(engine: Engine, image: str, network: str) -> Iterator[Starter]:
    """Yield what starts the containers that all tests share."""
    starter = Starter(engine, image, network)
    yield starter
    starter.clean_up()


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    """Return a configuration directory, which a test fills before it starts a container."""
    directory = tmp_path / "config"
    directory.mkdir()
    return directory


@pytest.fixture
def volume(start: Starter) -> str:
    """Return the name of an empty volume. Docker removes none that a container uses, so it goes after these."""
    return start.new_volume()


class Relay(Container):
    """A relay, on port 587."""

    def received(self, sender: str) -> list[dict[str, Any]]:
        """Return what it has received from one sender so far."""
        records = (json.loads(line) for line in self.log().splitlines() if line.startswith("{"))
        return [record for record in records if record["from"] == sender]

    def wait_for_mail(self, sender: str) -> dict[str, Any]:
        """Wait for the one message from a sender."""
        looks = count(1)

        def has_arrived() -> bool:
            # While another container is set up, a name may not be found for a moment; Postfix would wait for 5 minutes.
            if isinstance(sender, Sender) and next(looks) % LOOKS == 0:
                sender.container.execute("postqueue", "-f", check=False)
            return bool(self.received(sender))

        wait_for(has_arrived, f"mail from {sender} at the relay")
        [record] = self.received(sender)
        return record


@pytest.fixture(scope="session")
def relay(long_lived: Starter, tmp_path_factory: pytest.TempPathFactory) -> Relay:
    """Start the relay, known as ``relay.test``."""
    return start_relay(long_lived, "relay.test", tmp_path_factory.mktemp("relay"))


def start_relay(start: Starter, host: str, directory: Path) -> Relay:
    """Start a relay under a host name: a container with a Python of its own, and a server of ours in it."""
    certificate = trustme.CA().issue_cert(host)
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
    for part in certificate.cert_chain_pems:
        part.write_to_path(str(directory / "certificate.pem"), append=True)
    mounts = [f"--volume={directory}:/certificate:ro", f"--volume={ROOT}/tests/image/relay_server.py:/relay.py:ro"]
    mounts += [f"--volume={_place(package)}:/packages/{package}:ro" for package in RELAY_PACKAGES]
    command = ("python3", "/relay.py", "/certificate/certificate.pem", "/certificate/key.pem")
    started = start(f"--network-alias={host}", *mounts, command=command, PYTHONPATH="/packages")
    relay = Relay(started.engine, started.name, started.number)
    wait_for(lambda: "the relay is ready" in relay.log(), f"the relay {host}")
    return relay


def _place(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture(scope="session")
def stranger(long_lived: Starter) -> Container:
    """Return another container on the network, from which a client can come."""
    return long_lived(command=("sleep", "3600"))
