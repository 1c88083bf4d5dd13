"""Makes nodes from a YAML text on demand, or says where and why YAML cannot read it, in our own words. Pure.

Text that PyYAML quotes could be part of a password (an alias, a tag, an escape), so none of it is shown.

The text is parsed once. Nodes without an anchor are not kept: of a large mapping, only one pair is in memory at a time.

Known limits: YAML stops at the first thing that it cannot read, so only that is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from dms_relay.shape import Complaint, Position
from dms_relay.sources.relay_yaml.composer import CannotReadError, Composer, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from yaml import MarkedYAMLError

    from dms_relay.shape.check import Node

Taken = TypeVar("Taken")
#: The place of a mistake that concerns the text as a whole.
NOWHERE = Position(0, 0)
_MEND = "correct the line, or put the value in quotes"
_ESCAPE = (
    "a backslash in double quotes starts an escape that YAML does not know",
    "write two of them, or use single quotes",
)
_OPEN = "close it; a value that begins with one of these goes in quotes"
#: The beginnings of PyYAML's messages, and our text and remedy for each.
_WORDS = (
    ("found character", ("no value can begin with this character", "put the value in quotes")),
    (
        "mapping values are not allowed",
        ("a colon where no key is allowed", "put the value in quotes, or correct the indentation"),
    ),
    ("block sequence entries are not", ("a list where none is allowed", "write it on the next line, or in quotes")),
    ("mapping keys are not allowed", ("a question mark where no key is allowed", "put the value in quotes")),
    ("found undefined tag", ("the text after ! is not a tag", "put the value in quotes")),
    ("found unknown escape", _ESCAPE),
    ("did not find expected hexdecimal", _ESCAPE),
    ("found unexpected end of stream", ("a quote is open at the end", "close it")),
    ("did not find expected ',' or", ("a brace or bracket is not closed before this", _OPEN)),
    ("did not find expected key", ("no key where one should be", "correct the indentation, or the quotes before it")),
)


def read_node(text: str, take: Callable[[Node], Taken]) -> Taken | Complaint:
    """Return the result of ``take`` for the only document in a text; ``take`` must go through the nodes once, in order."""
    import yaml  # noqa: PLC0415 -- 50 ms, and only where there is such a text

    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        return Complaint(_place_at(text, found.start()), "contains a character that YAML does not allow", "remove it")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        composer = Composer(yaml.parse(text, Loader=loader), yaml.SafeLoader.yaml_implicit_resolvers)
        return composer.document(take)
    except CannotReadError as error:
        return error.complaint
    except yaml.MarkedYAMLError as error:
        return _complaint(error, text)
    except yaml.YAMLError:
        return Complaint(NOWHERE, "YAML cannot read this", "write it as docs/relay-yaml.md shows")


def _place_at(text: str, at: int) -> Position:
    return Position(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _complaint(error: MarkedYAMLError, text: str) -> Complaint:
    what = str(error.problem or "")
    place = place_of(error.problem_mark) if error.problem_mark else NOWHERE
    if _is_tab(text, place):
        return Complaint(place, "a tab where YAML needs spaces", "indent with spaces")
    for begin, words in _WORDS:
        if what.startswith(begin):
            return Complaint(place, *words)
    return Complaint(place, "YAML cannot read this", _MEND)


def _is_tab(text: str, place: Position) -> bool:
    line = "".join(text.split("\n")[place.line - 1 : place.line])
    return line[place.column - 1 : place.column] == "\t"
