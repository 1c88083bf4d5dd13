"""What waits in Postfix's queue: which message, since when, for which relay, and why (``dms-relay queue``).

``listing`` yields the messages, ``by_relay`` counts them; neither keeps them in memory. 100,000 messages take about as
much memory as 10,000, and ten times as long (docs/queue.md has the figures).
"""

from __future__ import annotations

from dms_relay.mail_queue.groups import Group, by_relay
from dms_relay.mail_queue.labels import OTHER, UNKNOWN
from dms_relay.mail_queue.messages import Recipient, Waiting, listing
from dms_relay.mail_queue.reasons import Reason
from dms_relay.model import DIRECT

__all__ = ["DIRECT", "OTHER", "UNKNOWN", "Group", "Reason", "Recipient", "Waiting", "by_relay", "listing"]
