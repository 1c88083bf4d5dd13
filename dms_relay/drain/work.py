"""One drain: refuses new mail, flushes the queue, and watches it until it is empty or the time is over.

    refuse      new sessions get 421; open ones may go on, until nothing waits any more, or the time is over
    flush       all that waits is tried at once, and what was deferred meanwhile every ``FLUSH_INTERVAL``
    hand over   after half of the time, or once all that waits has been tried in vain, what remains goes elsewhere

A drain ends early if nothing waits and no session is open. Postfix then takes no mail until it is told to, or its
container is started again. Mail submitted through sendmail(1) is accepted, since nobody would submit it again, and
counts like the rest.

Handing over comes second because mail belongs to the relay: what it takes in a second needs no detour, and what it has
just refused it will hardly take in the seconds that are left.

Known limits: messages on hold are not waited for, and are reported as remaining. A client that is sending a message when
the time is over is left to ``postfix stop``; no accepted message is lost by that.
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

#: Seconds that open sessions have to end by themselves, but at most this part of the drain's time.
SESSION_GRACE, _SESSION_PART = 5.0, 0.25
#: Seconds between two flushes. This does not strain a relay that is down: qmgr(8) tries one connection first.
FLUSH_INTERVAL = 5.0
#: Part of the time after which what remains is handed over, and seconds after which a first try counts as made.
_HAND_OVER_PART, _FIRST_TRY = 0.5, 1.0
#: Minimum and maximum seconds between two looks; looking may take this part of the time.
_INTERVALS, _LOOK_PART = (0.1, 0.5), 0.1
#: Remaining messages whose reasons are read: takes 2 s.
LISTED_MAX = 20_000
EMPTY, TIME_OVER = "nothing waits any more", "the time is over"
STOPPED, NOT_RUNNING = "Postfix has stopped", "Postfix does not run"


@frozen
class Result:
    """The result of a drain: how many messages waited at its start, why it ended, after how many seconds, what remains.

    ``is_handed_over``: it handed mail over. ``is_cut``: ``remaining`` counts only the first ``LISTED_MAX`` messages.
    """

    waited: int
    ended: str
    seconds: float
    remaining: list[Group]
    is_handed_over: bool
    is_cut: bool


class Drain:
    """One drain of the running Postfix."""

    def __init__(self, paths: Paths, log: Log, *, timeout: float = TIMEOUT, hand_over: str = "") -> None:
        """Set the maximum time in seconds, and the nexthop to hand over to, if any."""
        self._paths, self._log, self._timeout, self._nexthop = paths, log, timeout, hand_over
        self._postfix = Postfix(paths.postfix_dir)
        self._queue = self._postfix.queue_directory()
        self._switch = Switch(self._postfix, log, min(LOCK_TIMEOUT, timeout))
        self._began = time.monotonic()
        self._flushed = self._began
        self._sessions: list[int] = []
        self._is_handed_over = False

    def run(self, origins: Callable[[], Origins | None] = lambda: None) -> Result:
        """Run the drain. ``origins`` reads where logins come from, for the remedies."""
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
        """Look until the drain is over; return why it is."""
        while True:
            began = time.monotonic()
            self._sessions = look.sessions(master)
            # The sessions first: one that ends meanwhile has left its mail in the queue.
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
        """Do the steps that are due."""
        if not waiting.all and self._elapsed() >= min(SESSION_GRACE, self._timeout * _SESSION_PART):
            self._end_sessions()
        if self._nexthop and not self._is_handed_over and self._is_time_to_hand_over(waiting):
            self._switch.hand_over(self._nexthop)
            self._is_handed_over = True
            self._flush()
        elif time.monotonic() - self._flushed >= FLUSH_INTERVAL:
            self._flush()

    def _end_sessions(self) -> None:
        """End the sessions that are still open, if none of them sends anything at the moment. This comes last.

        Nobody would see what they send later. If it would stay in the queue, they can end with Postfix: master(8) treats a
        killed session as a fault, and may make new ones wait 60 s for their 421 (service_throttle_time; seen with a
        process's first session).
        """
        if not look.is_receiving(self._queue):
            look.end(self._sessions)

    def _is_time_to_hand_over(self, waiting: look.Count) -> bool:
        is_tried = not waiting.now and time.monotonic() - self._flushed >= _FIRST_TRY
        return waiting.all > 0 and (is_tried or self._elapsed() >= self._timeout * _HAND_OVER_PART)

    def _flush(self) -> None:
        """Make Postfix try all that waits now. If Postfix has stopped meanwhile, the next look sees it."""
        self._flushed = time.monotonic()
        with suppress(PostfixError):
            self._postfix.flush()


def _each_once(messages: Iterable[Waiting]) -> Iterator[Waiting]:
    """Skip what is seen twice: a message that has moved to another queue while the queues were read."""
    seen: set[str] = set()
    for message in messages:
        if message.queue_id not in seen:
            seen.add(message.queue_id)
            yield message
