"""What ``apply`` says of senders that it cannot give a relay, since other inputs are wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.console import said

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

ENV = {"RELAY_HOST": "r.test", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret-P4ss"}
WRONG = "@x.test [r.test:587\n"
LEFT_OUT = "until the inputs are fixed, no relay is set for @new.test: that mail goes directly -- fix the inputs"


@pytest.mark.parametrize("routing", ["maps", "transports"])
def test_a_new_domain(sandbox: Sandbox, routing: str) -> None:
    """The error names it, nothing is changed, and fixing the inputs gives it its relay."""
    env = {**ENV, "RELAY_ROUTING": routing}
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n")
    sandbox.write("vhost", "a.test\n")
    sandbox.apply(**env)
    sandbox.write("vhost", "a.test\nnew.test\n")
    sandbox.write("postfix-relaymap.cf", WRONG)
    before = sandbox.snapshot()
    result = sandbox.run("apply", env=env)
    assert result.code == os.EX_CONFIG
    assert said(result)[-1] == ("error", f"vhost:2: {LEFT_OUT}")
    assert sandbox.snapshot() == before
    sandbox.write("postfix-relaymap.cf", WRONG.replace(":587", "]:587"))
    sandbox.apply(**env)
    table = sandbox.table("relayhost_map" if routing == "maps" else "relay.d/sender_transport") or {}
    assert "@new.test" in table
