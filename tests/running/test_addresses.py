"""A relay that is an address without brackets: no MX lookup, and its login by host or nexthop, as `check` takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import Login
from testbed.inputs import LOGINS

if TYPE_CHECKING:
    from testbed import Inputs, Testbed


@pytest.mark.parametrize("with_port", [True, False], ids=["nexthop", "host"])
def test_login_at_an_address(testbed: Testbed, inputs: Inputs, with_port: bool) -> None:  # noqa: FBT001 -- a parameter
    """The mail arrives with the login, and `check` warns neither of MX hosts nor of a login that is not used."""
    relay = testbed.relay("a")
    nexthop = f"{relay.host}:{relay.port}"
    inputs.settings["DEFAULT_RELAY_HOST"] = nexthop
    inputs.write(LOGINS, f"{nexthop if with_port else relay.host} a:a-pw\n")
    postfix = testbed.postfix({"smtp_tls_security_level": "may"}, start=False)
    assert "not used" not in inputs.apply(postfix)
    assert "mx-lookup" not in inputs.run(postfix, "check").stdout
    postfix.start()
    postfix.send("me@a.test", ["friend@world"], "1")
    testbed.ledger.wait_for(1)
    (received,) = testbed.ledger.received()
    assert (received.relay, received.login) == ("a", Login("a", "a-pw"))
