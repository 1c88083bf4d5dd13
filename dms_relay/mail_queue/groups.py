"""What waits, by relay: how much, since when, in which queues, from whom, and why.

At most ``_BATCH`` recipients are in memory at once: enough to look up many keys of a table in one go. Reads Postfix's
configuration and the managed domains. Raises ``PostfixError`` if the configuration or the queue cannot be read.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dms_relay.mail_queue.labels import LABELS_MAX, OTHER, UNKNOWN, Router
from dms_relay.mail_queue.reasons import Classes, Reason, Reasons
from dms_relay.mail_queue.senders import SenderGroups
from dms_relay.mail_queue.ways import Ways
from dms_relay.model.values import field, frozen
from dms_relay.postfix.programs import Postfix
from dms_relay.sources.managed_domains import read_domains

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.explain.origins import Origins
    from dms_relay.mail_queue.messages import Waiting
    from dms_relay.model import Paths

#: Number of recipients to route at a time.
_BATCH = 5000
#: The queue in which a message without recipients has been delivered to all of them. Elsewhere, they are still to be read
#: from its header (``sendmail -t``).
_ACTIVE = "active"


@frozen
class Group:
    """What waits for one relay.

    ``relay`` is its label (``labels``). ``waiting`` counts recipients; ``messages``, ``size`` (octets), ``queues`` (by the
    queue's name) and ``senders`` (by sender domain group) count messages, each once in the group of each relay that one of
    its recipients waits for. ``oldest`` is when the oldest arrived, in seconds since 1970. ``reasons`` has the most frequent
    one first.
    """

    relay: str
    waiting: int
    messages: int
    oldest: float
    size: int
    queues: dict[str, int] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    senders: dict[str, int] = field(default_factory=dict)


def by_relay(paths: Paths, waiting: Iterable[Waiting], origins: Origins | None = None) -> list[Group]:
    """Return what waits for each relay by the configuration in force, the relay with the most recipients first.

    With ``origins`` a remedy names the place of a login.
    """
    batches = _batches(waiting)
    if (first := next(batches, None)) is None:
        return []
    counted = _Counted(paths, origins)
    counted.add(first)
    for batch in batches:
        counted.add(batch)
    return counted.groups()


def _batches(waiting: Iterable[Waiting]) -> Iterator[list[Waiting]]:
    batch: list[Waiting] = []
    count = 0
    for message in waiting:
        batch.append(message)
        count += 1 + len(message.recipients)
        if count >= _BATCH:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


class _OfRelay:
    """The counts of one relay."""

    def __init__(self, relay: str, reasons: Reasons) -> None:
        self.relay = relay
        self.waiting = self.messages = self.size = 0
        self.oldest = float("inf")
        self.queues: Counter[str] = Counter()
        self.senders: Counter[str] = Counter()
        self.reasons = reasons

    def add(self, message: Waiting, sender: str) -> None:
        self.messages += 1
        self.size += message.size
        self.oldest = min(self.oldest, message.arrived)
        self.queues[message.queue] += 1
        self.senders[sender] += 1

    def group(self, senders: dict[str, int], ways: Ways) -> Group:
        return Group(
            relay=self.relay,
            waiting=self.waiting,
            messages=self.messages,
            oldest=self.oldest,
            size=self.size,
            queues=dict(self.queues),
            reasons=self.reasons.found(ways),
            senders=senders,
        )


class _Counted:
    """The counts of all relays."""

    def __init__(self, paths: Paths, origins: Origins | None) -> None:
        self._router = Router(Postfix(paths.postfix_dir))
        self._senders = SenderGroups(read_domains(paths, []), self._router.has_route)
        self._relays: dict[str, _OfRelay] = {}
        self._classes = Classes()
        self._ways = Ways(self._router.view, origins)

    def add(self, batch: list[Waiting]) -> None:
        self._router.expect(batch)
        for message in batch:
            sender = self._senders.group(self._router.sender_of(message))
            for relay in self._relays_of(message).values():
                relay.add(message, sender)

    def _relays_of(self, message: Waiting) -> dict[str, _OfRelay]:
        """Count the recipients of a message; return the relays that it waits for."""
        found: dict[str, _OfRelay] = {}
        for recipient in message.recipients:
            envelope = self._router.envelope(message, recipient.address)
            relay = self._relay(self._router.label(envelope))
            relay.waiting += 1
            relay.reasons.add(message.queue, recipient.reason, envelope, self._router)
            found[relay.relay] = relay
        if not message.recipients and message.queue != _ACTIVE:
            found[UNKNOWN] = self._relay(UNKNOWN)
        return found

    def _relay(self, label: str) -> _OfRelay:
        if label not in self._relays and len(self._relays) >= LABELS_MAX:
            label = OTHER
        if label not in self._relays:
            self._relays[label] = _OfRelay(label, Reasons(label, self._classes))
        return self._relays[label]

    def groups(self) -> list[Group]:
        shown = self._senders.most_frequent(relay.senders for relay in self._relays.values())
        found = [relay.group(shown(relay.senders), self._ways) for relay in self._relays.values()]
        return sorted(found, key=lambda group: (-group.waiting, group.relay))
