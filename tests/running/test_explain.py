"""What `explain` says is what happens: random configurations, random settings of an operator, and what arrives where."""

import io
import json
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dms_relay.cli import main
from testbed import PATIENCE, SMTPS, STRANGER, Inputs, Postfix, Received, Relay, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.layout import write_old
from tests.running.leaks import SERVERS, Config, configs, write_cf, write_yaml
from tests.running.operators import DOWN, MORE_RECIPIENTS, MORE_SENDERS, Operator, operators, services
from tests.support.amounts import Figures, amount

EXAMPLES = amount(48, 3000)
"""Configurations in all."""
OFF = "off"
"""No inputs at all: what the operator set is all that there is."""
FEW = 4
"""Messages fewer than half of those that are drawn, of which two thirds and more can arrive, are chance."""
ROUTINGS = ("maps", "transports", "yaml", OFF)
"""Parts of the test, which can run side by side."""
STRANGERS = ("x.test", "y.test", "sub.x.test")


@dataclass
class Scene:
    """A Postfix with its servers, and the configuration that it begins with each time."""

    testbed: Testbed
    postfix: Postfix
    relays: dict[str, Relay]
    inputs: Inputs
    files: dict[str, str]
    """Postfix's own, by name, as they are before anybody sets anything."""

    def begin(self, config: Config, operator: Operator, routing: str) -> None:
        """Have a machine that never saw us, with the operator's settings and the inputs."""
        directory = self.postfix.config
        shutil.rmtree(directory / "relay.d", ignore_errors=True)
        for name in ("relayhost_map", "sasl_passwd", "dms-relay.state.json"):
            (directory / name).unlink(missing_ok=True)
        write_old(directory / "master.cf", self.files["master.cf"])
        operator.write(directory, self.files["main.cf"], self.relays)
        if routing == OFF:
            self.inputs.settings = {}
            for name in ("relay.yaml", RELAYMAP, LOGINS):
                self.inputs.write(name, None)
        elif routing == "yaml":
            write_yaml(config, self.inputs, self.relays)
        else:
            write_cf(config, self.inputs, self.relays, routing)

    def main(self, *command: str) -> tuple[int, str]:
        """Run `dms-relay`, and give its exit code and what it prints."""
        directories = ["--config-dir", str(self.inputs.directory), "--postfix-dir", str(self.postfix.config)]
        with redirect_stdout(io.StringIO()) as printed:
            code = main(["--log-level", "error", *directories, *command], self.inputs.settings)
        return code, printed.getvalue()

    def explain(self, sender: str, recipient: str) -> dict[str, Any]:
        """Return what `explain` says of a message."""
        code, printed = self.main("explain", "--json", sender, recipient)
        document: dict[str, Any] = json.loads(printed)
        assert code == bool(document["now"]["failure"])
        return document

    def apply(self) -> None:
        """Make Postfix have the inputs, with no process of before left."""
        assert self.main("apply", "--no-reload")[0] == 0
        self.postfix.renew()

    def deliver(self, sender: str, recipient: str) -> Received:
        """Send a message, and give what arrived."""
        self.testbed.ledger.clear()
        self.postfix.send(sender, [recipient], "0")
        [received] = self.testbed.ledger.wait_for(1, PATIENCE)
        self.postfix.wait_until_queue_empty(PATIENCE)
        return received

    def server(self, hop: dict[str, Any], way: dict[str, Any]) -> Relay | None:
        """Return the server at a nexthop; `None` where nobody listens."""
        at = (hop["host"].casefold(), hop["port"])
        found = [r for r in self.relays.values() if at in {(r.host, str(r.port)), (r.name, str(r.port))}]
        assert len(found) == (hop["host"] != DOWN), way
        return found[0] if found else None


@pytest.fixture
def scene(testbed: Testbed, tmp_path: Path) -> Scene:
    """Return the servers, and a Postfix that knows them."""
    relays = {name: testbed.relay(name, STRANGER) for name in SERVERS}
    first, *others = STRANGERS
    relays[first] = testbed.world(first, STRANGER)
    relays |= {name: testbed.relay(name, STRANGER, relays[first].port) for name in others}
    relays["i"] = testbed.relay("i", SMTPS)
    postfix = testbed.postfix()
    files = {name: (postfix.config / name).read_text() for name in ("main.cf", "master.cf")}
    files["master.cf"] += services(relays)
    return Scene(testbed, postfix, relays, Inputs(tmp_path / "config"), files)


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("routing", ROUTINGS)
def test_it_is_what_happens(scene: Scene, figures: Figures, routing: str) -> None:
    """Each message arrives at the first server of those named that listens, with the login and the TLS that are named."""
    checked = 0
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]

    @settings(
        max_examples=max(1, EXAMPLES // len(ROUTINGS)),
        deadline=None,
        suppress_health_check=slow,
        database=None,
        phases=[Phase.generate],
    )
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        nonlocal checked
        config = data.draw(configs(is_cf=routing != "yaml"))
        scene.begin(config, data.draw(operators(is_alone=routing == OFF)), routing)
        message = (data.draw(st.sampled_from(MORE_SENDERS)), data.draw(st.sampled_from(MORE_RECIPIENTS)))
        before = scene.explain(*message)
        scene.apply()
        way = scene.explain(*message)["now"]
        assert way == (before["after_apply"] or before["now"])
        if _can_arrive(scene, way):
            _check(scene, way, scene.deliver(*message))
            checked += 1
        figures(1, "random configurations: explain says what happens to a message")

    check()
    # Of each three messages, two and more can arrive; of a few that are drawn at random, it may be less.
    assert checked > max(0, EXAMPLES // len(ROUTINGS) // 2 - FEW)


def _can_arrive(scene: Scene, way: dict[str, Any]) -> bool:
    """Return True if a server speaks TLS as it is expected to: an operator may send a relay's mail to the wrong port."""
    assert way["failure"] is None
    servers = [(hop, scene.server(hop, way)) for hop in way["hops"]]
    kinds = [(server.mode is SMTPS) == (hop["tls"]["mode"] == "implicit") for hop, server in servers if server]
    return bool(kinds) and all(kinds)


def _check(scene: Scene, way: dict[str, Any], message: Received) -> None:
    """Hold a message that arrived to what was said of it."""
    hop, server = next((hop, server) for hop in way["hops"] if (server := scene.server(hop, way)))
    assert message.relay == server.name, way
    has_tls = hop["tls"]["level"] != "none"
    assert (message.tls is not None) == has_tls, way
    # Without TLS these servers offer no AUTH, and without that no login is offered.
    username = hop["login"]["username"] if hop["login"] and has_tls else None
    assert message.user == username, way
