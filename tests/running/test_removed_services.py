"""A relay's service leaves master.cf while it delivers: master(8) ends the processes of such a service at once (seen)."""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

import pytest

from dms_relay.cli import main
from testbed import PATIENCE, Mode

if TYPE_CHECKING:
    from testbed import Inputs, Postfix, Relay, Testbed

#: Each takes seconds.
pytestmark = pytest.mark.one_in(2)
SLOW = Mode(delay=1.0)
"""A relay that looks at each message for a while before it takes it: for longer than `apply` needs for its last steps."""
VERY_SLOW = Mode(delay=10.0)
PAUSE = 0.1
"""Seconds between two messages."""
RELAY_YAML = """\
version: 1
relays:
  {name}: {{host: {host}, port: {port}, login: {{username: me, password: pw}}, tls: {{level: encrypt}}}}
default: {name}
"""


def configure(inputs: Inputs, name: str, relay: Relay) -> None:
    """Write a relay.yaml with one relay."""
    inputs.write("relay.yaml", RELAY_YAML.format(name=name, host=relay.host, port=relay.port))


def change(inputs: Inputs, what: str, relay: Relay) -> None:
    """Take another relay in place of x: as x, as y, or without a transport of its own."""
    configure(inputs, "x" if what == "moved" else "y", relay)
    if what == "to maps":
        inputs.write("relay.yaml", None)
        inputs.settings = {"DEFAULT_RELAY_HOST": relay.nexthop, "RELAY_USER": "me", "RELAY_PASSWORD": "pw"}


def apply(inputs: Inputs, postfix: Postfix, *options: str) -> str:
    """Run `apply` in this process, which must succeed; return what it says."""
    said = io.StringIO()
    arguments = ["--config-dir", str(inputs.directory), "--postfix-dir", str(postfix.config), "apply", *options]
    with redirect_stderr(said):
        assert main(arguments, inputs.settings) == 0
    return said.getvalue()


def apply_meanwhile(inputs: Inputs, postfix: Postfix) -> tuple[str, list[str]]:
    """Run it while mail is handed in; return what it says, and the messages."""
    ids = postfix.send("me@one.test", ["friend@world.test"], "first")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(apply, inputs, postfix)
        while not done.done():
            ids += postfix.send("me@one.test", ["friend@world.test"], f"{len(ids)}")
            time.sleep(PAUSE)
    ids += postfix.send("me@one.test", ["friend@world.test"], "last")
    postfix.wait_until_queue_empty(PATIENCE)
    return done.result(), ids


@pytest.mark.one_in(3)
@pytest.mark.parametrize("what", ["moved", "removed", "to maps"])
def test_no_message_is_delivered_again(testbed: Testbed, inputs: Inputs, what: str) -> None:
    """Where the relay moves, goes, or is no transport any more, each message that is handed in meanwhile arrives once."""
    old, new = testbed.relay("old", SLOW), testbed.relay("new", SLOW)
    postfix = testbed.postfix()
    configure(inputs, "x", old)
    inputs.apply(postfix)
    change(inputs, what, new)
    _, ids = apply_meanwhile(inputs, postfix)
    assert Counter(one.message_id for one in testbed.ledger.received()) == Counter(ids)
    assert {one.relay for one in testbed.ledger.received()} == {"old", "new"}


@pytest.mark.long
def test_a_delivery_that_takes_long(testbed: Testbed, inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a delivery does not end in time, the service stays, the next run removes it, and nothing arrives twice."""
    monkeypatch.setattr("dms_relay.postfix.programs.RELOAD_TIMEOUT", 0.1)
    old, new = testbed.relay("old", VERY_SLOW), testbed.relay("new", SLOW)
    postfix = testbed.postfix()
    configure(inputs, "x", old)
    inputs.apply(postfix)
    change(inputs, "removed", new)
    said, ids = apply_meanwhile(inputs, postfix)
    assert re.search("service kept: .*relay-x", said)
    assert "\nrelay-x " in (postfix.config / "master.cf").read_text()
    assert re.search("service removed .*relay-x", apply(inputs, postfix))
    assert "\nrelay-x " not in (postfix.config / "master.cf").read_text()
    assert apply(inputs, postfix) == ""
    assert Counter(one.message_id for one in testbed.ledger.received()) == Counter(ids)


@pytest.mark.parametrize("what", ["removed", "to maps"])
def test_reloaded_by_somebody_else(testbed: Testbed, inputs: Inputs, what: str) -> None:
    """`--no-reload` leaves the service and its logins, for whoever reloads Postfix then; a later run removes both.

    What Postfix has in hand arrives once, and so does what it takes by its old routes before that reload.
    """
    old, new = testbed.relay("old", SLOW), testbed.relay("new", SLOW)
    postfix = testbed.postfix()
    configure(inputs, "x", old)
    inputs.apply(postfix)
    ids = [*send(postfix, "first"), *send(postfix, "second")]
    time.sleep(PAUSE)
    change(inputs, what, new)
    assert "service kept" in apply(inputs, postfix, "--no-reload")
    ids += send(postfix, "third")
    time.sleep(PAUSE)
    assert "service kept" in apply(inputs, postfix, "--no-reload")
    postfix.reload()
    ids += send(postfix, "last")
    postfix.wait_until_queue_empty(PATIENCE)
    received = testbed.ledger.received()
    assert Counter(one.message_id for one in received) == Counter(ids)
    assert {one.relay: one.user for one in received} == {"old": "me", "new": "me"}
    assert re.search("service removed .*relay-x", apply(inputs, postfix, "--no-reload"))
    assert "\nrelay-x " not in (postfix.config / "master.cf").read_text()
    assert not list(postfix.config.rglob("*relay-x*"))
    assert apply(inputs, postfix, "--no-reload") == ""


def send(postfix: Postfix, message_id: str) -> list[str]:
    """Hand one message in."""
    return postfix.send("me@one.test", ["friend@world.test"], message_id)
