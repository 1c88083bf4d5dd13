"""What becomes of a message in each state of its relay: it waits, or it is returned to its sender. As docs/delivery.md says.

The rule: no state of a relay or of the DNS makes a message that a relay was meant to take bounce for a reason that lies with
this machine or with the network.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed import Inputs, Postfix, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.layout import write_old
from testbed.testbed import loopback_address
from tests.running.states import STATES, Odd
from tests.support.name_server import NameServer

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[2] / "docs/delivery.md"
_ROW = re.compile(r"\| (.+?) \| (\w+) \| (\w+) \|")
#: Seconds after which Postfix gives up, so that nobody waits for minutes.
SHORT = "2s"
#: Seconds in which Postfix must have tried every message.
PATIENCE = 60.0
TIMEOUTS = dict.fromkeys(
    (
        "smtp_connect_timeout",
        "smtp_helo_timeout",
        "smtp_starttls_timeout",
        "smtp_mail_timeout",
        "smtp_rcpt_timeout",
        "smtp_data_init_timeout",
    ),
    SHORT,
)
#: Said of the machine by those who deliver, so each message is delivered once for each of these (status=).
OUTCOMES = {"sent": "arrives", "deferred": "waits", "bounced": "returned"}
COLUMNS = ("maps", "transports")


def documented() -> dict[str, dict[str, str]]:
    """Return the table of the documentation: by state, and by way of routing."""
    rows = [match.groups() for line in DOCUMENT.read_text().splitlines() if (match := _ROW.fullmatch(line))]
    return {state: dict(zip(COLUMNS, outcomes, strict=True)) for state, *outcomes in rows if outcomes != list(COLUMNS)}


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    """Yield the relays."""
    with Testbed() as testbed:
        odd = Odd(testbed)
        odd.start()
        yield odd
        odd.stop()


@pytest.fixture
def postfix(odd: Odd) -> Iterator[Postfix]:
    """Yield a Postfix that asks a name server of ours."""
    address = loopback_address()
    settings = {
        "smtp_dns_support_level": "enabled",
        "smtp_host_lookup": "dns",
        "bounce_queue_lifetime": "0",
        **TIMEOUTS,
    }
    with NameServer(odd.records, (address, 53)):
        postfix = Postfix(settings=settings, authority=odd.testbed.authority)
        with postfix:
            write_old(postfix.layout.names / "resolv.conf", f"nameserver {address}\noptions timeout:1 attempts:1\n")
            yield postfix


def outcomes(postfix: Postfix, number: int) -> dict[str, str]:
    """Return, by the recipient's number, what became of each message the first time that it was tried."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        tries = re.findall(r"to=<n(\d+)@elsewhere\.test>.* status=(\w+)", postfix.log())
        found = {recipient: OUTCOMES[status] for recipient, status in reversed(tries)}
        if len(found) == number:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not all of {number} were tried in {PATIENCE} s: {found}")


@pytest.mark.parametrize("routing", COLUMNS)
def test_each_state(odd: Odd, postfix: Postfix, inputs: Inputs, routing: str) -> None:
    """A message waits, arrives or is returned as the table of the documentation says, which has all states and no others."""
    nexthops = {f"@s{n}.test": odd.nexthops[state.text] for n, state in enumerate(STATES)}
    inputs.write(RELAYMAP, "".join(f"{sender} {nexthop}\n" for sender, nexthop in nexthops.items()))
    inputs.write(LOGINS, "".join(f"{nexthop} user:secret\n" for nexthop in nexthops.values()))
    inputs.settings = {"RELAY_ROUTING": routing}
    inputs.apply(postfix)
    for number, _ in enumerate(STATES):
        postfix.send(f"anna@s{number}.test", [f"n{number}@elsewhere.test"], str(number))
    found = outcomes(postfix, len(STATES))
    table = documented()
    assert {state.text: found[str(n)] for n, state in enumerate(STATES)} == {
        state: row[routing] for state, row in table.items()
    }


def test_the_default_relay(odd: Odd, postfix: Postfix, inputs: Inputs) -> None:
    """What DEFAULT_RELAY_HOST names is main.cf's own relayhost with maps, so its mail waits in these states."""
    for state in STATES[:5]:
        inputs.settings = {
            "DEFAULT_RELAY_HOST": odd.nexthops[state.text],
            "RELAY_USER": "user",
            "RELAY_PASSWORD": "secret",
        }
        inputs.apply(postfix)
        number = STATES.index(state)
        postfix.send("anna@own.test", [f"n{number}@elsewhere.test"], str(number))
        assert outcomes(postfix, number + 1)[str(number)] == "waits"
        postfix.command("postsuper", "-d", "ALL")


@pytest.mark.parametrize("hosts", [1, 2])
def test_several_hosts(odd: Odd, postfix: Postfix, inputs: Inputs, hosts: int) -> None:
    """With transports, where none of a relay's hosts can be found, its mail waits."""
    inputs.settings = {
        "DEFAULT_RELAY_HOST": ", ".join([odd.nexthops[STATES[0].text], odd.nexthops[STATES[1].text]][:hosts]),
        "RELAY_USER": "user",
        "RELAY_PASSWORD": "secret",
        "RELAY_ROUTING": "transports",
    }
    inputs.apply(postfix)
    postfix.send("anna@own.test", ["n0@elsewhere.test"], "0")
    assert outcomes(postfix, 1) == {"0": "waits"}
    assert inputs.apply(postfix) == "nothing to do\n"
