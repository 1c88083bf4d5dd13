"""The fleet's surroundings: an isolated network of podman, and on it the server to which the relays deliver.

A context manager; writes below ``directory``. The server is reachable by its host name, and its accepted logins can be
changed while it runs.
"""

from __future__ import annotations

import importlib.util
import json
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import trustme

from testbed.fleet import podman
from testbed.fleet.cluster import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: The server's name, and the login that it first accepts.
HOST, USER, PASSWORD = "relay.test", "user", "first"
#: Seconds after which replicas try again what has not arrived.
FLUSH = 1.0
#: Packages that the server needs besides the image's own Python; all are pure Python.
PACKAGES = ("aiosmtpd", "public", "attr", "attrs")


class Site:
    """A network and a server."""

    def __init__(self, directory: Path, image: str, processes: int = 1, host: str = HOST) -> None:
        """Prepare, with a unique name; ``processes`` and ``host`` are the server's."""
        self.host = host
        self.processes = processes
        self.directory = directory
        self.image = image
        self.name = f"fleet-{uuid.uuid4().hex[:8]}"
        self._server, self._service = f"{self.name}-upstream", f"{self.name}-service"

    def __enter__(self) -> Self:
        """Start both."""
        podman.call("network", "create", "--internal", self.name)
        subnet = podman.inspect("network", "inspect", self.name)["subnets"][0]
        #: The network of the pods; and the host's own address on it.
        self.network, self.gateway = str(subnet["subnet"]), str(subnet["gateway"])
        self.take(USER, PASSWORD)
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove both."""
        for container in (self._server, self._service):
            podman.call("rm", "--force", "--volumes", "--ignore", "--time=0", container, check=False)
        podman.call("network", "rm", "--force", self.name, check=False)

    def take(self, user: str, *passwords: str) -> None:
        """Make the server accept only this user with these passwords from now on."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "logins").write_text("".join(f"{user}:{password}\n" for password in passwords))

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Pause the server: what was sent to it waits, and mail waits in the replicas' queues."""
        podman.call("pause", self._server)
        try:
            yield
        finally:
            podman.call("unpause", self._server)

    def records(self) -> list[dict[str, Any]]:
        """Return the server's records; the last line may not be complete yet."""
        text = (self.directory / "records").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def count(self) -> int:
        """Return the number of messages that the server has recorded."""
        with (self.directory / "records").open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

    def wait_for(self, identities: Iterable[str], flush: Callable[[], object]) -> None:
        """Wait until all these messages have arrived; ``flush`` has the replicas try again, every ``FLUSH`` seconds.

        Without it one failure is enough to wait in vain: podman's name server can fail for some seconds after a container
        has gone, and Postfix would try again after minutes.
        """
        missing = set(identities)
        flushed = time.monotonic()

        def have_come() -> bool:
            nonlocal flushed
            missing.difference_update(record["id"] for record in self.records())
            if missing and time.monotonic() - flushed > FLUSH:
                flush()
                flushed = time.monotonic()
            return not missing

        wait_for(have_come, f"messages of the {len(missing)} that are to come")

    def give_name(self, host: str, address: str) -> None:
        """Create a host name on the network whose port 25 is that of an address: a Service of one pod."""
        options = ["--detach", "--no-healthcheck", f"--name={self._service}"]
        options += [f"--network={self.name}", f"--network-alias={host}"]
        options += [f"--volume={Path(__file__).with_name('forward.py')}:/forward.py:ro"]
        podman.call("run", *options, self.image, "python3", "/forward.py", "25", address)
        wait_for(lambda: "it listens" in podman.call("logs", self._service), host)

    def _start(self) -> None:
        self._make_certificate()
        (self.directory / "records").touch()
        mounts = {self.directory: "/site:rw", Path(__file__).with_name("upstream.py"): "/upstream.py:ro"}
        mounts |= {_place(package): f"/packages/{package}:ro" for package in PACKAGES}
        options = ["--detach", "--no-healthcheck", f"--name={self._server}", "--env=PYTHONPATH=/packages"]
        options += [f"--network={self.name}", f"--network-alias={self.host}"]
        options += [f"--volume={source}:{target}" for source, target in mounts.items()]
        files = [f"/site/{name}" for name in ("certificate.pem", "key.pem", "logins", "records")]
        podman.call("run", *options, self.image, "python3", "/upstream.py", *files, f"{self.processes}")
        wait_for(lambda: "the relay is ready" in podman.call("logs", self._server), "the server")

    def _make_certificate(self) -> None:
        authority = trustme.CA()
        #: The certificate of the authority, as PEM.
        self.authority = authority.cert_pem.bytes().decode("ascii")
        certificate = authority.issue_cert(self.host)
        certificate.private_key_pem.write_to_path(str(self.directory / "key.pem"))
        for part in certificate.cert_chain_pems:
            part.write_to_path(str(self.directory / "certificate.pem"), append=True)


def _place(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
