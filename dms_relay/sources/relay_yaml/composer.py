"""Makes nodes from the events of a YAML text, one at a time. Pure.

Raises ``CannotReadError`` for mistakes that the events do not report: a second document, an alias without an anchor, a
repeated anchor, and lists and mappings that are nested too deeply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dms_relay.shape import Complaint, Position
from dms_relay.shape.check import KINDS, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    Taken = TypeVar("Taken")

#: How deep mappings and lists may be nested; more than twice as deep as a valid file needs.
DEPTH_MAX = 16
#: How many values the aliases of lists and mappings may expand to: each is read again. 5,000 relays with 20 values each.
ALIASED_MAX = 100_000
_TAG = "tag:yaml.org,2002:"
_COLLECTIONS = frozenset({"seq", "map"})
_EMPTY = ("is empty", "write version: 1 and relays, or remove the file")
_SECOND = ("a second document begins here", "keep only one, and remove the line ---")
_NO_ANCHOR = ("the text after * is not the name of an anchor", "put the value in quotes")
_ANCHOR_TWICE = ("the file has this anchor twice", "give it another name")
_TOO_MANY = (
    f"aliases (*) expand to more than {ALIASED_MAX} values up to here",
    "write the value at the anchor only once",
)
_TOO_DEEP = ("nested too deeply", "write it as docs/relay-yaml.md shows")


class CannotReadError(Exception):
    """The text cannot be read as one document; ``complaint`` says where, and what to write instead."""

    def __init__(self, place: Position, what: tuple[str, str]) -> None:
        """Store the place, and text and remedy."""
        super().__init__(what[0])
        self.complaint = Complaint(place, *what)


def place_of(mark: Any) -> Position:  # noqa: ANN401 -- PyYAML's, of two kinds
    """Return the place of a mark; marks count from 0, places from 1."""
    return Position(mark.line + 1, mark.column + 1)


class Composer:
    """Goes through the events of a text (``yaml.parse``). ``resolvers`` decide the kinds of scalars without quotes."""

    def __init__(self, events: Iterator[Any], resolvers: Mapping[str, Sequence[tuple[str, Any]]]) -> None:
        """Start before the first event."""
        self._events = events
        self._resolvers = resolvers
        self._anchors: dict[str, Node] = {}
        self._depth = 0
        self._aliased = 0

    def document(self, take: Callable[[Node], Taken]) -> Taken:
        """Return the result of ``take`` for the only document; events that it leaves out are consumed too."""
        next(self._events)  # StreamStartEvent
        if _name(next(self._events)) == "StreamEndEvent":
            raise CannotReadError(Position(0, 0), _EMPTY)
        root = self._node(next(self._events), is_kept=False)
        taken = take(root)
        _drain(root)
        next(self._events)  # DocumentEndEvent
        if _name(last := next(self._events)) != "StreamEndEvent":
            raise CannotReadError(place_of(last.start_mark), _SECOND)
        return taken

    def _node(self, event: Any, *, is_kept: bool) -> Node:  # noqa: ANN401 -- PyYAML's, of many kinds
        name = type(event).__name__
        if name == "AliasEvent":
            if event.anchor not in self._anchors:
                raise CannotReadError(place_of(event.start_mark), _NO_ANCHOR)
            self._aliased += _weight(self._anchors[event.anchor], ALIASED_MAX)
            if self._aliased > ALIASED_MAX:
                raise CannotReadError(place_of(event.start_mark), _TOO_MANY)
            return self._anchors[event.anchor]
        if event.anchor in self._anchors:
            raise CannotReadError(place_of(event.start_mark), _ANCHOR_TWICE)
        if name == "ScalarEvent":
            node = self._scalar(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = node
            return node
        return self._collection(event, is_kept=is_kept or event.anchor is not None)

    def _scalar(self, event: Any) -> Node:  # noqa: ANN401 -- the same
        kind = "str"
        if event.tag is not None and event.tag != "!":
            kind = _known(event.tag, is_scalar=True)
        elif event.implicit[0] and (resolvers := self._resolvers.get(event.value[:1])):
            for tag, pattern in resolvers:
                if pattern.match(event.value):
                    kind = _known(tag, is_scalar=True)
                    break
        end = None if event.style else event.end_mark
        return Node(kind, event.value, place_of(event.start_mark), end, is_scalar=True)

    def _collection(self, event: Any, *, is_kept: bool) -> Node:  # noqa: ANN401 -- the same
        """Return a list or a mapping; it is kept in memory if it has an anchor, or is part of an anchor, a list or a key."""
        is_list = _name(event) == "SequenceStartEvent"
        found: Iterator[Any] = self._items(event) if is_list else self._pairs(event, is_kept=is_kept)
        kept: list[Any] = []
        is_tagged = event.tag is not None and event.tag != "!"
        kind = _known(event.tag, is_scalar=False) if is_tagged else "seq" if is_list else "map"
        value = kept if is_kept or is_list else found
        node = Node(kind, value, place_of(event.start_mark), is_flow=bool(event.flow_style))
        if event.anchor is not None:
            # An alias of it may be inside it.
            self._anchors[event.anchor] = node
        if value is kept:
            kept.extend(found)
        return node

    def _items(self, start: Any) -> Iterator[Node]:  # noqa: ANN401 -- the same
        with _Deeper(self, start):
            while _name(event := next(self._events)) != "SequenceEndEvent":
                yield self._node(event, is_kept=True)

    def _pairs(self, start: Any, *, is_kept: bool) -> Iterator[tuple[Node, Node]]:  # noqa: ANN401 -- the same
        with _Deeper(self, start):
            events = self._events
            while type(event := next(events)).__name__ != "MappingEndEvent":
                key = self._node(event, is_kept=True)
                value = self._node(next(events), is_kept=is_kept)
                yield key, value
                if not value.is_scalar:
                    _drain(value)

    def deepen(self, place: Any, by: int) -> None:  # noqa: ANN401 -- PyYAML's mark
        """Record that a list or mapping begins or ends."""
        self._depth += by
        if self._depth > DEPTH_MAX:
            raise CannotReadError(place_of(place), _TOO_DEEP)


class _Deeper:
    """The inside of a list or mapping."""

    def __init__(self, composer: Composer, start: Any) -> None:  # noqa: ANN401 -- PyYAML's event
        self.composer = composer
        self.start = start

    def __enter__(self) -> None:
        self.composer.deepen(self.start.start_mark, 1)

    def __exit__(self, *_: object) -> None:
        self.composer.deepen(self.start.start_mark, -1)


def _name(event: object) -> str:
    return type(event).__name__


def _weight(node: Node, most: int) -> int:
    """Return how many values a list or mapping has, with its aliases expanded; at most ``most`` + 1."""
    weight, left = 0, [node]
    while left and weight <= most:
        value = left.pop().value
        if not isinstance(value, list):
            continue
        weight += len(value)
        for item in value:
            left.extend((item,) if isinstance(item, Node) else item)
    return weight


def _drain(node: Node) -> None:
    """Consume the rest of a node: the events of the next one come after it."""
    if not isinstance(node.value, (list, str)):
        for _ in node.value:
            pass


def _known(tag: str, *, is_scalar: bool) -> str:
    kind = tag.removeprefix(_TAG)
    return kind if tag.startswith(_TAG) and kind in KINDS and (kind not in _COLLECTIONS) == is_scalar else ""
