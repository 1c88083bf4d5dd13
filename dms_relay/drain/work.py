"""One drain: new mail is refused, the queue is flushed, and looked at until it is empty or the time is over.

    refuse      new sessions get 421; open ones may go on, until nothing waits any more, or the time is over
    flush       all that waits is tried at once, and every ``FLUSH_INTERVAL`` what was deferred meanwhile
    hand over   from half of the time on, or once all that waits has been tried in vain, what remains goes elsewhere

A drain ends early where nothing waits and no session is open. Postfix takes no mail from then on, until it is told to, or
its container is started again. What is handed in by sendmail(1) is taken, since nobody would hand it in again, and counts as
the rest.

Handing over comes second since the relay is where the mail is to go: what it takes in a second need not make a detour, and
what it has just refused it will hardly take in the seconds that are left.

Known limits: messages on hold are not waited for, and said to remain. Whoever is in the middle of sending a message when
the time is over is left to ``postfix stop``; no message that was accepted is lost by it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING

from dms_relay.apply import LOCK_TIMEOUT
from dms_relay.drain import look
from dms_relay.drain.switch import Switch
from dms_relay.drain.times import TIMEOUT
from dms_relay.errors import PostfixError
from dms_relay.mail_queue import by_relay, listing
from dms_relay.model.values import frozen
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dms_relay.explain.origins import Origins
    from dms_relay.log import Log
    from dms_relay.mail_queue import Group, Waiting
    from dms_relay.model import Paths

#: Seconds that open sessions have to end by themselves, and part of the drain's time at most.
SESSION_GRACE, _SESSION_PART = 5.0, 0.25
#: Seconds between two flushes. A relay that is down is not asked more often: qmgr(8) tries one connection first.
FLUSH_INTERVAL = 5.0
#: Part of the time after which what remains is handed over, and seconds that a first try has before it counts as made.
_HAND_OVER_PART, _FIRST_TRY = 0.5, 1.0
#: Seconds between two looks, at least and at most; a look may take this part of the time.
_INTERVALS, _LOOK_PART = (0.1, 0.5), 0.1
#: Messages that are looked at for the reasons why they remain: 2 s of time.
LISTED_MAX = 20_000
EMPTY, TIME_OVER = "nothing waits any more", "the time is over"
STOPPED, NOT_RUNNING = "Postfix has stopped", "Postfix does not run"


@frozen
class Result:
    """What a drain came to: how many messages waited at its beginning, why it ended, after how many seconds, what remains.

    ``is_handed_over``: it had mail handed over. ``is_cut``: ``remaining`` counts the first ``LISTED_MAX`` messages only.
    """

    waited: int
    ended: str
    seconds: float
    remaining: list[Group]
    is_handed_over: bool
    is_cut: bool


class Drain:
    """One drain of the Postfix that runs."""

    def __init__(self, paths: Paths, log: Log, *, timeout: float = TIMEOUT, hand_over: str = "") -> None:
        """Take how long it may take, in seconds, and the nexthop to hand over to, if any."""
        self._paths, self._log, self._timeout, self._nexthop = paths, log, timeout, hand_over
        self._postfix = Postfix(paths.postfix_dir)
        self._queue = self._postfix.queue_directory()
        self._switch = Switch(self._postfix, log, min(LOCK_TIMEOUT, timeout))
        self._began = time.monotonic()
        self._flushed = self._began
        self._sessions: list[int] = []
        self._is_handed_over = False

    def run(self, origins: Callable[[], Origins | None] = lambda: None) -> Result:
        """Do it all. ``origins`` reads where logins come from, for the remedies."""
        waited = look.count(self._queue).all
        ended = NOT_RUNNING
        if (master := self._postfix.master_pid()) is not None:
            self._switch.refuse_mail()
            self._flush()
            ended = self._wait(master)
        remaining, is_cut = self._remaining(origins)
        return Result(waited, ended, time.monotonic() - self._began, remaining, self._is_handed_over, is_cut)

    def _remaining(self, origins: Callable[[], Origins | None]) -> tuple[list[Group], bool]:
        messages = listing(self._postfix)
        if (first := next(messages, None)) is None:
            return [], False
        listed = _each_once(chain([first], islice(messages, LISTED_MAX - 1)))
        groups = by_relay(self._paths, listed, origins())
        return groups, next(messages, None) is not None

    def _wait(self, master: int) -> str:
        """Look until there is nothing to look for; return why."""
        while True:
            began = time.monotonic()
            self._sessions = look.sessions(master)
            # The sessions first: one that has ended meanwhile has left what it was sent.
            waiting = look.count(self._queue)
            if not waiting.all and not self._sessions:
                return EMPTY
            if self._postfix.master_pid() != master:
                return STOPPED
            if self._elapsed() >= self._timeout:
                if self._nexthop:
                    self._end_sessions()
                return TIME_OVER
            self._act(waiting)
            self._sleep(time.monotonic() - began)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _sleep(self, cost: float) -> None:
        least, most = _INTERVALS
        pause = min(max(least, cost / _LOOK_PART), most)
        time.sleep(max(0.0, min(pause, self._timeout - self._elapsed())))

    def _act(self, waiting: look.Count) -> None:
        """Do what is due."""
        if not waiting.all and self._elapsed() >= min(SESSION_GRACE, self._timeout * _SESSION_PART):
            self._end_sessions()
        if self._nexthop and not self._is_handed_over and self._is_time_to_hand_over(waiting):
            self._switch.hand_over(self._nexthop)
            self._is_handed_over = True
            self._flush()
        elif time.monotonic() - self._flushed >= FLUSH_INTERVAL:
            self._flush()

    def _end_sessions(self) -> None:
        """End the sessions that are still open, if none of them sends anything at the moment.

        What they would send later is not seen by anybody. Where it would stay in the queue they need not be ended before
        Postfix is: master(8) takes a session that is ended for a fault, and may let new ones wait for 60 s for their 421
        (service_throttle_time; seen where a process has its first session). So it is the last that is done.
        """
        if not look.is_receiving(self._queue):
            look.end(self._sessions)

    def _is_time_to_hand_over(self, waiting: look.Count) -> bool:
        is_tried = not waiting.now and time.monotonic() - self._flushed >= _FIRST_TRY
        return waiting.all > 0 and (is_tried or self._elapsed() >= self._timeout * _HAND_OVER_PART)

    def _flush(self) -> None:
        """Have all that waits tried now. Where Postfix has stopped meanwhile, the next look sees it."""
        self._flushed = time.monotonic()
        with suppress(PostfixError):
            self._postfix.flush()


def _each_once(messages: Iterable[Waiting]) -> Iterator[Waiting]:
    """Leave out what is seen twice: a message that has moved from one queue to another while it was read."""
    seen: set[str] = set()
    for message in messages:
        if message.queue_id not in seen:
            seen.add(message.queue_id)
            yield message
