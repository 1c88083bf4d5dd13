"""The groups by which senders are counted: only domains named in the configuration, to keep them few. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dms_relay.mail_queue.labels import OTHER
from dms_relay.model import NULL_SENDER

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

#: Maximum number of domains, those with the most messages: each is a series for each relay (``dms-relay metrics``).
GROUPS_MAX = 50


class SenderGroups:
    """Groups senders by domain: a managed domain, or one with a route of its own; else ``other``.

    The null sender is ``<>``.
    """

    def __init__(self, managed: Container[str], has_route: Callable[[str], bool]) -> None:
        """Set the managed domains by lookup key, and the function that returns True for a sender with a route."""
        self._managed = managed
        self._has_route = has_route

    def group(self, sender: str) -> str:
        """Return the group of a sender."""
        if not sender:
            return NULL_SENDER
        domain = sender.rpartition("@")[2].casefold()
        return domain if domain in self._managed or self._has_route(sender) else OTHER

    def most_frequent(self, counted: Iterable[Counter[str]]) -> Callable[[Counter[str]], dict[str, int]]:
        """Return a function that folds all groups but the most frequent ones into ``other``."""
        total: Counter[str] = sum(counted, Counter())
        domains = Counter({name: count for name, count in total.items() if name not in {NULL_SENDER, OTHER}})
        kept = {NULL_SENDER, *(name for name, _ in domains.most_common(GROUPS_MAX))}

        def folded(groups: Counter[str]) -> dict[str, int]:
            found: Counter[str] = Counter()
            for name, count in groups.most_common():
                found[name if name in kept else OTHER] += count
            return dict(found)

        return folded
