"""No login leaks: random configurations and messages, and real servers that offer AUTH and write down what they get.

The same configurations with maps must be found to leak, which proves that this test can fail.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from hypothesis import strategies as st

from dms_relay.cli import main
from testbed import PATIENCE, STRANGER, Inputs, Postfix, Received, Relay, Testbed
from tests.running.leaks import MESSAGES, SERVERS, STRANGERS, Config, configs, is_own, messages, write_cf, write_yaml
from tests.support.amounts import Figures, amount

EXAMPLES = amount(32, 2500)
"""Configurations in all."""
SHARDS = 4
"""Parts of the test that can run side by side."""
MAPS_EXAMPLES = 600
"""Configurations with maps at most; most of them leak."""
ROUTED_TWICE = Config(
    relays=("a", "d"),
    logins=frozenset(),
    default="a",
    routes={"u@d1.test": "d", "@d1.test": "d"},
    own=frozenset({"@d1.test"}),
    recipients={"x.test": "d"},
)
"""Sender and recipient have a route to the same relay, which has no login but that of the sender's domain."""


@dataclass
class Scene:
    """A Postfix with its servers."""

    testbed: Testbed
    postfix: Postfix
    relays: dict[str, Relay]
    inputs: Inputs

    def run(self, seed: int) -> tuple[Received, ...]:
        """Have Postfix take the inputs on, send messages, and give what arrived."""
        ledger = self.testbed.ledger
        ledger.clear()
        arguments = ["--log-level", "error", "--config-dir", str(self.inputs.directory)]
        arguments += ["--postfix-dir", str(self.postfix.config), "apply", "--no-reload"]
        assert main(arguments, self.inputs.settings) == 0
        self.postfix.renew()
        pairs = messages(seed)
        for number, (sender, recipient) in enumerate(pairs):
            self.postfix.send(sender, [recipient], str(number))
        received = ledger.wait_for(len(pairs), PATIENCE)
        assert sorted(r.message_id for r in received) == [str(number) for number in range(len(pairs))]
        self.postfix.wait_until_queue_empty(PATIENCE)
        return received

    def leaks(self) -> list[tuple[str, str]]:
        """Return each login that a server was offered and may not see."""
        attempts = self.testbed.ledger.attempts()
        return [(a.relay, a.login.user) for a in attempts if not is_own(a.relay, a.login.user)]


@pytest.fixture
def scene(testbed: Testbed, tmp_path: Path) -> Scene:
    """Return the servers, and a Postfix that knows them."""
    relays = {name: testbed.relay(name, STRANGER) for name in SERVERS}
    first, second = STRANGERS
    port = testbed.world(first, STRANGER).port
    testbed.relay(second, STRANGER, port)
    postfix = testbed.postfix({"smtp_tls_security_level": "may"})
    return Scene(testbed, postfix, relays, Inputs(tmp_path / "config"))


def _settings(examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=slow, database=None)


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_login_leaks(scene: Scene, figures: Figures, shard: int) -> None:
    """Whatever is configured, and whoever writes to whom: each server is offered its own logins only."""
    is_cf = bool(shard % 2)

    @_settings(max(1, EXAMPLES // SHARDS))
    @given(config=configs(is_cf=is_cf), seed=st.integers(0, 1 << 32))
    def check(config: Config, seed: int) -> None:
        if is_cf:
            write_cf(config, scene.inputs, scene.relays, "transports")
        else:
            write_yaml(config, scene.inputs, scene.relays)
        received = scene.run(seed)
        assert scene.leaks() == []
        for message in received:
            _check_way(config, message, is_cf=is_cf)
        figures(1, f"random configurations with {MESSAGES} messages each: no login leaks")

    if not is_cf:
        check = example(config=ROUTED_TWICE, seed=0)(check)
    check()


def _check_way(config: Config, message: Received, *, is_cf: bool) -> None:
    """Hold a message to its way and its login."""
    [recipient] = message.recipients
    relay = config.relay_for(message.sender, recipient)
    if relay is None:
        assert (message.relay, message.user) == (recipient.rpartition("@")[2], None)
    else:
        assert message.relay in relay
        assert message.user in config.logins_for(message.sender, recipient, message.relay, is_cf=is_cf)


@pytest.mark.long
def test_maps_leak(scene: Scene) -> None:
    """The same configurations with maps: logins are seen at strangers, and at relays that they are not for."""
    seen: set[str] = set()

    def leaks(drawn: tuple[Config, int]) -> bool:
        config, seed = drawn
        write_cf(config, scene.inputs, scene.relays, "maps")
        scene.run(seed)
        seen.update(server for server, _ in scene.leaks())
        return not seen.isdisjoint(STRANGERS) and not seen.isdisjoint(SERVERS)

    until_found = settings(_settings(MAPS_EXAMPLES), phases=[Phase.generate])
    find(st.tuples(configs(is_cf=True), st.integers(0, 1 << 32)), leaks, settings=until_found)
