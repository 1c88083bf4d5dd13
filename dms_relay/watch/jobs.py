"""What the keeper looks after, one class each: when it is due, which command does it, and what its end means.

A job is run by one child at a time. What fails is tried again after pauses that grow, and at once when something has
changed. Looks at files (``looks``); writes nothing.
"""

from __future__ import annotations

import os
import time

from dms_relay.watch import looks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from dms_relay.watch.children import Child
    from dms_relay.watch.keeper import Settings

    class Say(Protocol):
        """Has a log line written."""

        def __call__(self, level: str, event: str, **fields: object) -> None:
            """Take it."""


#: Seconds from one failure to the next try: the first, which doubles, and the longest.
FIRST_PAUSE, LAST_PAUSE = 2.0, 300.0
#: How often in a row the inputs may look otherwise each time before they are applied all the same: somebody writes on
#: and on.
_RESTLESS_MAX = 5
#: Seconds that a child may take. ``apply`` waits for the lock (30 s), for programs of Postfix's (60 s each) and for
#: processes to end (10 s for each reload).
_APPLY_LIMIT, _TEST_LIMIT, _ASK_LIMIT = 600.0, 900.0, 120.0
#: Exit codes of a run whose inputs are wrong (``errors``): only a person can change that.
_WRONG = frozenset({2, os.EX_NOINPUT, os.EX_CONFIG})
#: What is said of a run that gave no reason that we could read.
_NO_REASON = "its reason is in the log"


class Job:
    """Something that is done from time to time. What ``task`` returns is a command, and what it gets on standard input."""

    name = ""
    limit = _ASK_LIMIT
    #: Seconds that its child has to end on TERM when the keeper ends.
    grace = 0.5
    #: Whether its child has no end of its own, so that the keeper is at rest while it runs.
    is_server = False

    def __init__(self) -> None:
        """Nothing has failed."""
        self.failures = 0
        self.not_before = 0.0
        self.trouble = ""
        #: The end of the last run, in seconds since 1970, and what it said.
        self.at: float | None = None
        self.result: dict[str, Any] = {}

    def ask(self) -> None:
        """Have it looked at without a pause."""
        self.not_before = 0.0

    def is_due(self) -> bool:
        """Return True if it is to be done now."""
        raise NotImplementedError

    def task(self) -> tuple[list[str], object]:
        """Return the words of a command, and what that gets."""
        raise NotImplementedError

    def end(self, child: Child, code: int, say: Say) -> None:
        """Take what a child has said."""
        said = child.said()
        self.at = time.time()
        if child.is_late:
            self.fail(f"did not end in {self.limit:g} s, and was ended", say)
        elif not isinstance(said, dict):
            self.fail(f"ended with {_shown(code)}; {_NO_REASON}", say)
        else:
            self.trouble = ""
            self.result = said
            self.succeed()

    def succeed(self) -> None:
        """Take the result, which is in ``result``."""
        self.failures = 0

    def fail(self, why: str, say: Say) -> None:
        """Say once what went wrong, and wait longer each time."""
        trouble = f"keeper: {self.name} {why}"
        if trouble != self.trouble:
            say("error", f"{trouble} -- dms-relay tries again; dms-relay status says more")
        self.trouble = trouble
        self.pause()

    def pause(self) -> None:
        """Wait, longer each time."""
        self.not_before = time.monotonic() + min(LAST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures, 16))
        self.failures += 1

    def troubles(self) -> list[str]:
        """Return what is wrong, a line each, for the health check."""
        return [self.trouble] if self.trouble else []

    def document(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {"at": self.at, "trouble": self.trouble, **self.result}


def _shown(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


class Inputs(Job):
    """Applies the inputs when they have changed: two equal looks that differ from how they were when they were last read."""

    name = "apply"
    limit = _APPLY_LIMIT

    def __init__(self, inputs: dict[str, Any], before: dict[str, Any]) -> None:
        """Take where the inputs are, and what the previous keeper has said, so that it is not said again."""
        super().__init__()
        known = ("problems", "errors", "in_force", "code", "began")
        self.result = {key: before[key] for key in known if key in before}
        #: How the inputs looked when the previous keeper applied them, where it did.
        self.known = before.get("looks", {}) if before.get("code") == os.EX_OK else {}
        #: What was warned of when inputs could be used the last time: where they cannot, not all is said again.
        self.warned: list[list[str]] = []
        self._inputs = inputs
        self.is_asked = True
        self.is_first = True
        self.last: dict[str, list[str]] = {}
        self.restless = 0

    @property
    def looks(self) -> dict[str, list[str]]:
        """How the inputs looked before they were read the last time."""
        found: dict[str, list[str]] = self.result.get("looks") or {}
        return found

    def ask(self) -> None:
        """Have them applied at once."""
        super().ask()
        self.is_asked = True

    def is_due(self) -> bool:
        """Return True if they are to be applied."""
        if self.is_asked:
            return True
        now = looks.look_again(self.looks)
        is_at_rest = now == self.last
        self.last = now
        if now != self.looks:
            self.restless += 1
            return is_at_rest or self.restless > _RESTLESS_MAX
        self.restless = 0
        return self.failures > 0 and time.monotonic() >= self.not_before

    def task(self) -> tuple[list[str], object]:
        """Return the command, which gets what was said the last time."""
        self.is_asked = False
        self.restless = 0
        said = [*self.result.get("problems", []), *self.warned]
        last = {"looks": self.known, "began": self.result.get("began", 0.0), "code": self.result.get("code")}
        return ["keep", "apply"], {**self._inputs, "problems": said, "is_first": self.is_first, **last}

    def succeed(self) -> None:
        """Take the result: inputs that are wrong are looked at again when they change, and seldom without a reason."""
        self.last = {}
        self.is_first, self.known = False, {}
        code = self.result["code"]
        if code == os.EX_OK:
            self.failures = 0
            self.warned = self.result["problems"]
            return
        self.pause()
        if code in _WRONG:
            self.not_before = time.monotonic() + LAST_PAUSE

    def end(self, child: Child, code: int, say: Say) -> None:
        """Take what a child has said; what is in force stays known where it has said nothing."""
        before = self.result
        super().end(child, code, say)
        if self.result is not before and self.result["in_force"] is None:
            self.result["in_force"] = before.get("in_force")

    def troubles(self) -> list[str]:
        """Return what is wrong with the inputs, or with the run."""
        if self.trouble or self.result.get("code", 0) == os.EX_OK:
            return super().troubles()
        return [f"inputs: {line}" for line in self.result["errors"]]


class Tests(Job):
    """Tests the logins at the relays from time to time."""

    name = "tests"
    limit = _TEST_LIMIT

    def __init__(self, settings: Settings, before: dict[str, Any], has_applied: Callable[[], bool]) -> None:
        """Take the settings, and what the last test has found."""
        super().__init__()
        self._inputs, self._interval = settings.inputs, settings.test_interval
        self._has_applied = has_applied
        self.result = {"results": before.get("results", [])}
        self.at = before.get("at")

    def is_due(self) -> bool:
        """Return True if the last test is long enough ago; the clock may have been set back since."""
        if not self._interval or not self._has_applied() or time.monotonic() < self.not_before:
            return False
        return self.at is None or not 0 <= time.time() - self.at < self._interval

    def task(self) -> tuple[list[str], object]:
        """Return the command, which gets what was found the last time."""
        return ["keep", "test"], {**self._inputs, "before": self.result["results"]}

    def succeed(self) -> None:
        """Wait for the next time, as after a failure."""
        self.failures = 0
        self.not_before = 0.0

    def troubles(self) -> list[str]:
        """Return nothing: a relay that is down is no reason to start the container again."""
        return []

    def document(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {**super().document(), "interval": self._interval}
