"""What waits in Postfix's queue, as metrics: read rarely, in its own thread, for all scrapes.

A scrape gets the last reading, and starts a new one if that is too old: so a queue of any size costs a scrape nothing,
and nothing is read while nobody asks. The first scrape waits for the reading, up to ``FIRST_WAIT``. If the queue cannot
be read, a metric says so, and the last reading is dropped.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from dms_relay.errors import RelayError
from dms_relay.mail_queue import by_relay, listing
from dms_relay.metrics.counted import relays
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from dms_relay.mail_queue import Group
    from dms_relay.metrics.sheet import Sheet
    from dms_relay.model import Paths

#: Minimum pause between two readings: in seconds, and as a multiple of what the last one took.
PAUSE, FACTOR = 15.0, 10.0
#: Seconds that the first scrape waits, of the 10 that Prometheus allows (scrape_timeout).
FIRST_WAIT = 5.0


class Queue:
    """The last reading of the queue."""

    def __init__(self, paths: Paths) -> None:
        """Begin without a reading."""
        self._paths = paths
        self._groups: list[Group] | None = None
        self._at = 0.0
        self._is_readable = True
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._is_read = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        """Start a reading, unless the last one is recent or one is running. The first call waits for it."""
        with self._lock:
            is_reading = self._thread is not None and self._thread.is_alive()
            if not is_reading and time.monotonic() >= self._not_before:
                self._thread = threading.Thread(target=self.read, daemon=True)
                self._thread.start()
        self._is_read.wait(FIRST_WAIT)

    def read(self) -> None:
        """Read the queue."""
        began = time.monotonic()
        try:
            self._groups = by_relay(self._paths, listing(Postfix(self._paths.postfix_dir)))
            self._is_readable, self._at = True, time.time()
        except (RelayError, OSError):
            self._groups, self._is_readable = None, False
        now = time.monotonic()
        self._not_before = now + max(PAUSE, FACTOR * (now - began))
        self._is_read.set()

    def add(self, sheet: Sheet) -> None:
        """Add the last reading."""
        groups = self._groups
        if not self._is_read.is_set():
            return
        sheet.set("dms_relay_queue_readable", self._is_readable)
        if groups is None:
            return
        sheet.set("dms_relay_queue_listed_timestamp_seconds", self._at)
        for group in groups:
            _add(sheet, group)
        for relay in relays(self._paths.state_dir):
            if relay not in {group.relay for group in groups}:
                for name in ("messages", "recipients", "size_bytes", "oldest_age_seconds"):
                    sheet.set(f"dms_relay_queue_{name}", 0, relay)


def _add(sheet: Sheet, group: Group) -> None:
    age = max(0.0, time.time() - group.oldest) if group.messages else 0.0
    sheet.set("dms_relay_queue_messages", group.messages, group.relay)
    sheet.set("dms_relay_queue_recipients", group.waiting, group.relay)
    sheet.set("dms_relay_queue_size_bytes", group.size, group.relay)
    sheet.set("dms_relay_queue_oldest_age_seconds", age, group.relay)
    for queue, count in group.queues.items():
        sheet.set("dms_relay_queue_messages_by_queue", count, group.relay, queue)
    for reason in group.reasons:
        sheet.set("dms_relay_queue_recipients_by_reason", reason.count, group.relay, reason.what)
    for sender, count in group.senders.items():
        sheet.set("dms_relay_queue_messages_by_sender", count, group.relay, sender)
