"""What a reload does to a message that is on its way at that moment: it waits for nothing but its delivery."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dms_relay.postfix.processes import children, command
from testbed import Auth, Mode, Tls
from tests.support.scene import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed import Inputs, Postfix, Testbed


def daemon(postfix: Postfix, name: str) -> int:
    """Return the newest process of a program; 0 where there is none."""
    master = int(postfix.layout.master_pid.read_text())
    return max((child for child in children(master) if command(child) == name), default=0)


@contextmanager
def stopped(number: int) -> Iterator[None]:
    """Have a process stand still meanwhile."""
    os.kill(number, signal.SIGSTOP)
    with continued(number):
        yield


@contextmanager
def continued(number: int) -> Iterator[None]:
    """Have a process that stands still go on afterwards."""
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


def is_active(postfix: Postfix) -> bool:
    """Return True if the queue manager has a message in hand."""
    return any(path.is_file() for path in (postfix.layout.queue / "active").rglob("*"))


def test_no_message_is_left_to_itself(testbed: Testbed, inputs: Inputs) -> None:
    """A message on its way when Postfix is reloaded is delivered at once, also where the queue manager ended over it.

    It looks up the message's way while master(8) tells it to end, and wakes the next one: which is this one, as it has not
    looked yet. It takes the message on, then ends. Nobody has the message, for the 300 s until master(8) wakes the next.
    """
    relay = testbed.relay("relay", Mode(Tls.OFFERED, Auth.OFFERED))
    testbed.world("world")
    postfix = testbed.postfix()
    inputs.manage(postfix, ["managed.test"])
    postfix.send("anna@managed.test", ["friend@world"], "first")
    testbed.ledger.wait_for(1)
    inputs.settings = {"RELAY_HOST": relay.host, "RELAY_PORT": str(relay.port)}
    pickup, manager, resolver = (daemon(postfix, name) for name in ("pickup", "qmgr", "trivial-rewrite"))
    with ThreadPoolExecutor(1) as pool:
        with stopped(manager):
            postfix.send("anna@managed.test", ["other@world"], "second")
            os.kill(resolver, signal.SIGSTOP)
        with continued(resolver):
            wait_until(lambda: is_active(postfix))
            done = pool.submit(inputs.apply, postfix)
            wait_until(lambda: daemon(postfix, "pickup") not in {pickup, 0})  # master(8) is through with its reload
        assert "Postfix reloaded" in done.result()
    assert [received.message_id for received in testbed.ledger.wait_for(2)] == ["first", "second"]
