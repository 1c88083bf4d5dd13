"""Reads and merges the inputs of a sandbox by transports, and gives the outcome in short."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from dms_relay import InputError, Paths, merge, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay import RelayConfig
    from dms_relay.model.relays import RelayService, Transports
    from tests.support.sandbox import Sandbox

NAME, RELAYMAP, LOGINS, MAIN = "relay.yaml", "postfix-relaymap.cf", "postfix-sasl-password.cf", "postfix-main.cf"
HEAD = """\
version: 1
relays:
  r: {host: r.test, login: {username: r-user, password: p}}
  s: {host: s.test}
"""
USED = f"{HEAD}default: r\nsenders:\n  used.test: s\n"
KEEP = "comes first -- keep only one of them"
ENV = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "env-user", "RELAY_PASSWORD": "p"}


class Merged(NamedTuple):
    """What ``merge`` gave, short: for each relay its logins by key; for each sender its relay (``*``: that is shared)."""

    config: RelayConfig
    transports: Transports

    @property
    def warnings(self) -> list[str]:
        """Return each warning."""
        return [str(warning) for warning in self.config.warnings]

    def service(self, name: str) -> RelayService:
        """Return the service of a relay."""
        (service,) = (service for service in self.transports.services if service.relay.name == name)
        return service

    def logins(self, name: str) -> dict[str, str]:
        """Return the user names that a relay may be offered, by lookup key."""
        service = self.service(name)
        return {entry.key: entry.login.username for entry in (*service.sender_logins, *service.logins)}

    @property
    def ways(self) -> dict[str, str | None]:
        """Return the relay of each sender."""
        routes = self.transports.senders
        return {route.key: f"{route.relay}*" if route.ignores_sender_logins else route.relay for route in routes}


def merged(sandbox: Sandbox, text: str, files: Mapping[str, str] | None = None, /, **env: str) -> Merged:
    """Read and merge, which must succeed. No file, where the text is empty, but transports all the same."""
    put(sandbox, text, files)
    config = merge(read(Paths(sandbox.config_dir, sandbox.postfix_dir), {"RELAY_ROUTING": "transports", **env}))
    assert config.transports is not None
    return Merged(config, config.transports)


def errors(sandbox: Sandbox, text: str, files: Mapping[str, str]) -> list[str]:
    """Read and merge, which must fail, and give the errors."""
    put(sandbox, text, files)
    with pytest.raises(InputError) as caught:
        merge(read(Paths(sandbox.config_dir, sandbox.postfix_dir), {}))
    return [str(problem) for problem in caught.value.problems if problem.is_error]


def put(sandbox: Sandbox, text: str, files: Mapping[str, str] | None) -> None:
    """Write relay.yaml, unless it is empty, and the other files."""
    for name, content in {**(files or {}), **({NAME: text} if text else {})}.items():
        sandbox.write(name, content)
