"""Runs the chart's pods on podman, as a cluster's controllers and kubelet do: starts, probes, kills, deletes.

`Cluster.apply` takes the output of `helm template`, as `kubectl apply` does: changed ConfigMaps and Secrets are written
into the volumes of running pods. `Cluster.delete` ends a pod as Kubernetes documents it ("Termination of Pods"): preStop,
TERM, and KILL after the grace period. Claims stay. The caller tells the Service to send it no more (`service`).

Writes below ``directory`` and in podman's volumes; `Cluster.clean_up` removes the latter. Known limits: one container per
pod; only podman restarts a pod, if its process 1 ends; a StatefulSet's changed template takes effect at the next start of
a pod.
"""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.fleet import podman, translate, volumes
from testbed.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.fleet.translate import Object, Pod

#: Default seconds that Kubernetes gives a pod to end.
GRACE = 30
#: Seconds between two looks.
INTERVAL = 0.1


@dataclass(frozen=True)
class End:
    """How a pod ended."""

    exit_code: int
    #: The output of preStop, and its exit code; ``None`` if there is no preStop, or it was cut short.
    said: str
    pre_stop: int | None
    seconds: float
    #: The pod's output, both streams.
    log: str = field(repr=False)

    def __str__(self) -> str:
        """Return all of it as text."""
        return f"{self!r}\n{self.log}"


class Cluster:
    """One machine with podman on it, for the pods of one chart."""

    def __init__(self, directory: Path, network: str, image: str) -> None:
        """Put volumes below ``directory``, and pods into ``network``; each runs ``image``."""
        self.directory = directory
        self.network = network
        self.image = image
        self.objects: list[Object] = []
        self._claimed: set[str] = set()
        self._started: set[str] = set()

    def apply(self, objects: list[Object]) -> None:
        """Replace the objects: running pods see the changes in ConfigMaps and Secrets."""
        self.objects = objects
        for pod in self.pods:
            if pod.name in self._started:
                self._write(pod)

    @property
    def pods(self) -> list[Pod]:
        """The pods that should exist."""
        return translate.pods(self.objects, self.directory, self.image)

    def pod(self, name: str) -> Pod:
        """Return one pod."""
        [found] = [pod for pod in self.pods if pod.name == name]
        return found

    def start(self, name: str) -> None:
        """Start a pod on new volumes, but on its existing claims."""
        pod = self.pod(name)
        self._claim(pod)
        for volume in pod.spec.get("volumes", []):
            if "emptyDir" in volume:
                is_in_memory = volume["emptyDir"].get("medium") == "Memory"
                directory = translate.directory_of(self.directory, name, volume["name"])
                volumes.empty(directory, pod.fs_group, is_in_memory=is_in_memory)
        self._write(pod)
        self._started.add(name)
        podman.call("kube", "play", "--network", self.network, "-", feed=json.dumps(pod.document))

    def kill(self, name: str) -> None:
        """Kill all processes of a pod at once, as when a node dies."""
        podman.call("kill", "--signal=KILL", self.container(name))

    def delete(self, name: str) -> End:
        """End a pod gracefully and remove it; its claims stay."""
        pod, begin = self.pod(name), time.monotonic()
        grace = pod.spec.get("terminationGracePeriodSeconds", GRACE)
        said, code = self._pre_stop(pod, grace)
        left = max(1, round(grace - (time.monotonic() - begin)))
        podman.call("stop", f"--time={left}", self.container(name))
        state = podman.inspect("inspect", self.container(name))["State"]
        end = End(int(state["ExitCode"]), said, code, time.monotonic() - begin, self.log(name))
        self.remove(name)
        return end

    def begin_to_delete(self, name: str) -> Future[End]:
        """Begin to end a pod gracefully, and return at once."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(self.delete, name)
        pool.shutdown(wait=False)
        return future

    def remove(self, name: str) -> None:
        """Remove a pod at once, whatever it does."""
        podman.call("pod", "rm", "--force", "--time=0", name)
        self._started.discard(name)

    def execute(self, name: str, *command: str, feed: str = "") -> str:
        """Run a command in a pod; return its standard output."""
        return podman.call("exec", "-i", self.container(name), *command, feed=feed)

    def log(self, name: str) -> str:
        """Return a pod's output since its start, both streams."""
        done = subprocess.run(["podman", "logs", self.container(name)], capture_output=True, text=True, check=False)
        return done.stderr + done.stdout

    def address(self, name: str) -> str:
        """Return a pod's address."""
        infra = podman.inspect("pod", "inspect", name, "--format", "[{{json .}}]")["InfraContainerID"]
        return str(podman.inspect("inspect", infra)["NetworkSettings"]["Networks"][self.network]["IPAddress"])

    def started_at(self, name: str) -> str:
        """Return when a pod's container was started."""
        return str(podman.inspect("inspect", self.container(name))["State"]["StartedAt"])

    def probe(self, name: str, kind: str = "readinessProbe") -> bool:
        """Run one of a pod's probes; return True if it succeeds."""
        return podman.code("exec", self.container(name), *self.pod(name).container[kind]["exec"]["command"]) == 0

    def wait_until_ready(self, name: str) -> None:
        """Wait until a pod takes mail."""
        try:
            wait_for(lambda: self.probe(name), f"{name} to be ready")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log(name)}") from None

    def container(self, name: str) -> str:
        """Return the name that podman gives a pod's container."""
        return f"{name}-{self.pod(name).container['name']}"

    def claim(self, name: str, volume: str) -> Path:
        """Return the host's directory of one of a pod's claims."""
        return Path(podman.inspect("volume", "inspect", self.pod(name).claims[volume])["Mountpoint"])

    def clean_up(self) -> None:
        """Remove all pods and claims."""
        for name in sorted(self._started):
            podman.call("pod", "rm", "--force", "--time=0", name, check=False)
        for claim in sorted(self._claimed):
            podman.call("volume", "rm", "--force", claim, check=False)

    def _write(self, pod: Pod) -> None:
        for volume in pod.spec.get("volumes", []):
            files = translate.files(volume, self.objects)
            if files is not None:
                directory = translate.directory_of(self.directory, pod.name, volume["name"])
                volumes.write(directory, files, pod.fs_group)

    def _claim(self, pod: Pod) -> None:
        """Create the missing claims of a pod; podman reports an error for existing ones."""
        for claim in translate.claims(self.objects):
            name = claim["metadata"]["name"]
            if name in pod.claims.values() and name not in self._claimed:
                self._claimed.add(name)
                podman.call("kube", "play", "-", feed=json.dumps(claim))
                volumes.formatted(Path(podman.inspect("volume", "inspect", name)["Mountpoint"]), pod.fs_group)

    def _pre_stop(self, pod: Pod, grace: float) -> tuple[str, int | None]:
        hook = pod.container.get("lifecycle", {}).get("preStop")
        if hook is None:
            return "", None
        command = ["podman", "exec", self.container(pod.name), *hook["exec"]["command"]]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=grace)
        except subprocess.TimeoutExpired:
            return "", None
        return done.stdout + done.stderr, done.returncode


def wait_for(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait until a condition holds. Raises TimeoutError, which names what was waited for."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience} s in vain for {what}")
        time.sleep(INTERVAL)
