"""Reconfiguring under load: mail keeps flowing while `apply` moves every sender from one set of relays to another.

Four relays, which demand TLS and a login (530 without, so that a message which
comes without would bounce). In configuration one, all mail goes to relays a and
c, in configuration two to b and d, and each configuration knows the logins of
its own two relays alone. `apply` runs 30 times between the two, while four
connections hand in mail, so much that some is always on its way.
"""

import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from stage import Inputs, Mode, Postfix, Stage
from stage.inputs import LOGINS, RELAYMAP

RUNS = int(os.environ.get("LOAD_RUNS", "30"))
MESSAGES = int(os.environ.get("LOAD_MESSAGES", "2000"))
BATCH = 20
"""Messages of one sender that are handed in together."""
PAUSE = 0.05
"""Seconds between two batches."""
ON_ITS_WAY = 500
"""Messages on their way at most: a queue that grows would only make the test longer."""
DRAIN = 120.0
"""Seconds in which the last message must have left."""
SENDERS = ("anna@managed.test", "ben@mapped.test", "vip@box.test", "eve@elsewhere.test", "<>")
SLOW = Mode(delay=0.03)
"""Mail is on its way to a relay for a while, so that a reload meets it there."""


class Load:
    """Hands in mail until it is told to stop, and remembers the ids."""

    def __init__(self, stage: Stage, postfix: Postfix) -> None:
        """Begin."""
        self._ledger = stage.ledger
        self._postfix = postfix
        self._stop = threading.Event()
        self._errors: list[Exception] = []
        self.ids: list[str] = []
        self._thread = threading.Thread(target=self._hand_in)
        self._thread.start()

    def _hand_in(self) -> None:
        while not self._stop.is_set():
            time.sleep(PAUSE)
            if len(self.ids) - self._ledger.count() > ON_ITS_WAY:
                continue
            sender = SENDERS[len(self.ids) // BATCH % len(SENDERS)]
            try:
                self.ids += self._postfix.send(sender, ["friend@world.test"], f"{len(self.ids)}", BATCH)
            except Exception as error:  # noqa: BLE001 -- it is raised again by whoever waits
                self._errors.append(error)
                return

    def wait_for(self, number: int) -> None:
        """Wait until `number` messages have been handed in."""
        while len(self.ids) < number and self._thread.is_alive():
            time.sleep(PAUSE)

    def end(self) -> None:
        """Stop, and raise what went wrong."""
        self._stop.set()
        self._thread.join()
        if self._errors:
            raise self._errors[0]


class Outcome(NamedTuple):
    """What became of the mail."""

    stage: Stage
    ids: list[str]
    statuses: Counter[str]
    handed_in_between: int
    """Messages that were handed in from the first run of `apply` to the last."""
    seconds: float

    @property
    def crossings(self) -> list[tuple[str, str]]:
        """Relay and user name wherever a relay was offered the login of another."""
        attempts = self.stage.ledger.attempts()
        return [(a.relay, a.login.user) for a in attempts if not a.login.user.endswith(f"-{a.relay}")]

    def summary(self) -> str:
        """Say it in one line."""
        numbers = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        crossed = Counter(self.crossings)
        return (
            f"{len(self.ids)} messages, {self.handed_in_between} of them during {RUNS} runs of apply in "
            f"{self.seconds:.0f} s; attempts: {numbers}; logins at another relay: {sum(crossed.values())} {dict(crossed)}"
        )


def run_load(stage: Stage, postfix: Postfix, one: Inputs, two: Inputs) -> Outcome:
    """Apply `one` and `two` in turn while mail passes, and wait until all of it has left."""
    one.apply(postfix)
    load = Load(stage, postfix)
    begin, first = time.monotonic(), len(load.ids)
    for number in range(RUNS):
        (two, one)[number % 2].apply(postfix)
        load.wait_for(first + (number + 1) * MESSAGES // RUNS)
    seconds, last = time.monotonic() - begin, len(load.ids)
    load.end()
    postfix.wait_until_queue_empty(DRAIN)
    return Outcome(stage, load.ids, postfix.statuses(), last - first, seconds)


@pytest.fixture
def postfix(stage: Stage) -> Postfix:
    """Give a running Postfix and the relays a to d."""
    for name in "abcd":
        stage.relay(name, SLOW)
    return stage.postfix({"smtp_tls_security_level": "may"})


@pytest.fixture
def configurations(stage: Stage, postfix: Postfix, tmp_path: Path) -> tuple[Inputs, Inputs]:
    """Give configuration one, with relays a and c, and configuration two, with b and d; routes and ENV login only."""
    (postfix.config / "vhost").write_text("managed.test\nbox.test\nmapped.test\n")
    return _configuration(stage, tmp_path / "one", "a", "c"), _configuration(stage, tmp_path / "two", "b", "d")


def _configuration(stage: Stage, directory: Path, default: str, other: str) -> Inputs:
    first, second = stage.relays[default], stage.relays[other]
    inputs = Inputs(
        directory,
        DEFAULT_RELAY_HOST=first.nexthop,
        RELAY_USER=f"user-{default}",
        RELAY_PASSWORD="pw",
        RELAY_HOST=second.host,
        RELAY_PORT=str(second.port),
    )
    inputs.write(RELAYMAP, f"@mapped.test {second.nexthop}\nvip@box.test {first.nexthop}\n")
    return inputs


def _check(outcome: Outcome) -> None:
    """Every message arrived, once, over TLS, and with a login; nothing was sent back."""
    received = outcome.stage.ledger.received()
    assert outcome.handed_in_between >= MESSAGES
    assert Counter(r.message_id for r in received) == Counter(outcome.ids)
    assert [r for r in received if r.tls is None or r.login is None] == []
    assert outcome.statuses["bounced"] == 0


def test_logins_by_nexthop(
    stage: Stage, postfix: Postfix, configurations: tuple[Inputs, Inputs], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every message arrives exactly once, none without TLS, and no relay is offered the login of another."""
    for inputs, name in zip(configurations, "cd", strict=True):
        inputs.write(LOGINS, f"{stage.relays[name].nexthop} user-{name}:pw\n")
    outcome = run_load(stage, postfix, *configurations)
    with capsys.disabled():
        print(f"\nlogins by nexthop: {outcome.summary()}")
    _check(outcome)
    assert outcome.crossings == []


def test_logins_by_sender(
    stage: Stage, postfix: Postfix, configurations: tuple[Inputs, Inputs], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every message arrives exactly once over TLS; a login by sender may cross in that moment, one by nexthop does not."""
    for inputs, first, second in zip(configurations, "ab", "cd", strict=True):
        inputs.write(
            LOGINS,
            f"@managed.test by-sender-{second}:pw\n@mapped.test by-sender-{second}:pw\n"
            f"vip@box.test by-sender-{first}:pw\n",
        )
    outcome = run_load(stage, postfix, *configurations)
    with capsys.disabled():
        print(f"\nlogins by sender: {outcome.summary()}")
    _check(outcome)
    assert [user for _, user in outcome.crossings if not user.startswith("by-sender-")] == []
