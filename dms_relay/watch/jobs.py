"""The keeper's jobs, one class each: when a job is due, which command does it, and what its end means.

One child at a time runs a job. A failed job is retried after growing pauses, and at once when something has changed.
Looks at files (``looks``); writes nothing.
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
        """Writes a log line."""

        def __call__(self, level: str, event: str, **fields: object) -> None:
            """Write one line."""


#: Seconds from a failure to the next try: the first pause, which doubles, and the longest.
FIRST_PAUSE, LAST_PAUSE = 2.0, 300.0
#: How often in a row the inputs may differ at each look before they are applied anyway: somebody may keep on writing.
_RESTLESS_MAX = 5
#: Seconds that a child may take. ``apply`` waits for the lock (30 s), for programs of Postfix's (60 s each) and for
#: processes to end (10 s for each reload).
_APPLY_LIMIT, _TEST_LIMIT, _ASK_LIMIT = 600.0, 900.0, 120.0
#: Exit codes of a run with wrong inputs (``errors``): only a person can fix that.
_WRONG = frozenset({2, os.EX_NOINPUT, os.EX_CONFIG})
#: The reason of a run whose output has none.
_NO_REASON = "its reason is in the log"


class Job:
    """Something to do from time to time. ``task`` returns a command, and its standard input."""

    name = ""
    limit = _ASK_LIMIT
    #: Seconds that its child may take to end on TERM when the keeper ends.
    grace = 0.5
    #: True if its child runs until it is ended, so that the keeper counts as idle meanwhile.
    is_server = False

    def __init__(self) -> None:
        """Begin without a failure."""
        self.failures = 0
        self.not_before = 0.0
        self.trouble = ""
        #: The end of the last run, in seconds since 1970, and its output.
        self.at: float | None = None
        self.result: dict[str, Any] = {}

    def ask(self) -> None:
        """Make the job due without a pause."""
        self.not_before = 0.0

    def is_due(self) -> bool:
        """Return True if the job is due now."""
        raise NotImplementedError

    def task(self) -> tuple[list[str], object]:
        """Return the words of a command, and its standard input."""
        raise NotImplementedError

    def end(self, child: Child, code: int, say: Say) -> None:
        """Process the output of an ended child."""
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
        """Process a good result, which is in ``result``."""
        self.failures = 0

    def fail(self, why: str, say: Say) -> None:
        """Report once what went wrong, and wait longer each time."""
        trouble = f"keeper: {self.name} {why}"
        if trouble != self.trouble:
            say("error", f"{trouble} -- dms-relay tries again; dms-relay status says more")
        self.trouble = trouble
        self.pause()

    def pause(self) -> None:
        """Wait before the next try, longer each time."""
        self.not_before = time.monotonic() + min(LAST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures, 16))
        self.failures += 1

    def troubles(self) -> list[str]:
        """Return what is wrong, a line each, for the health check."""
        return [self.trouble] if self.trouble else []

    def document(self) -> dict[str, Any]:
        """Return the job's part of the record."""
        return {"at": self.at, "trouble": self.trouble, **self.result}


def _shown(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


class Inputs(Job):
    """Applies changed inputs: when two looks in a row are equal, and differ from the one of the last run."""

    name = "apply"
    limit = _APPLY_LIMIT

    def __init__(self, inputs: dict[str, Any], before: dict[str, Any]) -> None:
        """Set where the inputs are, and the previous keeper's messages, so that they are not repeated."""
        super().__init__()
        known = ("problems", "errors", "in_force", "code", "began")
        self.result = {key: before[key] for key in known if key in before}
        #: The looks of the inputs when the previous keeper applied them, if it did.
        self.known = before.get("looks", {}) if before.get("code") == os.EX_OK else {}
        #: The warnings of the last valid inputs: while inputs are wrong, these are kept, so as not to be repeated later.
        self.warned: list[list[str]] = []
        self._inputs = inputs
        self.is_asked = True
        self.is_first = True
        self.last: dict[str, list[str]] = {}
        self.restless = 0

    @property
    def looks(self) -> dict[str, list[str]]:
        """The looks of the inputs just before the last run read them."""
        found: dict[str, list[str]] = self.result.get("looks") or {}
        return found

    def ask(self) -> None:
        """Make the inputs due at once."""
        super().ask()
        self.is_asked = True

    def is_due(self) -> bool:
        """Return True if the inputs are to be applied."""
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
        """Return the command, which gets the messages of the last run."""
        self.is_asked = False
        self.restless = 0
        said = [*self.result.get("problems", []), *self.warned]
        last = {"looks": self.known, "began": self.result.get("began", 0.0), "code": self.result.get("code")}
        return ["keep", "apply"], {**self._inputs, "problems": said, "is_first": self.is_first, **last}

    def succeed(self) -> None:
        """Process the result: wrong inputs are tried again when they change, and otherwise rarely."""
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
        """Process the output of a child; if there is none, keep what is known about the configuration in force."""
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
        """Set the settings, and the results of the last test."""
        super().__init__()
        self._inputs, self._interval = settings.inputs, settings.test_interval
        self._has_applied = has_applied
        self.result = {"results": before.get("results", [])}
        self.at = before.get("at")

    def is_due(self) -> bool:
        """Return True if the last test is long enough ago, or in the future because the clock was set back."""
        if not self._interval or not self._has_applied() or time.monotonic() < self.not_before:
            return False
        return self.at is None or not 0 <= time.time() - self.at < self._interval

    def task(self) -> tuple[list[str], object]:
        """Return the command, which gets the results of the last test."""
        return ["keep", "test"], {**self._inputs, "before": self.result["results"]}

    def succeed(self) -> None:
        """Wait for the next test, as after a failure."""
        self.failures = 0
        self.not_before = 0.0

    def troubles(self) -> list[str]:
        """Return nothing: a relay that is down is no reason to restart the container."""
        return []

    def document(self) -> dict[str, Any]:
        """Return the job's part of the record."""
        return {**super().document(), "interval": self._interval}
