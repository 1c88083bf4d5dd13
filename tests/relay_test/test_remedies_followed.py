"""What `dms-relay test` says to set in main.cf is set there: it then says ok, and mail arrives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from testbed import SUBMISSION, Inputs, Testbed
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from pathlib import Path

    from testbed import Mode

PASSWORD = "s3cret-P4ss"
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": PASSWORD}
LEVELS: dict[str, dict[str, str]] = {"maps": {}, "transports": {"RELAY_TLS_LEVEL": "encrypt"}}
RELOAD = "postfix reload"


class Advice(NamedTuple):
    """What stands in main.cf, what a relay is like, how the remedy begins, and what it says to set."""

    wrong: str
    relay: Mode
    remedy: str
    setting: str


CASES = {
    "smtp_helo_name": Advice(
        "myhostname=unknown.test",
        replace(SUBMISSION, names=frozenset({"known.test"})),
        f"set smtp_helo_name in main.cf to the full name by which the DNS knows this machine, and run {RELOAD};",
        "smtp_helo_name=known.test",
    ),
    "inet_protocols": Advice(
        "inet_protocols=ipv6",
        SUBMISSION,
        f"set inet_protocols = all in main.cf and run {RELOAD}, if the network has both;",
        "inet_protocols=all",
    ),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("routing", ["maps", "transports"])
@pytest.mark.parametrize("name", CASES)
def test_remedy(tmp_path: Path, name: str, routing: str) -> None:
    """The remedy is what is printed, and it is followed to the letter; a reload has Postfix do it as well."""
    require_postfix()
    with Testbed() as testbed:
        advice = CASES[name]
        relay = testbed.relay("relay.test", advice.relay)
        postfix = testbed.postfix()
        inputs = Inputs(tmp_path, DEFAULT_RELAY_HOST=relay.nexthop, RELAY_ROUTING=routing, **LOGIN, **LEVELS[routing])
        inputs.apply(postfix)
        postfix.command("postconf", "-e", advice.wrong)
        (result,) = json.loads(inputs.run(postfix, "test", "--json").stdout)["results"]
        assert result["failure"]["remedy"].startswith(advice.remedy)
        postfix.command("postconf", "-e", advice.setting)
        postfix.command(*RELOAD.split())
        assert inputs.run(postfix, "test").returncode == 0
        postfix.send("anna@a.test", ["bob@world.test"], "0")
        (message,) = relay.wait_for(1)
        assert (message.message_id, message.user, message.tls is not None) == ("0", "user", True)
