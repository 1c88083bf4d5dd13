"""Postfix without the DNS: what ``check`` says of it is what becomes of the mail, and its remedy has the mail arrive."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dms_relay.relay_test.causes import TEXTS
from dms_relay.relay_test.outcome import Detail, Failure
from testbed import PATIENCE, STRANGER, Inputs, Testbed
from testbed.layout import write_old
from testbed.testbed import loopback_address
from tests.running.test_operators_conf import wait_for_log
from tests.support.name_server import NameServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed import Postfix

SENDER, RECIPIENT = "anna@a.test", "bob@only.test"
LEAVES, MX = "mail-does-not-leave", "no-mx-lookup"
OFF = ("disable_dns_lookups = yes", "smtp_dns_support_level = disabled")
#: The level decides where both are set.
ON = "smtp_dns_support_level = enabled\ndisable_dns_lookups = yes"
ROUTINGS = ("maps", "transports")


@dataclass
class Scene:
    """A Postfix whose names are in the DNS: ``host.test`` has an address, ``only.test`` an MX host.

    ``hosted.test`` and ``broken.test`` are in its /etc/hosts alone; for the latter the DNS server fails.
    """

    testbed: Testbed
    postfix: Postfix
    base: str
    master: str
    port: int
    #: How much had been logged when the case began.
    logged: int = 0

    def begin(self, setting: str) -> None:
        """Have a machine with one more setting, and an empty queue."""
        for path in (*self.postfix.config.glob("*.json"), *self.postfix.config.glob("relay.d/*")):
            path.unlink()
        write_old(self.postfix.config / "main.cf", f"{self.base}{setting}\n")
        write_old(self.postfix.config / "master.cf", self.master)
        self.testbed.ledger.clear()
        self.logged = len(self.postfix.log())

    def arrives_at(self, message: str) -> str:
        """Send a message, and return the name of who received it."""
        self.postfix.renew()
        self.postfix.send(SENDER, [RECIPIENT], message)
        (received,) = self.testbed.ledger.wait_for(1, PATIENCE)
        self.postfix.wait_until_queue_empty(PATIENCE)
        return received.relay


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Yield it for all cases."""
    with ExitStack() as stack:
        testbed = stack.enter_context(Testbed())
        host = testbed.world("host.test", STRANGER)
        exchanger = testbed.relay("mx.test", STRANGER, host.port)
        records = {
            ("host.test", "A"): [host.host],
            ("mx.test", "A"): [exchanger.host],
            ("only.test", "MX"): ["10 mx.test."],
            ("broken.test", "BROKEN"): [],
        }
        resolver = loopback_address()
        stack.enter_context(NameServer(records, (resolver, 53)))
        postfix = testbed.postfix()
        write_old(postfix.layout.names / "resolv.conf", f"nameserver {resolver}\noptions timeout:1 attempts:1\n")
        write_old(postfix.layout.names / "hosts", f"127.0.0.1 localhost\n{host.host} hosted.test broken.test\n")
        lines = (postfix.config / "main.cf").read_text().splitlines(keepends=True)
        base = "".join(line for line in lines if not line.startswith(("smtp_dns_support_level", "smtp_host_lookup")))
        yield Scene(testbed, postfix, base, (postfix.config / "master.cf").read_text(), host.port)


def findings(inputs: Inputs, postfix: Postfix) -> dict[str, str]:
    """Return the remedy of each finding, by rule."""
    said = json.loads(inputs.run(postfix, "check", "--json").stdout)
    return {one["id"]: one["remedy"] for one in said["findings"]}


def follow(scene: Scene, remedy: str) -> None:
    """Run the command that a remedy prints."""
    command = remedy.partition("(")[2].partition(")")[0]
    scene.postfix.command(*shlex.split(command))
    write_old(scene.postfix.config / "main.cf", (scene.postfix.config / "main.cf").read_text())


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize("setting", OFF)
def test_relay_in_brackets(scene: Scene, inputs: Inputs, setting: str, routing: str) -> None:
    """It has its mail by the system's resolver, and nothing is found."""
    scene.begin(setting)
    inputs.settings = {"DEFAULT_RELAY_HOST": f"[host.test]:{scene.port}", "RELAY_ROUTING": routing}
    inputs.apply(scene.postfix)
    assert findings(inputs, scene.postfix).keys().isdisjoint({LEAVES, MX})
    assert scene.arrives_at("1") == "host.test"


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize("setting", OFF)
def test_relay_by_its_mx_hosts(scene: Scene, inputs: Inputs, setting: str, routing: str) -> None:
    """Without an address of its own it gets nothing; with the remedy, its MX host gets the mail."""
    scene.begin(setting)
    inputs.settings = {"DEFAULT_RELAY_HOST": f"only.test:{scene.port}", "RELAY_ROUTING": routing}
    inputs.apply(scene.postfix)
    remedy = findings(inputs, scene.postfix)[LEAVES]
    scene.postfix.renew()
    scene.postfix.send(SENDER, ["bob@host.test"], "1")
    wait_for_log(scene.postfix, "unable to look up host only.test", scene.logged)
    assert scene.testbed.ledger.received() == ()
    scene.postfix.command("postsuper", "-d", "ALL")
    follow(scene, remedy)
    assert LEAVES not in findings(inputs, scene.postfix)
    assert scene.arrives_at("2") == "mx.test"


@pytest.mark.parametrize("setting", OFF)
def test_direct_mail(scene: Scene, inputs: Inputs, setting: str) -> None:
    """It is returned where the domain has MX hosts alone; with the remedy, they get it."""
    scene.begin(setting)
    inputs.settings = {}
    inputs.write("postfix-relaymap.cf", f"@other.test [host.test]:{scene.port}\n")
    inputs.apply(scene.postfix)
    remedy = findings(inputs, scene.postfix)[MX]
    scene.postfix.renew()
    scene.postfix.send(SENDER, [RECIPIENT], "1")
    wait_for_log(scene.postfix, "status=bounced (unable to look up host only.test", scene.logged)
    assert scene.testbed.ledger.received() == ()
    scene.postfix.command("postsuper", "-d", "ALL")
    follow(scene, remedy)
    assert MX not in findings(inputs, scene.postfix)
    assert scene.arrives_at("2") == "mx.test"


def test_the_level_decides(scene: Scene, inputs: Inputs) -> None:
    """Where both parameters are set, MX hosts are looked up, as ``explain`` says."""
    scene.begin(ON)
    inputs.settings = {"DEFAULT_RELAY_HOST": f"only.test:{scene.port}"}
    inputs.apply(scene.postfix)
    assert findings(inputs, scene.postfix).keys().isdisjoint({LEAVES, MX})
    said = inputs.run(scene.postfix, "explain", "--json", SENDER)
    assert json.loads(said.stdout)["now"]["hops"][0]["mail_exchangers"] is True
    assert scene.arrives_at("1") == "mx.test"


@pytest.mark.parametrize("routing", ROUTINGS)
def test_name_of_the_hosts_file(scene: Scene, inputs: Inputs, routing: str) -> None:
    """It counts where the DNS does not have it, and Postfix asks both."""
    scene.begin("smtp_host_lookup = dns, native")
    inputs.settings = {"DEFAULT_RELAY_HOST": f"[hosted.test]:{scene.port}", "RELAY_ROUTING": routing}
    inputs.apply(scene.postfix)
    assert scene.arrives_at("1") == "host.test"


@pytest.mark.parametrize("routing", ROUTINGS)
def test_name_of_the_hosts_file_behind_a_dns_that_fails(scene: Scene, inputs: Inputs, routing: str) -> None:
    """Its mail waits; with what `test` says, it arrives."""
    scene.begin("smtp_host_lookup = dns, native")
    inputs.settings = {"DEFAULT_RELAY_HOST": f"[broken.test]:{scene.port}", "RELAY_ROUTING": routing}
    inputs.apply(scene.postfix)
    scene.postfix.renew()
    scene.postfix.send(SENDER, [RECIPIENT], "1")
    wait_for_log(scene.postfix, "status=deferred (Host or domain name not found.", scene.logged)
    scene.postfix.command("postsuper", "-d", "ALL")
    (setting,) = re.findall(r"set (.+?) in main\.cf", TEXTS[Failure.NAME, Detail.DNS_FIRST].remedy)
    follow(scene, f"(postconf -e '{setting}')")
    assert scene.arrives_at("2") == "host.test"
