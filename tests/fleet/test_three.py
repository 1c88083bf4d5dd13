"""Three replicas under load: one is killed, one drained, one started again with a changed secret, and nothing is lost.

The load is there all the time. A killed replica comes back on its volume, as a StatefulSet has it. A drained one goes for
good, as at a scale-down.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from testbed.fleet.cluster import wait_for
from testbed.fleet.load import Load
from testbed.fleet.service import Service
from testbed.fleet.verdict import verdict
from testbed.patience import PATIENCE
from tests.support.amounts import amount

if TYPE_CHECKING:
    from testbed.fleet.fleet import Fleet
    from tests.support.amounts import Figures

#: Clients at once, and seconds between two messages of each.
CLIENTS = 8
PAUSE = 0.1 if amount(0, 1) else 0.4
#: Seconds that a message takes at most on a busy machine, all clients together.
SLOW = 0.2
#: Messages that a replica has in its queue when it is killed.
WAITING = 10
#: Seconds for which a Service goes on to send connections to a replica that is being deleted: the nodes learn of it later.
LATE = 0.5


class Show:
    """What is done to the replicas, one after the other, while the load goes on."""

    def __init__(self, fleet: Fleet, service: Service, load: Load, total: int) -> None:
        """Take all that is there."""
        self.fleet, self.service, self.load, self.total = fleet, service, load, total
        self.killed: set[str] = set()
        self.is_over = False

    def run(self) -> None:
        """Do it all."""
        first, second, third = self.fleet.names
        try:
            self.wait_for(0.15)
            self.kill(second)
            self.wait_for(0.4)
            self.drain(third)
            self.wait_for(0.6)
            self.restart_with_another_secret(first)
            self.wait_for_password([first, second], "second")
        finally:
            self.is_over = True

    def wait_for(self, part: float) -> None:
        """Wait until a part of the load has been accepted."""
        patience = max(PATIENCE, self.total * SLOW)
        wait_for(lambda: self.load.done >= part * self.total, f"{part:.0%} of {self.total} messages", patience)

    def kill(self, name: str) -> None:
        """Kill a replica with mail in its queue; the Service notices by itself. Then it comes back, on its volume."""
        self.killed.add(self.fleet.host(name))
        with self.fleet.site.stalled():
            wait_for(lambda: self.fleet.waiting(name) >= WAITING, f"{WAITING} messages in the queue of {name}")
            self.fleet.cluster.kill(name)
            assert self.fleet.waiting(name) >= WAITING
        wait_for(lambda: name not in self.service.endpoints, f"the Service to notice the end of {name}")
        self.fleet.cluster.remove(name)
        self.fleet.start(name)
        self.service.join(name)

    def drain(self, name: str) -> None:
        """Take a replica away for good: it has nothing left then."""
        self.delete(name)
        assert self.fleet.waiting(name) == 0

    def restart_with_another_secret(self, name: str) -> None:
        """Change the password for all, which each takes up as it runs, and start one again."""
        self.fleet.site.take(self.fleet.user, self.fleet.password, "second")
        self.fleet.change(password="second")
        self.delete(name)
        self.fleet.start(name)
        self.service.join(name)

    def delete(self, name: str) -> None:
        """End a replica in order, while connections still come for a moment."""
        with ThreadPoolExecutor() as pool:
            deletion = pool.submit(self.fleet.cluster.delete, name)
            time.sleep(LATE)
            self.service.leave(name)
            end = deletion.result()
        assert (end.pre_stop, end.exit_code) == (0, 0), f"{end}"

    def wait_for_password(self, names: list[str], password: str) -> None:
        """Wait until each of some replicas has delivered with a password, and have the server take no other one then."""
        hosts = {self.fleet.host(name) for name in names}

        def use_it() -> bool:
            return hosts <= {each["host"] for each in self.fleet.site.records() if each["password"] == password}

        wait_for(use_it, f"{hosts} to log in with the {password} password")
        self.fleet.site.take(self.fleet.user, password)


@pytest.mark.soak
@pytest.mark.long
def test_nothing_is_lost(fleet: Fleet, figures: Figures) -> None:
    """Each message that was accepted arrives, over TLS and with the login; each double has its explanation."""
    total = amount(300, 10_000)
    with Service(fleet.cluster, fleet.site.gateway) as service, ThreadPoolExecutor() as pool:
        for name in fleet.names:
            service.join(name)
        load = Load(fleet.site.gateway, service.port, fleet.name, CLIENTS)
        show = Show(fleet, service, load, total)
        loaded = pool.submit(load.run, total, PAUSE, lambda: show.is_over)
        show.run()
        loaded.result()
    identities = [message.identity for message in load.messages]
    fleet.site.wait_for(
        identities, lambda: [fleet.cluster.execute(name, "postqueue", "-f") for name in fleet.names[:2]]
    )
    found = verdict(load.messages, fleet.site.records(), show.killed)
    print(found)
    figures(found.accepted, "messages accepted by a fleet of which one is killed, one drained, one started again")
    figures(
        len(found.sent_again) + len(found.handed_in_again), "messages of these that came twice, because of the kill"
    )
    assert (found.lost, found.in_the_clear, found.unexplained) == ([], [], [])
    assert {record["user"] for record in fleet.site.records()} == {"user"}
