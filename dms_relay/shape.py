"""The shape of a YAML file, said once: the reader checks a file against it, and the JSON Schema is made from it. Pure.

``check`` walks over the nodes of ``yaml.compose`` and gives what stands there as ``Found`` values, each with its place.
All that is wrong is reported, not the first alone: keys that are unknown, missing or there twice, and values of another
kind, which in YAML need not look so (``no``, ``0123``, ``1:30``, ``2024-01-01`` without quotes are no texts).

Known limits: merge keys (``<<``) are unknown keys. A value that may be secret is never shown; nor is a key that is not known
in a place where a login stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dms_relay.nexthop import SyntaxProblem, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from yaml.nodes import Node

_TAG = "tag:yaml.org,2002:"
#: What YAML 1.1 takes a text without quotes for (yaml.org/type).
_TURNED = {
    "bool": "a truth value",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
    "merge": "a merge key",
    "value": "a default value",
}
#: Likeness (difflib, 0 to 1) from which a key counts as a slip of one that is known.
_LIKENESS = 0.6


class Place(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


class Found(NamedTuple):
    """What stands at a place: a text, number or truth value, or a list or mapping of ``Found``."""

    value: Any
    place: Place

    def get(self, name: str) -> Found | None:
        """Give the value of a key of a mapping."""
        found: Found | None = self.value.get(name)
        return found


@dataclass(frozen=True, slots=True)
class Text:
    """A text. ``check`` raises ``SyntaxProblem``; ``pattern`` says the same to an editor, as far as a pattern can."""

    what: str
    help: str = ""
    check: Callable[[str], object] | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number, written in decimal digits."""

    what: str
    help: str = ""
    minimum: int = 0
    maximum: int = 0
    choices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """``true`` or ``false``."""

    help: str = ""
    what: str = "true or false"


@dataclass(frozen=True, slots=True)
class Items:
    """A list of texts; ``or_one`` says that one text may stand without a list."""

    item: Text
    help: str = ""
    or_one: bool = False

    @property
    def what(self) -> str:
        """Name it."""
        return f"a list, each {self.item.what}"


@dataclass(frozen=True, slots=True)
class Keys:
    """A mapping with known keys. ``is_secret`` says that a slip in it could be a secret, which is then not shown."""

    keys: dict[str, Shape]
    what: str
    help: str = ""
    required: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping from names of the operator's choice to values of one shape. ``fold``: how two names count as the same."""

    key: Text
    value: Shape
    what: str
    help: str = ""
    fold: Callable[[str], str] = field(default=str.casefold)


@dataclass(frozen=True, slots=True)
class Either:
    """A text, or a mapping with known keys."""

    text: Text
    keys: Keys

    @property
    def what(self) -> str:
        """Name it."""
        return f"{self.text.what}, or {self.keys.what}"


Shape = Text | Number | Flag | Items | Keys | Table | Either


class Complaint(NamedTuple):
    """What is wrong at a place, and what to write instead."""

    place: Place
    text: str
    remedy: str


def check(shape: Shape, node: Node, text: str) -> tuple[Found, list[Complaint]]:
    """Give what stands in a node of a file's text, and all that is wrong with it."""
    checker = _Checker(text)
    return checker.found(shape, node), checker.complaints


def place_of(mark: Any) -> Place:  # noqa: ANN401 -- PyYAML's, of two kinds
    """Give the place of a mark, which counts from 0."""
    return Place(mark.line + 1, mark.column + 1)


class _Checker:
    """Collects complaints; where something is wrong, the value is an empty one."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.complaints: list[Complaint] = []

    def found(self, shape: Shape, node: Node) -> Found:  # noqa: PLR0911 -- one for each kind
        match shape:
            case Text():
                return self._text(shape, node)
            case Number():
                return self._number(shape, node)
            case Flag():
                return self._flag(shape, node)
            case Items():
                return self._items(shape, node)
            case Keys():
                return self._keys(shape, node)
            case Table():
                return self._table(shape, node)
            case Either():
                return self.found(shape.keys if _kind(node) == "mapping" else shape.text, node)

    def _complain(self, node: Node, text: str, remedy: str) -> None:
        self.complaints.append(Complaint(place_of(node.start_mark), text, remedy))

    # Scalars.

    def _is_scalar(self, shape: Text | Number | Flag, node: Node, tags: tuple[str, ...]) -> bool:
        if _kind(node) != "scalar":
            self._complain(node, f"a {_kind(node)} in place of {shape.what}", f"write {shape.what}")
        elif not node.tag.startswith(_TAG):
            self._complain(node, "a YAML tag", f"write {shape.what}; in quotes where it begins with !")
        elif node.tag.removeprefix(_TAG) in tags:
            return True
        elif node.tag == f"{_TAG}null":
            self._complain(node, "there is no value", f"write {shape.what}")
        else:
            self._complain_of_kind(shape, node)
        return False

    def _complain_of_kind(self, shape: Text | Number | Flag, node: Node) -> None:
        kind = _TURNED.get(node.tag.removeprefix(_TAG), "a text")
        is_secret = isinstance(shape, Text) and shape.is_secret
        shown = "" if is_secret else quote(str(node.value)).strip()
        text = f"{shown or 'the value'} is {kind} to YAML, not {shape.what}"
        self._complain(
            node, text, "put it in quotes" if isinstance(shape, Text) else f"write {shape.what}, without quotes"
        )

    def _text(self, shape: Text, node: Node) -> Found:
        place = place_of(node.start_mark)
        if not self._is_scalar(shape, node, ("str",)):
            return Found("", place)
        value = str(node.value)
        if shape.is_secret and self._has_comment(node):
            self._complain(node, "what follows # is a comment to YAML, and no part of it", "put the value in quotes")
        try:
            _check_text(shape, value)
        except SyntaxProblem as problem:
            self._complain(node, problem.text, problem.remedy)
            value = ""
        return Found(value, place)

    def _has_comment(self, node: Node) -> bool:
        """Whether a comment stands behind a text without quotes, which may have been meant as a part of it."""
        line = self.lines[node.end_mark.line] if getattr(node, "style", None) is None else ""
        return line[node.end_mark.column :].lstrip(" \t").startswith("#")

    def _number(self, shape: Number, node: Node) -> Found:
        place = place_of(node.start_mark)
        if not self._is_scalar(shape, node, ("int",)):
            return Found(0, place)
        text = str(node.value)
        is_decimal = text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
        value = int(text) if is_decimal and len(text) <= len(str(shape.maximum)) else -1
        if not shape.minimum <= value <= shape.maximum or (shape.choices and value not in shape.choices):
            self._complain(node, f"{quote(text).strip() or 'the value'} is not {shape.what}", f"write {shape.what}")
            value = 0
        return Found(value, place)

    def _flag(self, shape: Flag, node: Node) -> Found:
        is_flag = self._is_scalar(shape, node, ("bool",))
        if is_flag and str(node.value).lower() not in {"true", "false"}:
            self._complain(node, f"{quote(str(node.value)).strip()} is not {shape.what}", f"write {shape.what}")
        return Found(is_flag and str(node.value).lower() == "true", place_of(node.start_mark))

    # Lists and mappings.

    def _items(self, shape: Items, node: Node) -> Found:
        place = place_of(node.start_mark)
        if shape.or_one and _kind(node) == "scalar":
            found = self._text(shape.item, node)
            return Found([found] if found.value else [], place)
        if _kind(node) != "sequence":
            self._complain(node, f"not {shape.what}", f"write {shape.what}: [first, second]")
            return Found([], place)
        if not node.value:
            self._complain(node, "an empty list", "take it away, or fill it")
        items = (self._text(shape.item, item) for item in node.value)
        return Found([item for item in items if item.value], place)

    def _keys(self, shape: Keys, node: Node) -> Found:
        values: dict[str, Found] = {}
        nodes: dict[str, Node] = {}
        for name, key, value in self._pairs(shape, node):
            if name not in shape.keys:
                self._unknown(shape, key)
            elif name in nodes:
                self._twice(key, nodes[name])
            else:
                nodes[name] = key
                values[name] = self.found(shape.keys[name], value)
        if _kind(node) == "mapping":
            self._missing(shape, node, nodes)
        return Found(values, place_of(node.start_mark))

    def _pairs(self, shape: Keys | Table, node: Node) -> Iterator[tuple[str, Node, Node]]:
        if _kind(node) != "mapping" or not node.tag.startswith(_TAG):
            self._complain(node, f"not {shape.what}", f"write {shape.what}")
            return
        for key, value in node.value:
            if _kind(key) != "scalar":
                self._complain(key, f"a {_kind(key)} in place of a key", "write a key and its value: key: value")
            else:
                yield str(key.value), key, value

    def _unknown(self, shape: Keys, key: Node) -> None:
        from difflib import get_close_matches  # noqa: PLC0415 -- 11 ms, and only for what is wrong

        known = get_close_matches(str(key.value), shape.keys, n=1, cutoff=_LIKENESS)
        shown = "" if shape.is_secret else quote(str(key.value))
        remedy = f"write {known[0]}" if known else f"known are {', '.join(shape.keys)}"
        self._complain(key, f"unknown key{shown}", remedy)

    def _twice(self, key: Node, first: Node) -> None:
        place = place_of(first.start_mark)
        text = f"the key stands at {place.line}:{place.column} already"
        self._complain(key, text, "keep one of the two: YAML would drop the first without a word")

    def _missing(self, shape: Keys, node: Node, found: dict[str, Node]) -> None:
        for name in shape.required:
            if name not in found:
                self._complain(node, f"{name} is missing", f"write {name}: and {shape.keys[name].what}")
        for names in shape.one_of:
            there = [name for name in names if name in found]
            if not there:
                self._complain(
                    node, f"{' or '.join(names)} is missing", f"write {names[0]}: {shape.keys[names[0]].what}"
                )
            for name in there[1:]:
                self._complain(found[name], f"{name} beside {there[0]}", "keep one of the two")

    def _table(self, shape: Table, node: Node) -> Found:
        values: dict[str, tuple[Found, Found]] = {}
        first: dict[str, Node] = {}
        for _, key, value in self._pairs(shape, node):
            name = self._text(shape.key, key)
            found = self.found(shape.value, value)
            if not name.value:
                continue
            folded = shape.fold(name.value)
            if folded in first:
                self._twice(key, first[folded])
            else:
                first[folded] = key
                values[name.value] = (name, found)
        return Found(values, place_of(node.start_mark))


def _kind(node: Node) -> str:
    """Name it: scalar, sequence or mapping."""
    return str(getattr(node, "id", "node"))


def _check_text(shape: Text, value: str) -> None:
    if not value:
        raise SyntaxProblem("there is no value", f"write {shape.what}")
    if shape.choices and value not in shape.choices:
        raise SyntaxProblem(f"{quote(value).strip() or 'the value'} is not known", f"write {shape.what}")
    if shape.check:
        shape.check(value)


def json_schema(shape: Shape, title: str) -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a file."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return head | _schema(shape)


def _schema(shape: Shape) -> dict[str, Any]:
    match shape:
        case Text():
            schema: dict[str, Any] = {"type": "string"}
            schema |= {"enum": list(shape.choices)} if shape.choices else {"minLength": 1}
            schema |= {"pattern": shape.pattern} if shape.pattern else {}
        case Number():
            schema = {"type": "integer", "minimum": shape.minimum, "maximum": shape.maximum}
        case Flag():
            schema = {"type": "boolean"}
        case Items():
            items: dict[str, Any] = {"type": "array", "items": _schema(shape.item), "minItems": 1}
            schema = {"oneOf": [_schema(shape.item), items]} if shape.or_one else items
        case Keys():
            schema = _keys_schema(shape)
        case Table():
            schema = {"type": "object", "additionalProperties": _schema(shape.value)}
            schema |= {"propertyNames": {"pattern": shape.key.pattern}} if shape.key.pattern else {}
        case Either():
            return {"oneOf": [_schema(shape.text), _schema(shape.keys)]}
    return schema | ({"description": shape.help} if shape.help else {})


def _keys_schema(shape: Keys) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _schema(value) for name, value in shape.keys.items()},
        "additionalProperties": False,
    }
    if shape.required:
        schema["required"] = list(shape.required)
    if shape.one_of:
        schema["allOf"] = [{"oneOf": [{"required": [name]} for name in names]} for names in shape.one_of]
    return schema
