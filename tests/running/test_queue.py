"""What `queue` says of a running Postfix: the relay that gets the message, why it waits, and nothing that is secret."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dms_relay.mail_queue import DIRECT, Group, Waiting, by_relay, listing
from dms_relay.model import Paths
from dms_relay.postfix import master_cf, programs
from testbed import PATIENCE, SMTPS, Testbed
from tests.running.leaks import configs
from tests.running.operators import DOWN, MORE_RECIPIENTS, MORE_SENDERS, operators
from tests.running.route_scene import OFF, ROUTINGS, STRANGERS, Scene, scene_of
from tests.support.amounts import Figures, amount

EXAMPLES = amount(4, 1500)
"""Configurations in all, each with several messages."""
MESSAGES = 4
HOLD = {"smtpd_client_restrictions": "static:HOLD"}
"""Has each message wait until it is released."""


@pytest.fixture
def scene(testbed: Testbed, tmp_path: Path) -> Scene:
    """Return the servers, and a Postfix that keeps each message until it is released."""
    scene = scene_of(testbed, tmp_path)
    scene.files["main.cf"] += "".join(f"{name} = {value}\n" for name, value in HOLD.items())
    return scene


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("routing", ROUTINGS)
def test_the_label_is_the_relay_that_gets_it(scene: Scene, figures: Figures, routing: str) -> None:
    """Each message of a queue is counted for the relay that it arrives at once it is released."""
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
        scene.begin(data.draw(configs(is_cf=routing != "yaml")), data.draw(operators(is_alone=routing == OFF)), routing)
        scene.apply()
        pair = st.tuples(st.sampled_from(MORE_SENDERS), st.sampled_from(MORE_RECIPIENTS))
        sent = [pair for pair in data.draw(st.lists(pair, min_size=1, max_size=MESSAGES)) if _can_arrive(scene, *pair)]
        expected = _expected(scene, sent)
        arrived = _released(scene, len(sent))
        for number, groups in expected.items():
            assert arrived[number] in groups, (number, sent[int(number)], expected, arrived)
        figures(len(sent), "messages: queue names the relay that gets them")

    check()


def _can_arrive(scene: Scene, sender: str, recipient: str) -> bool:
    """Return True if a server speaks TLS as it is expected to: an operator may send a relay's mail to the wrong port."""
    way = scene.explain(sender, recipient)["now"]
    servers = [(hop, scene.server(hop, way)) for hop in way["hops"]]
    kinds = [(server.mode is SMTPS) == (hop["tls"]["mode"] == "implicit") for hop, server in servers if server]
    return bool(kinds) and all(kinds)


def _expected(scene: Scene, sent: list[tuple[str, str]]) -> dict[str, set[str]]:
    """Send messages, which wait; return the servers of the label of each."""
    scene.testbed.ledger.clear()
    ids: dict[str, str] = {}
    for number, (sender, recipient) in enumerate(sent):
        before = {message.queue_id for message in _listed(scene)}
        scene.postfix.send(sender, [recipient], str(number))
        [new] = {message.queue_id for message in _listed(scene)} - before
        ids[new] = str(number)
    found: dict[str, set[str]] = {}
    waiting = _listed(scene)
    assert len(waiting) == len(sent)
    assert sum(group.messages for group in _groups(scene, waiting)) == len(sent)
    for message in waiting:
        [group] = _groups(scene, [message])
        assert [reason.what for reason in group.reasons] == ["on hold"]
        found[ids[message.queue_id]] = _servers(scene, group.relay)
    return found


def _listed(scene: Scene) -> list[Waiting]:
    return list(listing(programs.Postfix(scene.postfix.config)))


def _groups(scene: Scene, waiting: list[Waiting]) -> list[Group]:
    return by_relay(Paths(scene.inputs.directory, scene.postfix.config), waiting)


def _servers(scene: Scene, label: str) -> set[str]:
    """Return the servers that a label means, by what master.cf says of the relay's service, or by the nexthop."""
    if label == DIRECT:
        return set(STRANGERS)
    text = (scene.postfix.config / "master.cf").read_text()
    service = master_cf.services(text).get(f"relay-{label}")
    nexthops = dict(service.service.overrides)["relayhost"] if service and service.service else label
    hosts = [nexthop for nexthop in re.split(r"[, ]+", nexthops) if DOWN not in nexthop]
    return {relay.name for relay in scene.relays.values() if hosts[0] in {relay.nexthop, relay.name}}


def _released(scene: Scene, count: int) -> dict[str, str]:
    """Have all that waits delivered; return the server of each message."""
    if not count:
        return {}
    scene.postfix.command("postsuper", "-H", "ALL")
    scene.postfix.flush()
    scene.postfix.wait_until_queue_empty(PATIENCE)
    arrived = scene.testbed.ledger.wait_for(count, PATIENCE)
    return {received.message_id: received.relay for received in arrived}
