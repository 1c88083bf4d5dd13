"""From ``postfix start`` to the first relayed message: with files that we have just written, with old ones, with hot ones.

Hot is what anybody else's files are who writes them before Postfix starts: their time is now, and Postfix waits for them to
cool down.
"""

from __future__ import annotations

import os
import time
from statistics import median
from typing import TYPE_CHECKING

from testbed import SUBMISSION, Inputs, Testbed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed import Postfix, Relay

#: Starts of each kind, one after the other in turn.
ROUNDS = 7
SENDER, RECIPIENT = "someone@managed.test", "anyone@world.test"


class FirstMessage:
    """A Postfix that is started again and again."""

    def __init__(self, testbed: Testbed, inputs: Path) -> None:
        """Take a stage, and a directory for the inputs."""
        self.relay: Relay = testbed.relay("relay.test", SUBMISSION)
        self.postfix: Postfix = testbed.postfix(start=False)
        login = {"RELAY_USER": "user", "RELAY_PASSWORD": "password"}
        self.inputs = Inputs(inputs, DEFAULT_RELAY_HOST=self.relay.nexthop, **login)
        self.settings = self.inputs.settings
        self.seconds: dict[str, list[float]] = {}

    def measure(self) -> dict[str, float]:
        """Return the median seconds of each kind."""
        kinds: dict[str, Callable[[], None]] = {"old": self._old, "ours": self._ours, "hot": self._hot}
        for _ in range(ROUNDS):
            for name, prepare in kinds.items():
                self.seconds.setdefault(name, []).append(self._start(prepare))
        return {name: median(seconds) for name, seconds in self.seconds.items()}

    def _start(self, prepare: Callable[[], None]) -> float:
        expected = len(self.relay.received) + 1
        prepare()
        begin = time.perf_counter()
        self.postfix.start()
        self.postfix.send(SENDER, [RECIPIENT], str(expected))
        self.relay.wait_for(expected)
        seconds = time.perf_counter() - begin
        self.postfix.stop()
        return seconds

    def _ours(self) -> None:
        """Write all of them: a first boot."""
        self.inputs.settings = {}
        self.inputs.apply(self.postfix)
        self.inputs.settings = self.settings
        self.inputs.apply(self.postfix)

    def _old(self) -> None:
        self._ours()
        self._set_times(time.time() - 3600)

    def _hot(self) -> None:
        self._ours()
        self._set_times(time.time())

    def _set_times(self, then: float) -> None:
        for path in self.postfix.config.iterdir():
            os.utime(path, (then, then))


def measure(inputs: Path) -> dict[str, float]:
    """Return the seconds of each kind, on a stage of its own."""
    with Testbed() as testbed:
        return FirstMessage(testbed, inputs).measure()
