"""The messages that wait in Postfix's queue, one after the other, as ``postqueue -j`` shows them (postqueue(1)).

Reads, never writes. Raises ``PostfixError`` if postqueue is missing or fails, even after some messages. A queue changes
while it is read: a message that moves between queues meanwhile may be seen twice, or not at all (showq(8)).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dms_relay.errors import PostfixError
from dms_relay.model.values import frozen
from dms_relay.postfix import main_cf
from dms_relay.postfix.showq import queue_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.postfix.programs import Postfix

#: The parameter that names the null sender, and its default (postconf(5)).
_EMPTY_ADDRESS, _MAILER_DAEMON = "empty_address_recipient", "MAILER-DAEMON"


@frozen
class Recipient:
    """A recipient that has not got the message yet. ``reason`` says why; empty if it was not tried yet."""

    address: str
    reason: str


@frozen
class Waiting:
    """A message in the queue.

    ``queue`` is ``active``, ``deferred``, ``incoming``, ``hold`` or ``maildrop``; ``arrived`` are seconds since 1970,
    ``size`` is in octets. The null sender is ``""``. Addresses are as postqueue shows them: a local part with special
    characters is quoted (RFC 5321, section 4.1.2). Addresses and reasons come from outside, and are not safe to show.
    """

    queue: str
    queue_id: str
    arrived: float
    size: int
    sender: str
    recipients: tuple[Recipient, ...]


def listing(postfix: Postfix) -> Iterator[Waiting]:
    """Yield each waiting message; root gets them even if Postfix does not run. Keeps none in memory."""
    null = main_cf.values(postfix.read_main_cf()).get(_EMPTY_ADDRESS) or _MAILER_DAEMON
    return (_parsed(line, null) for line in queue_lines(postfix.directory))


def _parsed(line: bytes, null: str) -> Waiting:
    try:
        return _waiting(json.loads(line.decode("utf-8", "replace"), strict=False), null)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise PostfixError("postqueue -j shows a message in an unknown form", program="postqueue") from None


def _waiting(message: dict[str, Any], null: str) -> Waiting:
    sender = str(message["sender"])
    recipients = tuple(Recipient(str(r["address"]), str(r.get("delay_reason", ""))) for r in message["recipients"])
    return Waiting(
        queue=str(message["queue_name"]),
        queue_id=str(message["queue_id"]),
        arrived=float(message["arrival_time"]),
        size=int(message["message_size"]),
        sender="" if sender == null else sender,
        recipients=recipients,
    )
