"""Every remedy that `check` prints is followed to the letter: the finding is gone, no other came, and the mail arrives."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from testbed import Testbed
from tests.running.walks import (
    directory_walks,
    domain_walks,
    file_walks,
    input_walks,
    login_walks,
    machine_walks,
    missing_login_walks,
    operator_walks,
    place_walks,
    protection_walks,
    rewriting_walks,
    route_walks,
    trust_walks,
    way_walks,
)
from tests.running.walks.scene import STRANGERS, Scene, relays_of, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.rules import Finding
    from tests.running.walks import Walk

#: The private Postfix asks no DNS, so this is said wherever mail goes directly.
OF_TESTBED = {"no-mx-lookup"}
GROUPS = (
    *(input_walks, login_walks, missing_login_walks, protection_walks, route_walks, domain_walks, rewriting_walks),
    *(file_walks, machine_walks, operator_walks, way_walks, place_walks, trust_walks),
    directory_walks,
)
WALKS: tuple[Walk, ...] = tuple(walk for group in GROUPS for walk in group.WALKS)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Yield one Postfix and its relays for all walks of a process."""
    with ExitStack() as running, Testbed() as testbed:
        for relay in relays_of(testbed):
            running.enter_context(relay)
        # A daemon that cannot start is tried again soon, and not after a minute.
        postfix = testbed.postfix({"service_throttle_time": "1s"})
        base = tuple((postfix.config / name).read_text() for name in ("main.cf", "master.cf"))
        scene = Scene(testbed, postfix, (base[0], base[1]))
        with scene.daemons:  # what the last walk has mounted and made goes before the directory does
            yield scene


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "walk", [pytest.param(walk, id=walk.name, marks=[pytest.mark.long] * walk.is_long) for walk in WALKS]
)
def test_remedy(scene: Scene, walk: Walk) -> None:
    """Before, the finding is there; once its remedy is followed, it is gone, and so is all that it kept from its way."""
    follow(scene, walk)


def follow(scene: Scene, walk: Walk) -> None:
    """Walk through a remedy."""
    scene.reset(walk)
    for deed in walk.before:
        deed(scene)
    remedy = scene.fill(walk.remedy)
    said = scene.run("dms-relay apply") if walk.is_said_by_apply else ""
    before = scene.findings()
    meant = [one for one in before if one.rule == walk.rule and one.remedy == remedy]
    assert f" -- {remedy}\n" in said if walk.is_said_by_apply else meant, f"{said}{listed(before)}"
    scene.said = remedy
    for deed in walk.follow:
        deed(scene)
    said = scene.run("dms-relay apply") if walk.is_applied else ""
    after = scene.findings()
    assert remedy not in said if walk.is_said_by_apply else fewer(before, after, walk.rule), f"{said}{listed(after)}"
    assert more(before, after) - OF_TESTBED == walk.leads_to, listed(after)
    assert scene.arrivals(walk) == dict(walk.arrives)
    offered = {one.relay for one in scene.testbed.ledger.attempts()}
    assert not offered & STRANGERS


def listed(findings: list[Finding]) -> str:
    """Return findings as text."""
    return "\n".join(f"{one.rule}: {one.text} -- {one.remedy}" for one in findings)


def fewer(before: list[Finding], after: list[Finding], rule: str) -> bool:
    """Return True if a rule says less than before."""
    return rules(after)[rule] < rules(before)[rule]


def more(before: list[Finding], after: list[Finding]) -> set[str]:
    """Return the rules that say more than before, or say to do something else."""
    was, now = (Counter((one.rule, one.remedy) for one in found) for found in (before, after))
    return {rule for rule, remedy in now - was}
