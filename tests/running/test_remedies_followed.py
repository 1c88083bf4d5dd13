"""Every remedy that `check` prints is followed to the letter: the finding is gone, no other came, and the mail arrives."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from testbed import Testbed
from tests.running.walks import (
    domain_walks,
    file_walks,
    input_walks,
    login_walks,
    machine_walks,
    protection_walks,
    route_walks,
    way_walks,
)
from tests.running.walks.scene import STRANGERS, Scene, relays_of, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running.walks import Walk

GROUPS = (input_walks, login_walks, protection_walks, route_walks, domain_walks, file_walks, machine_walks, way_walks)
WALKS: tuple[Walk, ...] = tuple(walk for group in GROUPS for walk in group.WALKS)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Yield one Postfix and its relays for all walks of a process."""
    with ExitStack() as running, Testbed() as testbed:
        for relay in relays_of(testbed):
            running.enter_context(relay)
        postfix = testbed.postfix()
        base = tuple((postfix.config / name).read_text() for name in ("main.cf", "master.cf"))
        yield Scene(testbed, postfix, (base[0], base[1]))


@pytest.mark.parametrize("walk", WALKS, ids=[walk.name for walk in WALKS])
def test_remedy(scene: Scene, walk: Walk) -> None:
    """Before, the finding is there; once its remedy is followed, it is gone, and so is all that it kept from its way."""
    scene.reset(walk)
    for deed in walk.before:
        deed(scene)
    before = scene.findings()
    meant = [one for one in before if one.rule == walk.rule and one.remedy == scene.fill(walk.remedy)]
    assert meant, "\n".join(f"{one.rule}: {one.text} -- {one.remedy}" for one in before)
    scene.said = meant[0].remedy
    for deed in walk.follow:
        deed(scene)
    if walk.is_applied:
        scene.run("dms-relay apply")
    after = scene.findings()
    said = [f"{one.rule}: {one.text} -- {one.remedy}" for one in after]
    assert rules(after)[walk.rule] < rules(before)[walk.rule], "\n".join(said)
    assert {rule for rule in rules(after) if rules(after)[rule] > rules(before)[rule]} == walk.leads_to, "\n".join(said)
    assert scene.arrivals(walk) == dict(walk.arrives)
    offered = {one.relay for one in scene.testbed.ledger.attempts()}
    assert not offered & STRANGERS
