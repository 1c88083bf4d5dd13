"""The shape of a YAML file, defined once: the reader checks a file against it, and the JSON Schema is made from it. Pure.

This module has only the values. ``check.py`` checks a file against them, ``schema.py`` makes the schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dms_relay.model.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable


class Position(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


class LocatedValue(NamedTuple):
    """A value and its place: a text, number or truth value, or a list or mapping of ``LocatedValue``."""

    value: Any
    place: Position

    def get(self, name: str) -> LocatedValue | None:
        """Return the value of a key of a mapping."""
        found: LocatedValue | None = self.value.get(name)
        return found


@frozen
class Text:
    """A text. ``check`` raises ``SyntaxProblem``; ``pattern`` tells an editor the same, as far as a pattern can.

    ``is_secret``: the text may be a password, or one that was written in the wrong place, so it is never shown.
    ``is_literal``: each character counts, so a comment after it is refused.
    """

    what: str
    help: str = ""
    check: Callable[[str], object] | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    is_secret: bool = False
    is_literal: bool = False


@frozen
class Number:
    """A whole number, written in decimal digits."""

    what: str
    help: str = ""
    minimum: int = 0
    maximum: int = 0


@frozen
class Flag:
    """``true`` or ``false``."""

    help: str = ""
    what: str = "true or false"


@frozen
class Items:
    """A list of texts; ``or_one``: a single text needs no list."""

    item: Text
    help: str = ""
    or_one: bool = False

    @property
    def what(self) -> str:
        """Return the name of this shape for messages."""
        return f"a list, each {self.item.what}"


@frozen
class Keys:
    """A mapping with known keys. ``remedy`` is what to write instead of anything else.

    Exactly one of the keys in each part of ``one_of`` must be present, and at most one of those in each part of
    ``at_most_one``. ``is_secret``: an unknown key in it could be a secret, so it is not shown.
    """

    keys: dict[str, Shape]
    what: str
    remedy: str
    help: str = ""
    required: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    at_most_one: tuple[tuple[str, ...], ...] = ()
    is_secret: bool = False


@frozen
class Table:
    """A mapping from names of the operator's choice to values of one shape; ``fold`` normalises names to compare them."""

    key: Text
    value: Shape
    what: str
    remedy: str
    help: str = ""
    fold: Callable[[str], str] = field(default=str.casefold)


@frozen
class Either:
    """A text, or a mapping with known keys."""

    text: Text
    keys: Keys

    @property
    def what(self) -> str:
        """Return the name of this shape for messages."""
        return f"{self.text.what}, or {self.keys.what}"


Shape = Text | Number | Flag | Items | Keys | Table | Either


class Complaint(NamedTuple):
    """A place, what is wrong there, and what to write instead."""

    place: Position
    text: str
    remedy: str
