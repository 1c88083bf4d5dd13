"""The fate of messages: which were lost, which came twice and why, and which came in the clear.

A double has one of two explanations. ``sent again``: a killed replica had delivered the message to the server and had not
yet removed it from its queue, so the same queue ID comes again once the replica is back. ``handed in again``: a killed
replica had accepted it, but its answer did not reach the client, which then submitted it to another one. Both are part of
SMTP (RFC 5321, section 6.1; RFC 1047): they cannot be avoided without losing messages instead. `Verdict.unexplained` has
the doubles that neither explains.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from testbed.fleet.load import Message

Record = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """The figures of one load."""

    accepted: int
    arrived: int
    lost: list[str]
    in_the_clear: list[str]
    sent_again: list[str]
    handed_in_again: list[str]
    unexplained: list[str]

    def __str__(self) -> str:
        """Return it in one line."""
        return (
            f"{self.accepted} accepted, {self.arrived} arrived, {len(self.lost)} lost, "
            f"{len(self.in_the_clear)} in the clear, {len(self.sent_again)} sent again by a killed replica, "
            f"{len(self.handed_in_again)} handed in again by a client, {len(self.unexplained)} unexplained doubles"
        )


def verdict(messages: Iterable[Message], records: Iterable[Record], killed: Collection[str]) -> Verdict:
    """Compare what was accepted with the server's records; ``killed`` are host names of killed replicas."""
    arrived: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        arrived[record["id"]].append(record)
    accepted = {message.identity: message for message in messages if message.accepted}
    doubles = {identity: found for identity, found in arrived.items() if len(found) > 1}
    kinds = {identity: _kinds(found, accepted.get(identity), killed) for identity, found in doubles.items()}
    return Verdict(
        accepted=len(accepted),
        arrived=len(arrived),
        lost=sorted(accepted.keys() - arrived.keys()),
        in_the_clear=sorted(identity for identity, found in arrived.items() if not all(each["tls"] for each in found)),
        sent_again=sorted(identity for identity, found in kinds.items() if "sent again" in found),
        handed_in_again=sorted(identity for identity, found in kinds.items() if "handed in again" in found),
        unexplained=sorted(identity for identity, found in kinds.items() if "unexplained" in found),
    )


def _kinds(records: list[Record], message: Message | None, killed: Collection[str]) -> set[str]:
    """Return the explanations of a message's doubles."""
    copies = [(record["host"], record["queue_id"]) for record in records]
    kinds = set()
    if again := {host for host, queue_id in copies if copies.count((host, queue_id)) > 1}:
        kinds.add("sent again" if again <= set(killed) else "unexplained")
    if len(set(copies)) > 1:
        unanswered = set(message.unanswered) & set(killed) if message else set()
        others = {copy[0] for copy in copies if message is None or copy != message.accepted}
        kinds.add("handed in again" if others <= unanswered else "unexplained")
    return kinds
