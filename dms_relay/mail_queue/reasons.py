"""Why mail waits, in short classes, each with an example and with what to do. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dms_relay.model.values import frozen

if TYPE_CHECKING:
    from dms_relay.mail_queue.messages import Recipient, Waiting


@frozen
class Reason:
    """Why some recipients wait: a short class, how many, what Postfix says of one of them, and what to do."""

    what: str
    count: int
    example: str
    remedy: str


class Reasons:
    """Counts the reasons of one relay."""

    def __init__(self) -> None:
        """Begin without any."""
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, message: Waiting, recipient: Recipient) -> None:
        """Count one recipient."""
        what = "held" if message.queue == "hold" else "deferred" if recipient.reason else "waits for its turn"
        self._counts[what] += 1
        self._examples.setdefault(what, recipient.reason)

    def found(self) -> tuple[Reason, ...]:
        """Return each class that was seen, the most frequent first."""
        return tuple(Reason(what, count, self._examples[what], "") for what, count in self._counts.most_common())
