"""Mail that keeps flowing while `apply` goes back and forth between configurations, and what became of it."""

import threading
import time
from collections import Counter
from typing import NamedTuple

from testbed import Inputs, Mode, Postfix, Testbed
from tests.support.amounts import Figures, amount

RUNS = amount(2, 30)
"""Runs of `apply`."""
MESSAGES = amount(100, 2000)
"""Messages that pass meanwhile, at least."""
BATCH = amount(8, 20)
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

    def __init__(self, testbed: Testbed, postfix: Postfix) -> None:
        """Begin."""
        self._ledger = testbed.ledger
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

    testbed: Testbed
    ids: list[str]
    statuses: Counter[str]
    handed_in_between: int
    """Messages that were handed in from the first run of `apply` to the last."""
    seconds: float
    runs: int
    bounced: list[str]
    """What Postfix logged of each message that it sent back."""

    @property
    def crossings(self) -> list[tuple[str, str]]:
        """Relay and user name wherever a relay was offered the login of another."""
        attempts = self.testbed.ledger.attempts()
        return [(a.relay, a.login.user) for a in attempts if not a.login.user.endswith(f"-{a.relay}")]

    def summary(self) -> str:
        """Say it in one line."""
        numbers = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        crossed = Counter(self.crossings)
        return (
            f"{len(self.ids)} messages, {self.handed_in_between} of them during {self.runs} runs of apply in "
            f"{self.seconds:.0f} s; attempts: {numbers}; logins at another relay: {sum(crossed.values())} {dict(crossed)}"
        )


def run_load(  # noqa: PLR0913 -- each by its name
    testbed: Testbed, postfix: Postfix, one: Inputs, two: Inputs, *, runs: int = RUNS, messages: int = MESSAGES
) -> Outcome:
    """Apply `one` and `two` in turn while mail passes, and wait until all of it has left."""
    one.apply(postfix)
    load = Load(testbed, postfix)
    begin, first = time.monotonic(), len(load.ids)
    for number in range(runs):
        (two, one)[number % 2].apply(postfix, "--from-scratch")
        load.wait_for(first + (number + 1) * messages // runs)
    seconds, last = time.monotonic() - begin, len(load.ids)
    load.end()
    postfix.wait_until_queue_empty(DRAIN)
    bounced = [line for line in postfix.log().splitlines() if "status=bounced" in line]
    return Outcome(testbed, load.ids, postfix.statuses(), last - first, seconds, runs, bounced)


def check(outcome: Outcome, figures: Figures, at_least: int = MESSAGES) -> None:
    """Every message arrived, once, over TLS, and with a login; nothing was sent back."""
    figures(len(outcome.ids), "messages while apply goes back and forth: each arrives once, with its own login")
    figures(outcome.runs, "runs of apply while messages pass")
    received = outcome.testbed.ledger.received()
    assert outcome.handed_in_between >= at_least, outcome.summary()
    arrived, handed_in = Counter(r.message_id for r in received), Counter(outcome.ids)
    found = {"lost": handed_in - arrived, "arrived twice": arrived - handed_in, "bounced": outcome.bounced}
    assert not any(found.values()), f"{found}; {outcome.summary()}"
    assert [r for r in received if r.tls is None or r.login is None] == [], outcome.summary()
