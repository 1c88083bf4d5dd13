"""Runs the chart's replicas: a context manager for tests and the benchmark.

`Fleet.change` is a `helm upgrade` of mounted data: values and the password change, and no pod is restarted.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from testbed.fleet.chart import render, secret
from testbed.fleet.cluster import Cluster
from testbed.fleet.site import HOST, PASSWORD, USER, Site

if TYPE_CHECKING:
    from pathlib import Path

#: Where the chart mounts the keys of the Secret.
SECRETS = "/run/secrets/dms-relay"


def relay_yaml(user: str) -> dict[str, Any]:
    """Return a configuration that sends all mail to the server, over TLS with a verified certificate, and a login."""
    login = {"username": user, "password_file": f"{SECRETS}/password"}
    tls = {"ca_file": f"{SECRETS}/authority"}
    return {"version": 1, "relays": {"main": {"host": HOST, "tls": tls, "login": login}}, "default": "main"}


class Fleet:
    """Some replicas, their network, and the server to which they deliver."""

    def __init__(self, directory: Path, image: str, processes: int = 1, **values: Any) -> None:  # noqa: ANN401
        """Prepare; ``processes`` are the server's, ``values`` the chart's, in addition to those that a fleet needs."""
        self.site = Site(directory / "site", image, processes)
        self.name = self.site.name
        self.cluster = Cluster(directory / "pods", self.name, image)
        self.values = {"relayYaml": relay_yaml(USER), "existingSecret": f"{self.name}-login", **values}
        self.user, self.password = USER, PASSWORD

    def __enter__(self) -> Self:
        """Start everything, and wait until all replicas are ready."""
        self.site.__enter__()
        try:
            self.values = {"permit": [self.site.network], "fullnameOverride": self.name, **self.values}
            self.change()
            self.start(*self.names)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Remove everything."""
        self.cluster.clean_up()
        self.site.__exit__()

    def change(self, password: str = "", user: str = "", **values: Any) -> None:  # noqa: ANN401 -- the chart's
        """Set another password in the Secret, another user in relay.yaml, or other values."""
        if user:
            self.user, values = user, {**values, "relayYaml": relay_yaml(user)}
        self.password = password or self.password
        self.values |= values
        login = secret(f"{self.name}-login", password=self.password, authority=self.site.authority)
        self.cluster.apply([login, *render(self.name, self.values)])

    @property
    def names(self) -> list[str]:
        """The replicas' names."""
        return [pod.name for pod in self.cluster.pods]

    def start(self, *names: str) -> None:
        """Start replicas at the same time, and wait until they are ready."""
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(self.cluster.start, names))
        for name in names:
            self.cluster.wait_until_ready(name)

    def host(self, name: str) -> str:
        """Return the host name under which a replica's Postfix is known."""
        return self.cluster.execute(name, "postconf", "-h", "myhostname").strip()

    def waiting(self, name: str) -> int:
        """Return how many messages are in a replica's queue, by the files on its claim."""
        queue = self.cluster.claim(name, "queue")
        kinds = ("active", "deferred", "hold", "incoming", "maildrop")
        return sum(path.is_file() for kind in kinds for path in (queue / kind).rglob("*"))
