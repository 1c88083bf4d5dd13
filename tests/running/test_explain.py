"""What `explain` says is what happens: random configurations, random settings of an operator, and what arrives where."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from testbed import SMTPS, Received, Testbed
from tests.running.leaks import configs
from tests.running.operators import MORE_RECIPIENTS, MORE_SENDERS, operators
from tests.running.route_scene import OFF, ROUTINGS, Scene, scene_of
from tests.support.amounts import Figures, amount

EXAMPLES = amount(32, 3000)
"""Configurations in all."""
FEW = 4
"""Messages fewer than half of those that are drawn, of which two thirds and more can arrive, are chance."""


@pytest.fixture
def scene(testbed: Testbed, tmp_path: Path) -> Scene:
    """Return the servers, and a Postfix that knows them."""
    return scene_of(testbed, tmp_path)


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
