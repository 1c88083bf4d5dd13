"""Password relays and token relays, mixed at random: no relay sees a secret of another, or one by another mechanism.

Relays a and b take tokens, c and d passwords; all offer all mechanisms, take whatever they are offered, and write it down. A
user name says which relays may see it (``tests.running.leaks``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testbed import PATIENCE, STRANGER, Inputs, Mode, Testbed
from testbed.inputs import started
from testbed.token_rules import OAuth2Client
from testbed.token_server import TokenServer
from tests.running.leaks import MESSAGES, PASSWORD, STRANGERS, Config, configs, is_own, messages
from tests.support.amounts import amount
from tests.together.scene import ALL_MECHANISMS, CLIENT, SECRET
from tests.together.watching import ArgumentLists, readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed import Postfix, Relay
    from tests.sasl.plugin import Plugin
    from tests.support.amounts import Figures

EXAMPLES = amount(5, 1000)
"""Configurations."""
TOKEN_RELAYS, PASSWORD_RELAYS = "ab", "cd"
BY_TOKEN = frozenset({"XOAUTH2", "OAUTHBEARER"})


class Takers:
    """Servers that take every login, a Postfix with the plugin, and the token endpoint."""

    def __init__(self, testbed: Testbed, plugin: Plugin, server: TokenServer, root: Path) -> None:
        """Start them."""
        self.testbed, self.server = testbed, server
        mode = Mode(STRANGER.tls, STRANGER.auth, mechanisms=ALL_MECHANISMS, tokens=lambda _user, _token: True)
        self.relays: dict[str, Relay] = {name: testbed.relay(name, mode) for name in TOKEN_RELAYS + PASSWORD_RELAYS}
        first, second = STRANGERS
        testbed.relay(second, mode, testbed.world(first, mode).port)
        found = {"import_environment": plugin.import_environment, "smtp_tls_security_level": "may"}
        self.postfix: Postfix = testbed.postfix(found)
        self.inputs, self.state = Inputs(root / "config", DMS_RELAY_STATE_DIR=str(root / "state")), root / "state"
        self.said: list[str] = []
        self.offered: set[str] = set()

    def write(self, config: Config) -> None:
        """Write relay.yaml: a relay's logins are all of its kind."""
        document: dict[str, Any] = {"version": 1, "default": config.default or "direct"}
        document["relays"] = {name: self._relay(name, config) for name in config.relays}
        document["senders"] = {key.removeprefix("@"): self._sender(key, config) for key in config.routes}
        document["recipients"] = {key: relay or "direct" for key, relay in config.recipients.items()}
        self.inputs.write("relay.yaml", yaml.safe_dump(document))

    def _relay(self, name: str, config: Config) -> dict[str, Any]:
        hosts = [f"{self.relays[server].host}:{self.relays[server].port}" for server in name]
        login = {"login": self._login(name, f"{name}/relay")} if name in config.logins else {}
        return {"hosts": hosts, "tls": {"level": "encrypt"}, **login}

    def _sender(self, key: str, config: Config) -> Any:  # noqa: ANN401 -- as YAML has it
        relay = config.routes[key]
        own = {"relay": relay, "login": self._login(relay, config.username(key))} if relay else {}
        return own if key in config.own else relay or "direct"

    def _login(self, relay: str, username: str) -> dict[str, Any]:
        if relay[0] in PASSWORD_RELAYS:
            return {"username": username, "password": PASSWORD}
        authority = str(self.postfix.layout.authority)
        how = {"token_url": self.server.token_url, "client_id": CLIENT, "client_secret": SECRET, "ca_file": authority}
        return {"username": username, "oauth2": how}

    def run(self, seed: int) -> None:
        """Apply, and send messages."""
        self.testbed.ledger.clear()
        self.said.append(self.inputs.apply(self.postfix))
        pairs = messages(seed)
        for number, (sender, recipient) in enumerate(pairs):
            self.postfix.send(sender, [recipient], str(number))
        received = self.testbed.ledger.wait_for(len(pairs), PATIENCE)
        assert sorted(r.message_id for r in received) == [str(number) for number in range(len(pairs))]
        self.postfix.wait_until_queue_empty(PATIENCE)

    def wrong(self) -> list[tuple[str, str, str]]:
        """Return the logins that were offered at another relay, or by another mechanism than is theirs."""
        issued = {one.token for one in self.server.issued}
        found = []
        for attempt in self.testbed.ledger.attempts():
            self.offered.add(attempt.mechanism)
            is_token = attempt.login.password in issued
            is_right = attempt.relay in (TOKEN_RELAYS if is_token else PASSWORD_RELAYS)
            is_whole = is_token or attempt.login.password == PASSWORD
            by_token = attempt.mechanism in BY_TOKEN
            if not (is_right and is_whole and by_token is is_token and is_own(attempt.relay, attempt.login.user)):
                found.append((attempt.relay, attempt.login.user, attempt.mechanism))
        return found


@pytest.fixture
def takers(plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Takers]:
    """Yield the servers. Commands are started with Python, so that each has an argument list of its own."""
    monkeypatch.setattr(Inputs, "start", staticmethod(started))
    with Testbed() as testbed, TokenServer(testbed.authority) as server:
        server.clients[CLIENT] = OAuth2Client(secret=SECRET)
        yield Takers(testbed, plugin, server, tmp_path)


def kind_of(relay: str) -> str:
    """Return which relays are of the same kind."""
    return TOKEN_RELAYS if relay[0] in TOKEN_RELAYS else PASSWORD_RELAYS


def is_pure(config: Config) -> bool:
    """Return True if no relay has servers of both kinds."""
    return all(set(relay) <= set(kind_of(relay)) for relay in config.relays)


@pytest.mark.long
@pytest.mark.soak
def test_no_secret_leaks(takers: Takers, figures: Figures) -> None:
    """Each secret is seen by its own relay alone, by its own mechanism; no log, process or open file shows one."""
    slow = [
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=slow, database=None)
    @given(config=configs(is_cf=False).filter(is_pure), seed=st.integers(0, 1 << 32))
    def check(config: Config, seed: int) -> None:
        takers.write(config)
        takers.run(seed)
        assert takers.wrong() == []
        figures(1, f"random configurations of tokens and passwords with {MESSAGES} messages each: no login leaks")

    with ArgumentLists() as seen:
        check()
    secrets = {SECRET} | {one.token for one in takers.server.issued}
    said = "\n".join([*takers.said, takers.postfix.log()])
    assert [secret for secret in secrets if secret in said] == []
    assert readable([takers.state, takers.postfix.config], secrets) == []
    assert seen.with_any(secrets) == []
    directory = str(takers.postfix.config).encode()
    assert any(b"dms_relay" in line and directory in line for _, line in seen.seen)
    assert takers.offered <= {"XOAUTH2", "PLAIN"}
