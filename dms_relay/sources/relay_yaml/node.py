"""Makes a node of a YAML text, or says where and why YAML cannot read it, in words of our own. Pure.

What PyYAML quotes could be a part of a password (an alias, a tag, an escape), so nothing of it is shown.

Known limits: YAML stops at the first thing that it cannot read, so no more than that one is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.shape import Complaint, Position
from dms_relay.shape.check import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yaml import MarkedYAMLError
    from yaml.events import Event
    from yaml.nodes import Node

#: How deep mappings and lists may stand in each other; more than twice of what is known here. PyYAML's C code has no limit
#: of its own, and dies.
DEPTH_MAX = 16
#: Where the fault is that of the text as a whole.
NOWHERE = Position(0, 0)
_MEND = "mend the line, or put the value in quotes"
_ESCAPE = ("a backslash in double quotes begins no escape that YAML knows", "write two of them, or use single quotes")
_OPEN = "close it; a value that begins with one of these goes in quotes"
#: What PyYAML says (how it begins), and what we say instead.
_WORDS = (
    ("but found another document", ("a second document begins here", "keep one, and take the line --- away")),
    ("found character", ("no value can begin with this character", "put the value in quotes")),
    (
        "mapping values are not allowed",
        ("a colon where no key can stand", "put the value in quotes, or mend the indent"),
    ),
    ("block sequence entries are not", ("a list where none can stand", "write it on the next line, or in quotes")),
    ("mapping keys are not allowed", ("a question mark where no key can stand", "put the value in quotes")),
    ("found undefined alias", ("what follows * is not the name of an anchor", "put the value in quotes")),
    ("found undefined tag", ("what follows ! is not a tag", "put the value in quotes")),
    ("found unknown escape", _ESCAPE),
    ("did not find expected hexdecimal", _ESCAPE),
    ("found unexpected end of stream", ("a quote is open at the end", "close it")),
    ("did not find expected ',' or", ("a brace or bracket is not closed before this", _OPEN)),
    ("did not find expected key", ("no key where one should be", "mend the indent, or the quotes before it")),
    ("found duplicate anchor", ("this anchor is there twice", "give it another name")),
)


def compose(text: str) -> Node | Complaint:
    """Return the node of the only document in a text."""
    import yaml  # noqa: PLC0415 -- 50 ms, and only where there is such a text

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        return Complaint(_place_at(text, found.start()), "holds a character that YAML does not know", "take it out")
    try:
        if (deep := _too_deep(yaml.parse(text, Loader=loader))) is not None:
            return Complaint(deep, "nested too deeply", "write it as docs/relay-yaml.md shows")
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        return _complaint(error, text)
    except yaml.YAMLError:
        return Complaint(NOWHERE, "YAML cannot read this", "write it as docs/relay-yaml.md shows")
    return node or Complaint(NOWHERE, "is empty", "write version: 1 and relays, or take the file away")


def _place_at(text: str, at: int) -> Position:
    return Position(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _complaint(error: MarkedYAMLError, text: str) -> Complaint:
    what = str(error.problem or "")
    place = place_of(error.problem_mark) if error.problem_mark else NOWHERE
    if _is_tab(text, place):
        return Complaint(place, "a tab where YAML wants blanks", "indent with blanks")
    for begin, words in _WORDS:
        if what.startswith(begin):
            return Complaint(place, *words)
    return Complaint(place, "YAML cannot read this", _MEND)


def _is_tab(text: str, place: Position) -> bool:
    line = "".join(text.split("\n")[place.line - 1 : place.line])
    return line[place.column - 1 : place.column] == "\t"


def _too_deep(events: Iterable[Event]) -> Position | None:
    """Return the place where it is; events come one by one, so nothing is nested while they are counted."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind in {"MappingStartEvent", "SequenceStartEvent"}
        depth -= kind in {"MappingEndEvent", "SequenceEndEvent"}
        if depth > DEPTH_MAX:
            return place_of(event.start_mark)
    return None
