"""A Postfix that is started, stopped or restarted while `apply` works: what it does in the end is what the inputs say.

A log that does something at an event makes each moment certain; all else is real.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from dms_relay.apply import apply
from dms_relay.log import Log
from dms_relay.merge import merge
from dms_relay.model import Paths
from dms_relay.plan import plan
from dms_relay.plan.found import find
from dms_relay.render import render
from dms_relay.sources import read
from testbed import SUBMISSION, WORLD, Login

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed import Inputs, Postfix, Relay, Testbed

SENDER = "anna@managed.test"
#: What is logged when a table is new and main.cf is not, and when all is written.
MOMENTS = ("table written", "parameter set")


class _LogThatActs(Log):
    """Does something at the first event of a name."""

    def __init__(self, event: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._event = event
        self._act = act
        self.events: list[str] = []

    def info(self, event: str, **fields: object) -> None:
        """Act, where this is the event."""
        self.events.append(event)
        if event == self._event and self.events.count(event) == 1:
            self._act()
        super().info(event, **fields)


@pytest.fixture
def relay(testbed: Testbed) -> Relay:
    """Return a relay, beside the recipient's own server."""
    testbed.world("world", WORLD)
    return testbed.relay("relay", SUBMISSION)


@pytest.fixture
def postfix(testbed: Testbed, inputs: Inputs, relay: Relay) -> Postfix:
    """Return a Postfix that does not run, and the inputs that have it use the relay."""
    inputs.settings = {
        "RELAY_HOST": relay.host,
        "RELAY_PORT": str(relay.port),
        "RELAY_USER": "u",
        "RELAY_PASSWORD": "p",
    }
    postfix = testbed.postfix(start=False)
    inputs.manage(postfix, ["managed.test"])
    return postfix


def apply_when(event: str, act: Callable[[], object], postfix: Postfix, inputs: Inputs) -> list[str]:
    """Apply the inputs; at an event do something. Return the events."""
    paths = Paths(inputs.directory, postfix.config)
    wanted = render(merge(read(paths, inputs.settings)), paths)
    log = _LogThatActs(event, act)
    apply(plan(wanted, find(paths)), paths, log=log)
    assert event in log.events
    return log.events


def way(testbed: Testbed, postfix: Postfix) -> tuple[str, Login | None]:
    """Send a message; return the server that it reached, and the login."""
    postfix.send(SENDER, ["friend@world"], "first")
    received = testbed.ledger.wait_for(1)[-1]
    return received.relay, received.login


@pytest.mark.parametrize("event", MOMENTS)
def test_started_meanwhile(testbed: Testbed, postfix: Postfix, inputs: Inputs, event: str) -> None:
    """A Postfix that begins after `apply` has looked for one, and before it has written all, is reloaded."""
    assert "Postfix reloaded" in apply_when(event, postfix.start, postfix, inputs)
    assert way(testbed, postfix) == ("relay", Login("u", "p"))
    assert inputs.run(postfix, "apply").stdout == "nothing to do\n"


@pytest.mark.parametrize("event", MOMENTS)
def test_stopped_meanwhile(testbed: Testbed, postfix: Postfix, inputs: Inputs, event: str) -> None:
    """A Postfix that is stopped while `apply` works is no failure: its next start reads all of it."""
    postfix.start()
    apply_when(event, postfix.stop, postfix, inputs)
    postfix.start()
    assert way(testbed, postfix) == ("relay", Login("u", "p"))
    assert inputs.run(postfix, "apply").stdout == "nothing to do\n"


@pytest.mark.parametrize("event", [*MOMENTS, "Postfix reloaded"])
def test_restarted_meanwhile(testbed: Testbed, postfix: Postfix, inputs: Inputs, event: str) -> None:
    """A Postfix that is restarted while `apply` works is reloaded where it began before all was written."""

    def restart() -> None:
        postfix.stop()
        postfix.start()

    postfix.start()
    apply_when(event, restart, postfix, inputs)
    assert way(testbed, postfix) == ("relay", Login("u", "p"))


def test_reloaded_by_somebody_else(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """A reload in the middle reads half of it; the one at the end reads all."""
    postfix.start()
    assert "Postfix reloaded" in apply_when("table written", postfix.reload, postfix, inputs)
    assert way(testbed, postfix) == ("relay", Login("u", "p"))


def test_older_than_its_files(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """A Postfix that has not read its files since they changed: `check` and `explain` say so, `apply` reloads it."""
    postfix.start()
    assert "reload-due" not in inputs.run(postfix, "check").stdout
    inputs.apply(postfix, "--no-reload")
    assert "warning  reload-due  main.cf\n" in inputs.run(postfix, "check").stdout
    assert "the running Postfix has not read" in inputs.run(postfix, "explain", SENDER).stdout
    assert "Postfix reloaded" in inputs.apply(postfix)
    assert way(testbed, postfix) == ("relay", Login("u", "p"))
    assert_all_is_read(postfix, inputs)


@pytest.mark.parametrize("name", ["main.cf", "master.cf", "sasl_passwd"])
def test_changed_by_somebody_else(postfix: Postfix, inputs: Inputs, name: str) -> None:
    """The same where somebody else puts a file in place, also one with an old time; a reload by hand is as good."""
    inputs.apply(postfix)
    postfix.start()
    assert_all_is_read(postfix, inputs)
    path = postfix.config / name
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.rename(path)
    assert f"warning  reload-due  {name}\n" in inputs.run(postfix, "check").stdout
    postfix.reload()
    assert_all_is_read(postfix, inputs)


def assert_all_is_read(postfix: Postfix, inputs: Inputs) -> None:
    """Nothing says that a reload is due, and `apply` does none."""
    assert "reload-due" not in inputs.run(postfix, "check").stdout
    assert "the running Postfix has not read" not in inputs.run(postfix, "explain", SENDER).stdout
    assert inputs.run(postfix, "apply").stdout == "nothing to do\n"
