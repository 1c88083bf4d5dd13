"""Relays on loopback with names, a relay.yaml that names them, and ``dms-relay test`` run on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from pathlib import Path

    from testbed import Mode, Relay, Testbed
    from tests.support.name_server import NameServer
    from tests.support.sandbox import Result, Sandbox

PASSWORD = "s3cret-P4ss"
TIMEOUT = "60"
"""Seconds for each step where all are to succeed."""
SHORT = "0.5"
"""Seconds for a step that is to fail by time."""


class Scene:
    """One configuration, its relays and what became of them."""

    def __init__(self, sandbox: Sandbox, testbed: Testbed, names: NameServer, root: Path) -> None:
        """Begin without a relay."""
        self.sandbox = sandbox
        self.testbed = testbed
        self.names = names
        self.ca_file = str(testbed.authority.write_certificate(root / "ca.pem"))
        self.relays: dict[str, dict[str, Any]] = {}

    def relay(self, name: str, kind: Mode, *, login: bool = True, **tls: Any) -> Relay:  # noqa: ANN401 -- as in YAML
        """Start a relay called ``name.test`` and put it into relay.yaml as ``name``."""
        relay = self.testbed.relay(f"{name}.test", kind)
        self.names.records[relay.name, "A"] = [relay.host]
        self.name(name, relay.name, relay.port, login=login, **tls)
        return relay

    def name(self, name: str, host: str, port: int, *, login: bool = True, **tls: Any) -> None:  # noqa: ANN401 -- the same
        """Put a relay into relay.yaml; the authority of the testbed is trusted."""
        entry: dict[str, Any] = {"host": host, "port": port, "tls": {"ca_file": self.ca_file, **tls}}
        if login:
            entry["login"] = {"username": f"{name}-user", "password": PASSWORD}
        self.relays[name] = entry

    def write(self, **more: Any) -> None:  # noqa: ANN401 -- as in YAML
        """Write relay.yaml; each relay has a sender ``NAME.example``."""
        senders = {f"{name}.example": name for name in self.relays}
        document = {"version": 1, "relays": self.relays, "senders": senders, **more}
        self.sandbox.write("relay.yaml", yaml.safe_dump(document))

    def main_cf(self, text: str) -> None:
        """Write main.cf, with ``text`` behind what is always there."""
        self.sandbox.write_main_cf(BASE_MAIN_CF + text)

    def run(self, *arguments: str, timeout: str = TIMEOUT, env: dict[str, str] | None = None) -> Result:
        """Run the command, whose output must hold no password."""
        result = self.sandbox.run("test", "--timeout", timeout, *arguments, env=env)
        assert PASSWORD not in result.out + result.err
        return result

    def results(self, *arguments: str, timeout: str = TIMEOUT) -> dict[str, dict[str, Any]]:
        """Run the command with ``--json`` and give the results by relay."""
        result = self.run("--json", *arguments, timeout=timeout)
        found = {item["relay"]: item for item in json.loads(result.out)["results"]}
        assert result.code == int(any(item["result"] != "ok" for item in found.values()))
        return found

    def result(self, *arguments: str, timeout: str = TIMEOUT) -> dict[str, Any]:
        """Return the result of the only relay."""
        self.write()
        (found,) = self.results(*arguments, timeout=timeout).values()
        return found


def told(result: dict[str, Any]) -> tuple[str, str, str | None]:
    """Return the class of a failure, what happened, and the server's reply."""
    return result["result"], result["failure"]["what"], result["failure"]["reply"]


def advice(result: dict[str, Any]) -> tuple[str, str]:
    """Return cause and remedy of a failure."""
    return result["failure"]["cause"], result["failure"]["remedy"]
