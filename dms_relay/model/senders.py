"""Managed domains and routes by sender, stored as names without an object each, so that a million of them fit in memory.

``Domain`` and ``Route`` values are made during iteration. Nothing changes once it is filled.
"""

from __future__ import annotations

from itertools import chain, repeat

from dms_relay.model import Domain, Origin, Route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import NexthopList

#: Octets of a line number; a file of more lines than that would not fit into memory.
_NUMBER = 4


class ManagedDomains:  # noqa: PLW1641 -- it changes while it is filled
    """The mail domains that this server manages, in order, each with the place that names it first."""

    __slots__ = ("_files", "_lines", "_names", "_places")

    def __init__(self) -> None:
        """Start empty."""
        #: Names by lookup key. If both are the same, as nearly always, they are one object.
        self._names: dict[str, str] = {}
        self._lines = bytearray()
        self._files: list[tuple[int, str]] = []
        self._places: dict[str, int] = {}

    def begin(self, source: str) -> None:
        """Record that domains added from now on come from another source."""
        self._files.append((len(self._names), source))

    def add(self, key: str, name: str, line: int) -> None:
        """Add a domain whose lookup key is new."""
        self._names[key] = key if key == name else name
        self._lines += line.to_bytes(_NUMBER, "little")

    def name(self, key: str) -> str | None:
        """Return the spelling of the domain with this lookup key; ``None`` if there is no such domain."""
        return self._names.get(key)

    def origin(self, key: str) -> Origin:
        """Return the place that names the domain with this lookup key. Raises ``KeyError`` if there is none."""
        if len(self._places) < len(self._names):
            self._places = {known: number for number, known in enumerate(self._names)}
        return self._origin(self._places[key])

    def _origin(self, number: int) -> Origin:
        source = next(source for first, source in reversed(self._files) if first <= number)
        return Origin(source, int.from_bytes(self._lines[_NUMBER * number : _NUMBER * (number + 1)], "little"))

    def lookup_keys(self) -> Iterator[str]:
        """Yield the lookup key of each domain."""
        yield from self._names

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield the lookup key and the name of each domain."""
        yield from self._names.items()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)

    def __iter__(self) -> Iterator[Domain]:
        """Yield each domain."""
        return (Domain(name, self._origin(number)) for number, name in enumerate(self._names.values()))

    def __contains__(self, key: object) -> bool:
        """Return True if a domain has this lookup key."""
        return key in self._names

    def __eq__(self, other: object) -> bool:
        """Return True if both have the same domains, named at the same places."""
        return isinstance(other, ManagedDomains) and list(self) == list(other)

    def __repr__(self) -> str:
        """Show only how many there are."""
        return f"ManagedDomains({len(self)})"


class Routes:  # noqa: PLW1641 -- its parts have no hash
    """The routes of a table of nexthops by sender: first the mapped senders, then the domains that ``RELAY_HOST`` serves.

    ``mapped`` is by lookup key; ``excluded`` are the lookup keys of domains that ``RELAY_HOST`` does not serve.
    """

    __slots__ = ("_domains", "_excluded", "_mapped", "_relay")

    def __init__(
        self,
        mapped: dict[str, Route] | None = None,
        relay: tuple[NexthopList, Origin] | None = None,
        domains: ManagedDomains | None = None,
        excluded: frozenset[str] = frozenset(),
    ) -> None:
        """Store the parts."""
        self._mapped = mapped or {}
        self._relay = relay
        self._domains = domains if relay and domains is not None else ManagedDomains()
        self._excluded = frozenset(key for key in excluded if key in self._domains)

    def _served(self) -> Iterator[str]:
        """Yield the name of each domain that ``RELAY_HOST`` serves."""
        excluded = self._excluded
        return (name for key, name in self._domains.items() if key not in excluded)

    def _served_count(self) -> int:
        return len(self._domains) - len(self._excluded)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._mapped) + self._served_count()

    def __iter__(self) -> Iterator[Route]:
        """Yield each route."""
        yield from self._mapped.values()
        if self._relay:
            nexthops, origin = self._relay
            for name in self._served():
                yield Route(f"@{name}", nexthops, origin)

    def get(self, key: str) -> Route | None:
        """Return the route with this lookup key; ``None`` if there is no such route."""
        way = self.way(key)
        return self._mapped.get(key) or (Route(f"@{self._domains.name(key[1:])}", *way) if way else None)

    def way(self, key: str) -> tuple[NexthopList, Origin] | None:
        """Return nexthops and origin of the route with this lookup key; ``None`` if there is no such route."""
        if found := self._mapped.get(key):
            return found.nexthops, found.origin
        is_served = key.startswith("@") and key[1:] in self._domains and key[1:] not in self._excluded
        return self._relay if is_served else None

    def ways(self) -> Iterator[tuple[str, tuple[NexthopList, Origin]]]:
        """Yield the lookup key of each route, with its nexthops and its origin."""
        yield from ((key, (route.nexthops, route.origin)) for key, route in self._mapped.items())
        if self._relay:
            served = (f"@{key}" for key in self._domains.lookup_keys() if key not in self._excluded)
            yield from zip(served, repeat(self._relay), strict=False)

    def mapped(self) -> Iterator[Route]:
        """Yield each route from a file, without the domains that ``RELAY_HOST`` serves."""
        yield from self._mapped.values()

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the key and the value of each line of the table."""
        served = zip(self._served(), repeat(self._relay[0].text), strict=False) if self._relay else ()
        return chain(
            ((route.key, route.nexthops.text) for route in self._mapped.values()),
            ((f"@{name}", text) for name, text in served),
        )

    def nexthops(self) -> Iterator[tuple[NexthopList, Origin]]:
        """Yield the nexthops of each mapped route, and those of ``RELAY_HOST`` once for all domains that it serves."""
        yield from ((route.nexthops, route.origin) for route in self._mapped.values())
        if self._relay and self._served_count():
            yield self._relay

    def counts(self) -> dict[str, int]:
        """Return how many senders each nexthop has."""
        found: dict[str, int] = {}
        for route in self._mapped.values():
            found[route.nexthops.text] = found.get(route.nexthops.text, 0) + 1
        if self._relay and self._served_count():
            text = self._relay[0].text
            found[text] = found.get(text, 0) + self._served_count()
        return found

    def __eq__(self, other: object) -> bool:
        """Return True if they are the same routes."""
        return isinstance(other, Routes) and list(self) == list(other)

    def __repr__(self) -> str:
        """Show how many there are."""
        return f"Routes({len(self)})"
