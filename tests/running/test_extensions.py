"""Senders with an extension, on a real Postfix that strips it: each relay gets the login that is meant for it."""

from typing import Any

import pytest

from testbed import SUBMISSION, Inputs, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from tests.running.test_transports import FRIEND, MAY, entry, offered, outcomes, own, write

PLAIN, EXTENDED, MORE = "u@d1.test", "u+x@d1.test", "u+more@d1.test"
AT_A = "someone@x.test"
"""A recipient whose mail goes to relay a, whoever sends it."""


@pytest.mark.parametrize("login_of", ["u@d1.test", "d1.test"])
@pytest.mark.parametrize("way", ["direct", "b"])
def test_the_relays_own_login(testbed: Testbed, inputs: Inputs, login_of: str, way: str) -> None:
    """Where a recipient leads it to a relay that is not its own, whatever login the address or its domain has there."""
    a, b = (testbed.relay(name, SUBMISSION) for name in "ab")
    world = testbed.world("elsewhere.test")
    postfix = testbed.postfix({**MAY, "recipient_delimiter": "+"})
    relays = {relay.name: entry(relay, postfix) for relay in (a, b)}
    senders: dict[str, Any] = {login_of: own("a", "own"), EXTENDED: way}
    write(inputs, relays, senders=senders, recipients={"x.test": "a"})
    inputs.apply(postfix)
    direct = (world.name, None) if way == "direct" else ("b", "b-user")
    found = outcomes(testbed, postfix, {(s, r): None for s in (PLAIN, EXTENDED, MORE) for r in (AT_A, FRIEND)})
    assert {pair: way[:2] for pair, way in found.items()} == {
        (PLAIN, AT_A): ("a", "own"),
        (PLAIN, FRIEND): ("a", "own"),
        (EXTENDED, AT_A): ("a", "a-user"),
        (EXTENDED, FRIEND): direct,
        (MORE, AT_A): ("a", "own"),
        (MORE, FRIEND): ("a", "own"),
    }
    assert offered(testbed) <= {("a", "own"), ("a", "a-user"), ("b", "b-user")}


def test_a_login_of_the_cf_file(testbed: Testbed, inputs: Inputs) -> None:
    """The same where route and login of the address stand in the ``.cf`` files, and the extension in relay.yaml."""
    a = testbed.relay("a", SUBMISSION)
    world = testbed.world("elsewhere.test")
    postfix = testbed.postfix({**MAY, "recipient_delimiter": "+"})
    write(inputs, {"a": entry(a, postfix)}, senders={PLAIN: "a", EXTENDED: "direct"}, recipients={"x.test": "a"})
    inputs.write(LOGINS, f"{PLAIN} own:secret\n")
    inputs.write(RELAYMAP, "")
    inputs.apply(postfix)
    found = outcomes(testbed, postfix, {(PLAIN, AT_A): None, (EXTENDED, AT_A): None, (EXTENDED, FRIEND): None})
    assert [way[:2] for way in found.values()] == [("a", "own"), ("a", "a-user"), (world.name, None)]
