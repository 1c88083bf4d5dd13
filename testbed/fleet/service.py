"""Plays a Service: passes each connection to one of the ready replicas, as kube-proxy does.

Readiness comes from the probes (failureThreshold), and from the caller's `Service.join` and `Service.leave`. Between a
replica's death and the probe that notices it, connections to it fail, as in a cluster: the client tries again.

Runs an event loop in its own thread. Known limits: no session affinity; a removed replica joins again only when the caller
says so; a probe through podman costs 0.1 s of CPU time, so probes are less frequent than a cluster could have them.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from typing import TYPE_CHECKING, Self

from testbed.patience import PATIENCE

if TYPE_CHECKING:
    from testbed.fleet.cluster import Cluster

#: Seconds between two rounds of probes, and seconds within which a replica must accept a connection.
PERIOD = 1.0
CONNECT = 5.0
#: Default failures of a readiness probe after which a replica gets no more connections.
THRESHOLD = 3
#: Maximum waiting connections; maximum octets to forward at once.
BACKLOG, CHUNK = 512, 65_536
SMTP = 25


class Service:
    """A balancer on one address; a context manager."""

    def __init__(self, cluster: Cluster, host: str, port: int = 0, seed: int = 0) -> None:
        """Prepare; port 0 takes a free one."""
        self.cluster = cluster
        self.host, self.port = host, port
        self.endpoints: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._random = random.Random(seed)  # noqa: S311 -- no secret
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._ending = threading.Event()
        self._prober = threading.Thread(target=self._probe_again, daemon=True)

    def __enter__(self) -> Self:
        """Find the ready replicas, and listen."""
        self._probe()
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE)
        self._prober.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening, and drop open connections."""
        self._ending.set()
        self._prober.join(PATIENCE)
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def join(self, name: str) -> None:
        """Pass connections to a ready replica."""
        self._failures[name] = 0
        self.endpoints = {**self.endpoints, name: self.cluster.address(name)}

    def leave(self, name: str) -> None:
        """Pass no more connections to a replica: it is being deleted, or is gone."""
        self._failures.pop(name, None)
        self.endpoints = {key: value for key, value in self.endpoints.items() if key != name}

    def _probe_again(self) -> None:
        while not self._ending.wait(PERIOD):
            self._probe()

    def _probe(self) -> None:
        """Count the failed probes of the current replicas."""
        for name in list(self._failures):
            limit = self.cluster.pod(name).container["readinessProbe"].get("failureThreshold", THRESHOLD)
            is_ready = self.cluster.probe(name)
            if name in self._failures:
                self._failures[name] = 0 if is_ready else self._failures[name] + 1
                if self._failures[name] >= limit:
                    self.leave(name)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass, self.host, self.port, backlog=BACKLOG)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client with a replica, until either closes."""
        with contextlib.closing(writer):
            endpoints = list(self.endpoints.values())
            if not endpoints:
                return
            with contextlib.suppress(OSError, TimeoutError):
                await self._join(reader, writer, self._random.choice(endpoints))

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        inner_reader, inner_writer = await asyncio.wait_for(asyncio.open_connection(address, SMTP), CONNECT)
        with contextlib.closing(inner_writer):
            ways = [asyncio.create_task(_copy(reader, inner_writer)), asyncio.create_task(_copy(inner_reader, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
