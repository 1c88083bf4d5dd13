"""Indexed tables on a running Postfix: smtp(8) in its chroot opens them, sees a new one, and no message misses its login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import SUBMISSION
from testbed.inputs import LOGINS, RELAYMAP
from tests.running.load import SLOW, check, run_load
from tests.support.table_types import require_indexes

if TYPE_CHECKING:
    from testbed import Inputs, Testbed
    from tests.support.amounts import Figures

SENDER, RECIPIENT = "me@one.test", ["friend@world.test"]


@pytest.fixture(autouse=True)
def _types_are_there() -> None:
    require_indexes()


def users(testbed: Testbed) -> list[str | None]:
    """Return the user of each message that has arrived."""
    return [received.user for received in testbed.ledger.received()]


@pytest.mark.parametrize("kind", ["cdb", "lmdb"])
@pytest.mark.parametrize("routing", ["maps", "transports"])
def test_mail_finds_route_and_login(testbed: Testbed, inputs: Inputs, kind: str, routing: str) -> None:
    """Routes by sender and logins by sender and by nexthop are found, in both ways of routing, by each type."""
    relays = [testbed.relay(f"{name}.test", SUBMISSION) for name in ("default", "other")]
    postfix = testbed.postfix()
    inputs.settings = {"DEFAULT_RELAY_HOST": relays[0].nexthop, "RELAY_TABLES": kind, "RELAY_ROUTING": routing}
    inputs.write(RELAYMAP, f"@one.test {relays[1].nexthop}\n")
    inputs.write(LOGINS, f"@One.test own:pw\n{relays[0].nexthop} all:pw\n")
    inputs.apply(postfix)
    for number, sender in enumerate((SENDER, "me@ONE.test", "you@two.test", "<>"), 1):
        postfix.send(sender, RECIPIENT, f"{number}")
        testbed.ledger.wait_for(number)
    arrived = [(received.relay, received.user) for received in testbed.ledger.received()]
    assert arrived == [("other.test", "own")] * 2 + [("default.test", "all")] * 2
    assert postfix.complaints() == []


@pytest.mark.parametrize("kind", ["cdb", "lmdb", "texthash"])
def test_what_a_running_client_sees(testbed: Testbed, inputs: Inputs, kind: str) -> None:
    """Whoever has an index open sees that there is another, without a reload, and takes the next message with that one.

    So an index must at each moment be right for old and for new routes, as the phases have it. A texthash is not seen.
    """
    relay = testbed.relay("relay.test", SUBMISSION)
    postfix = testbed.postfix()
    inputs.settings = {"DEFAULT_RELAY_HOST": relay.nexthop, "RELAY_TABLES": kind}
    for number, user in enumerate(("old", "new"), 1):
        inputs.write(LOGINS, f"@one.test {user}:pw\n")
        inputs.apply(postfix, *["--no-reload"] * (number - 1))
        for message in (1, 2):
            postfix.send(SENDER, RECIPIENT, f"{user}-{message}")
            testbed.ledger.wait_for((number - 1) * 2 + message)
    assert users(testbed)[:2] == ["old", "old"]
    assert users(testbed)[-1] == ("old" if kind == "texthash" else "new")
    assert postfix.complaints() == []


@pytest.mark.one_in(3)
@pytest.mark.long
@pytest.mark.parametrize("kinds", [("texthash", "cdb"), ("cdb", "lmdb"), ("cdb", "cdb")])
def test_under_load(testbed: Testbed, inputs: Inputs, kinds: tuple[str, str], figures: Figures) -> None:
    """From one type to another, with other relays and other logins, while mail flows: each message arrives, with a login."""
    for name in "abcd":
        testbed.relay(name, SLOW)
    postfix = testbed.postfix({"smtp_tls_security_level": "may"})
    (postfix.config / "vhost").write_text("managed.test\nbox.test\nmapped.test\n")
    configurations = []
    for (default, other), kind in zip((("a", "c"), ("b", "d")), kinds, strict=True):
        first, second = testbed.relays[default], testbed.relays[other]
        one = type(inputs)(
            inputs.directory / default,
            DEFAULT_RELAY_HOST=first.nexthop,
            RELAY_USER=f"user-{default}",
            RELAY_PASSWORD="pw",
            RELAY_TABLES=kind,
        )
        one.write(
            RELAYMAP, f"@mapped.test {second.nexthop}\nvip@box.test {first.nexthop}\n@managed.test {second.nexthop}\n"
        )
        one.write(LOGINS, f"{second.nexthop} user-{other}:pw\n")
        configurations.append(one)
    outcome = run_load(testbed, postfix, configurations[0], configurations[1])
    check(outcome, figures)
    assert outcome.crossings == []
