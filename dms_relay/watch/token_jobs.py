"""What the keeper does for access tokens: has them renewed when it is time, and sees where one was refused.

Looks at files (``looks``); writes nothing. What is due is said by a child (``outlook``) when the files of the store
have changed, and kept here, so that no token is ever in the keeper's memory.
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

#: Seconds that a renewal may take, all logins together, and that it has to end when the keeper ends: the server's
#: answer, which may hold a new refresh token, is on its way.
_RENEW_LIMIT, _RENEW_GRACE = 300.0, 4.0
#: Exit codes of a renewal that has put what it got into the tables; with 1, a token was not to be had.
_DONE = frozenset({0, 1})
_UNWRITTEN = "token: new tokens could not be written into the tables; the log says why, and dms-relay tries again"
#: Seconds after which the queue is looked at again, at the least; and how many times what a look has taken.
_QUEUE_PAUSE, _QUEUE_FACTOR = 10.0, 20.0
#: Seconds from one renewal of a token that was refused to the next: the first, which doubles, and the longest.
_REFUSED_FIRST, _REFUSED_LAST = 300.0, 6 * 3600.0
#: The directories of the queue whose times change when a message is deferred (postconf(5), hash_queue_depth: 1).
_DEFER = ("", *"0123456789ABCDEF")


class Tokens(Job):
    """Knows how the tokens are."""

    name = "tokens"

    def __init__(self, state_dir: str) -> None:
        """Take where the store is."""
        super().__init__()
        self._files = (f"{state_dir}/logins.json", f"{state_dir}/tokens")
        self._seen: list[str] | None = None
        self._looked: list[str] = []

    @property
    def has_logins(self) -> bool:
        """Return True if there are tokens at all."""
        return bool(self.result.get("tokens"))

    def ask(self) -> None:
        """Have them looked at."""
        super().ask()
        self._seen = None

    def is_due(self) -> bool:
        """Return True if the store has changed, or a token has ended since."""
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
        """Look again."""
        super().fail(why, say)
        self._seen = None

    def troubles(self) -> list[str]:
        """Return what is wrong with tokens."""
        return super().troubles() + [f"token: {line}" for line in self.result.get("wrong", [])]


class Renewals(Job):
    """Has tokens renewed: those that are due, or those that were refused."""

    name = "renew"
    limit = _RENEW_LIMIT
    grace = _RENEW_GRACE

    def __init__(self, tokens: Tokens) -> None:
        """Take what knows when."""
        super().__init__()
        self._tokens = tokens
        self._last: object = None
        #: Relays whose token is to be renewed though it has not ended.
        self.refused: list[str] = []
        #: What is to be looked at without a pause after a renewal.
        self.then: list[Job] = [tokens]

    def is_due(self) -> bool:
        """Return True if a renewal is due."""
        if self.refused:
            return True
        if time.monotonic() < self.not_before or not self._tokens.has_logins:
            return False
        due = self._tokens.result.get("next")
        # A run that had no end, or could not write a table: the next one writes it, also where no token is due.
        return self.result.get("code", 0) not in _DONE or (due is not None and due <= time.time())

    def task(self) -> tuple[list[str], object]:
        """Return the command."""
        relays, self.refused = self.refused, []
        if relays:
            return ["renew", *relays], None
        # Where nothing can be kept, as on a full disk, the store is as before, and the pauses grow.
        found = [(token["renewed_at"], token["failure"]) for token in self._tokens.result["tokens"]]
        self.failures = self.failures if found == self._last else 0
        self._last = found
        return ["renew", "--due"], None

    def end(self, child: Child, code: int, say: Say) -> None:
        """See how the tokens are now; why one was not renewed is in the log, and in the store."""
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
    """Sees where mail waits because a relay has refused a token."""

    name = "queue"

    def __init__(self, tokens: Tokens, renewals: Renewals, queue: Callable[[], str]) -> None:
        """Take what knows the tokens, what renews them, and what knows the directory of the queue."""
        super().__init__()
        self._tokens, self._renewals, self._queue = tokens, renewals, queue
        renewals.then.append(self)
        self._seen: object = None
        self._looked: object = None
        #: Of a relay: how often its token was renewed because it was refused, and when it can be so again.
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
        """Take what a child has found; where looking takes long, look seldom."""
        super().end(child, code, say)
        took = time.monotonic() - child.began
        self.not_before = max(self.not_before, time.monotonic() + max(_QUEUE_PAUSE, _QUEUE_FACTOR * took))
        if not self.trouble:
            self.renew(say)

    def renew(self, say: Say) -> None:
        """Have each token renewed that was refused, unless it was so a moment ago."""
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
        """Return what is recorded of it."""
        return {"at": self.at, "trouble": self.trouble, "refused": sorted(self._tried)}
