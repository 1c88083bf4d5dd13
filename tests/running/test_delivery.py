"""From inputs to mail at a relay: what counts is what the relay received."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from testbed import STRANGER, Inputs, Login, Postfix, Received, Relay, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from tests.running.cases import CASES, DOMAINS, SENDERS, Case

ALL = pytest.mark.parametrize("delivered", CASES, indirect=True, ids=lambda case: case.name)


class Delivered(NamedTuple):
    """One case: what its senders' mail came to."""

    case: Case
    testbed: Testbed
    postfix: Postfix
    by_sender: dict[str, list[Received]]


@pytest.fixture(scope="module")
def delivered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    """Yield what arrived after `apply` on a case's inputs, before Postfix starts, and one message from each sender."""
    case: Case = request.param
    with Testbed() as testbed:
        names = _relays(testbed)
        postfix = testbed.postfix({"smtp_tls_security_level": "may"}, start=False)
        _inputs(case, names, tmp_path_factory.mktemp("config"), postfix).apply(postfix)
        postfix.start()
        for sender in SENDERS.values():
            postfix.send(sender, ["friend@world"], sender)
        testbed.ledger.wait_for(len(SENDERS))
        postfix.wait_until_queue_empty()
        received = testbed.ledger.received()
        by_sender = {s: [r for r in received if r.message_id == s] for s in SENDERS.values()}
        yield Delivered(case, testbed, postfix, by_sender)


def _relays(testbed: Testbed) -> dict[str, str]:
    """Start relays a, b and c, the world, and one that is down; give their nexthops, hosts and ports."""
    testbed.world("world", STRANGER)
    relays = [testbed.relay(name) for name in ("a", "b", "c", "down")]
    relays[-1].stop()
    return {key: value for relay in relays for key, value in _names(relay).items()}


def _names(relay: Relay) -> dict[str, str]:
    return {relay.name: relay.nexthop, f"{relay.name}_host": relay.host, f"{relay.name}_port": str(relay.port)}


def _inputs(case: Case, names: dict[str, str], directory: Path, postfix: Postfix) -> Inputs:
    inputs = Inputs(directory, **{key: value.format(**names) for key, value in case.settings.items()})
    inputs.write(RELAYMAP, case.relaymap and case.relaymap.format(**names))
    inputs.write(LOGINS, case.logins and case.logins.format(**names))
    inputs.manage(postfix, DOMAINS)
    return inputs


@ALL
@pytest.mark.parametrize("kind", SENDERS)
def test_relay_and_login(delivered: Delivered, kind: str) -> None:
    """Each sender's message arrives once, at the relay and with the login that the rules name (relay.sh, rules 2 to 4)."""
    relay, user = delivered.case.arrival(kind)
    arrivals = [(r.relay, r.login) for r in delivered.by_sender[SENDERS[kind]]]
    assert arrivals == [(relay, Login(user, f"{user}-pw") if user else None)]


@ALL
@pytest.mark.parametrize("kind", SENDERS)
def test_tls(delivered: Delivered, kind: str) -> None:
    """With logins configured, every message travels over TLS, whoever it goes to (rule 4: level `encrypt`)."""
    assert [bool(r.tls) for r in delivered.by_sender[SENDERS[kind]]] == [True]


@ALL
def test_no_login_is_offered_in_vain(delivered: Delivered) -> None:
    """A login is offered at the relay that takes the message, and nowhere else."""
    received = delivered.testbed.ledger.received()
    offered = sorted((a.relay, a.login.user) for a in delivered.testbed.ledger.attempts())
    assert offered == sorted((r.relay, r.login.user) for r in received if r.login)


@ALL
def test_postfix_has_nothing_to_complain_of(delivered: Delivered) -> None:
    """The daemons read tables and parameters without a warning: no double key, no bad line, no unused parameter."""
    assert delivered.postfix.complaints() == []
