"""The keeper's jobs for access tokens: renews them when due, and notices when one was refused.

Looks at files (``looks``); writes nothing. When the files of the store have changed, a child (``outlook``) says what is
due, so that no token is ever in the keeper's memory.
"""

from __future__ import annotations

import time

from dms_relay.watch.jobs import Job
from dms_relay.watch.looks import FILE, look, time_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dms_relay.watch.children import Child
    from dms_relay.watch.jobs import Say

#: Seconds that a renewal of all logins may take, and that it may take to end when the keeper ends: the server's
#: answer, perhaps with a new refresh token, may be on its way.
_RENEW_LIMIT, _RENEW_GRACE = 300.0, 4.0
#: Exit codes of a renewal that has updated the tables; with 1, some token could not be renewed.
_DONE = frozenset({0, 1})
_UNWRITTEN = "token: new tokens could not be written into the tables; the log says why, and dms-relay tries again"
#: Minimum pause between two looks at the queue: in seconds, and as a multiple of what the last look took.
_QUEUE_PAUSE, _QUEUE_FACTOR = 10.0, 20.0
#: Seconds between renewals of a refused token: the first pause, which doubles, and the longest.
_REFUSED_FIRST, _REFUSED_LAST = 300.0, 6 * 3600.0
#: The queue's directories whose times change when a message is deferred (postconf(5), hash_queue_depth: 1).
_DEFER = ("", *"0123456789ABCDEF")


class Tokens(Job):
    """Keeps track of the state of the tokens."""

    name = "tokens"

    def __init__(self, state_dir: str) -> None:
        """Set the directory of the store."""
        super().__init__()
        self._files = (f"{state_dir}/logins.json", f"{state_dir}/tokens")
        self._seen: list[str] | None = None
        self._looked: list[str] = []

    @property
    def has_logins(self) -> bool:
        """Return True if there are tokens at all."""
        return bool(self.result.get("tokens"))

    def ask(self) -> None:
        """Make a look at the tokens due."""
        super().ask()
        self._seen = None

    def is_due(self) -> bool:
        """Return True if the store has changed, or a token has expired since."""
        self._looked = [look(path, FILE) for path in self._files]
        if time.monotonic() < self.not_before:
            return False
        ends: float = self.result.get("ends") or 0.0
        has_ended = self.at is not None and self.at < ends <= time.time()
        is_there = any(":" in found for found in self._looked) or self.has_logins
        return is_there and (self._looked != self._seen or has_ended)

    def task(self) -> tuple[list[str], object]:
        """Return the command."""
        self._seen = self._looked
        return ["keep", "tokens"], None

    def fail(self, why: str, say: Say) -> None:
        """Look again after a pause."""
        super().fail(why, say)
        self._seen = None

    def troubles(self) -> list[str]:
        """Return what is wrong with tokens."""
        return super().troubles() + [f"token: {line}" for line in self.result.get("wrong", [])]


class Renewals(Job):
    """Renews tokens: those that are due, and those that were refused."""

    name = "renew"
    limit = _RENEW_LIMIT
    grace = _RENEW_GRACE

    def __init__(self, tokens: Tokens) -> None:
        """Set the job that knows when renewals are due."""
        super().__init__()
        self._tokens = tokens
        self._last: object = None
        #: Relays whose token is to be renewed although it has not expired.
        self.refused: list[str] = []
        #: Called after a renewal, for a look without a pause.
        self.then: list[Job] = [tokens]

    def is_due(self) -> bool:
        """Return True if a renewal is due."""
        if self.refused:
            return True
        if time.monotonic() < self.not_before or not self._tokens.has_logins:
            return False
        due = self._tokens.result.get("next")
        # A run was killed or could not write a table: the next one writes it, even if no token is due.
        return self.result.get("code", 0) not in _DONE or (due is not None and due <= time.time())

    def task(self) -> tuple[list[str], object]:
        """Return the command."""
        relays, self.refused = self.refused, []
        if relays:
            return ["renew", *relays], None
        # If nothing can be stored, as on a full disk, the store is unchanged, and the pauses grow.
        found = [(token["renewed_at"], token["failure"]) for token in self._tokens.result["tokens"]]
        self.failures = self.failures if found == self._last else 0
        self._last = found
        return ["renew", "--due"], None

    def end(self, child: Child, code: int, say: Say) -> None:
        """Look at the tokens again; the log and the store say why one was not renewed."""
        child.said()
        self.at = time.time()
        self.result = {"code": code}
        self.trouble = "" if code in _DONE else _UNWRITTEN
        self.pause()
        if child.is_late:
            self.fail(f"did not end in {self.limit:g} s, and was ended", say)
        for job in self.then:
            job.ask()


class Queue(Job):
    """Notices mail that waits because a relay has refused a token."""

    name = "queue"

    def __init__(self, tokens: Tokens, renewals: Renewals, queue: Callable[[], str]) -> None:
        """Set the job of the tokens, the one that renews them, and the function that returns the queue's directory."""
        super().__init__()
        self._tokens, self._renewals, self._queue = tokens, renewals, queue
        renewals.then.append(self)
        self._seen: object = None
        self._looked: object = None
        #: For each relay: how often its token was renewed because it was refused, and when it may be renewed again.
        self._tried: dict[str, tuple[int, float]] = {}

    def is_due(self) -> bool:
        """Return True if a message was deferred, or a token renewed, since the last look."""
        if not self._tokens.has_logins or not self._queue():
            return False
        renewed = [token["renewed_at"] for token in self._tokens.result["tokens"]]
        self._looked = [renewed, *(time_of(f"{self._queue()}/defer/{name}") for name in _DEFER)]
        return self._looked != self._seen and time.monotonic() >= self.not_before

    def task(self) -> tuple[list[str], object]:
        """Return the command."""
        self._seen = self._looked
        return ["keep", "queue"], {"queue": self._queue()}

    def end(self, child: Child, code: int, say: Say) -> None:
        """Process a child's findings; if a look takes long, look less often."""
        super().end(child, code, say)
        took = time.monotonic() - child.began
        self.not_before = max(self.not_before, time.monotonic() + max(_QUEUE_PAUSE, _QUEUE_FACTOR * took))
        if not self.trouble:
            self.renew(say)

    def renew(self, say: Say) -> None:
        """Renew each refused token, unless that was done a moment ago."""
        refused = self.result["relays"]
        self._tried = {relay: tried for relay, tried in self._tried.items() if relay in refused}
        for relay in refused:
            count, then = self._tried.get(relay, (0, 0.0))
            if time.monotonic() >= then:
                pause = min(_REFUSED_LAST, _REFUSED_FIRST * 2 ** min(count, 16))
                self._tried[relay] = count + 1, time.monotonic() + pause
                self._renewals.refused.append(relay)
                say("warn", "the relay refuses the token, so it is renewed -- dms-relay test says why", relay=relay)

    def document(self) -> dict[str, Any]:
        """Return the job's part of the record."""
        return {"at": self.at, "trouble": self.trouble, "refused": sorted(self._tried)}
