"""Checks the nodes of a YAML file against a shape; returns each value with its place, as ``LocatedValue``. Pure.

Reports all mistakes, not only the first: keys that are unknown, missing or repeated, and values of the wrong kind, which in
YAML may look right (without quotes, ``no``, ``0123``, ``1:30`` and ``2024-01-01`` are not texts).

Known limits: merge keys (``<<``) are refused. A value that may be secret is never shown; nor is an unknown key that could be
part of one: in a login, and between braces, where a comma ends a password without quotes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from dms_relay.postfix.nexthop import SyntaxProblem, quote
from dms_relay.shape import Complaint, Either, Flag, Items, Keys, LocatedValue, Number, Position, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.shape import Shape

#: What YAML 1.1 may take a text without quotes for (yaml.org/type).
KINDS = {
    "str": "a text",
    "bool": "a truth value",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
    "merge": "a merge key",
    "value": "a default value",
    "seq": "a list",
    "map": "a mapping",
}
#: Where a line ends (YAML 1.1, section 4.1.4).
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
#: A key that may be shown: it looks like one of ours.
_PLAIN_KEY = re.compile("[a-z_-]{1,32}", re.IGNORECASE)
#: Likeness (difflib, 0 to 1) from which a key counts as a misspelling of a known one.
_LIKENESS = 0.6

_MERGE = ("merge keys are not supported", "write the keys out, or use an alias for a whole value")


class Node(NamedTuple):
    """A YAML node and its place.

    ``kind`` is the name of a YAML tag (``str``, ``map``, …), or empty if another tag was written. ``value`` is a scalar's
    text, a list's nodes, or a mapping's pairs of nodes; iterate over it once and in order. ``end`` is the mark where a
    scalar without quotes ends (counted from 0), else ``None``.
    """

    kind: str
    value: Any
    place: Position
    end: Any = None
    is_scalar: bool = False
    is_flow: bool = False


def check(shape: Shape, node: Node, text: str) -> tuple[LocatedValue, list[Complaint]]:
    """Return the value of a node of a file's text, and its mistakes, each once even if an alias repeats it."""
    checker = _Checker(text)
    return checker.found(shape, node), list(dict.fromkeys(checker.complaints))


class _Checker:
    """Collects complaints; a wrong value becomes an empty one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: list[str] = []
        self.complaints: list[Complaint] = []

    def found(self, shape: Shape, node: Node) -> LocatedValue:
        if type(shape) is Either:
            shape = shape.keys if node.kind == "map" else shape.text
        value: Any = None
        match shape:
            case Text():
                value = self._text(shape, node)
            case Number():
                value = self._number(shape, node)
            case Flag():
                value = self._flag(shape, node)
            case Items():
                value = self._items(shape, node)
            case Keys():
                value = self._keys(shape, node)
            case Table():
                value = self._table(shape, node)
        return LocatedValue(value, node.place)

    def _complain(self, node: Node, text: str, remedy: str) -> None:
        self.complaints.append(Complaint(node.place, text, remedy))

    def _is(self, kinds: set[str], shape: Shape, node: Node, remedy: str) -> bool:
        """Return True if a node is of one of these kinds; complain if it is not."""
        kind = node.kind
        if kind in kinds:
            return True
        if not kind:
            remedy = f"{remedy}; in quotes if it begins with !" if node.is_scalar else "remove the tag"
            self._complain(node, "a YAML tag", remedy)
        elif kind == "null":
            self._complain(node, "there is no value", remedy)
        elif kind in {"seq", "map"} or not isinstance(shape, (Text, Number, Flag)):
            self._complain(node, f"{KINDS[kind]} instead of {shape.what}", remedy)
        else:
            self._complain_of_scalar(shape, node, kind)
        return False

    def _complain_of_scalar(self, shape: Text | Number | Flag, node: Node, kind: str) -> None:
        is_free = isinstance(shape, Text) and not shape.choices
        shown = "" if isinstance(shape, Text) and shape.is_secret else quote(str(node.value)).strip()
        taken = "" if isinstance(shape, Number) and kind == "float" else f" {KINDS[kind]} to YAML,"
        remedy = "put it in quotes" if is_free else f"write {shape.what}"
        remedy += ", without quotes" if kind == "str" else ""
        self._complain(node, f"{shown or 'the value'} is{taken} not {shape.what}", remedy)

    # Scalars.

    def _text(self, shape: Text, node: Node) -> str:
        if node.kind != "str" and not self._is({"str"}, shape, node, f"write {shape.what}"):
            return ""
        value = str(node.value)
        if shape.is_literal and self._has_comment(node):
            self._complain(node, "YAML reads the text after # as a comment", "put the value in quotes")
        try:
            _check_text(shape, value)
        except SyntaxProblem as problem:
            self._complain(node, problem.text, problem.remedy)
            return ""
        return value

    def _has_comment(self, node: Node) -> bool:
        """Return True if a comment follows a text without quotes: it may be meant as part of the text."""
        if node.end is None:
            return False
        self.lines = self.lines or _LINE_END.split(self.text)
        line: str = self.lines[node.end.line]
        return line[node.end.column :].lstrip(" \t").startswith("#")

    def _number(self, shape: Number, node: Node) -> int:
        if not self._is({"int"}, shape, node, f"write {shape.what}"):
            return 0
        text = str(node.value)
        is_decimal = text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
        value = int(text) if is_decimal and len(text) <= len(str(shape.maximum)) else -1
        if shape.minimum <= value <= shape.maximum:
            return value
        self._complain(node, f"{quote(text).strip() or 'the value'} is not {shape.what}", f"write {shape.what}")
        return 0

    def _flag(self, shape: Flag, node: Node) -> bool:
        if not self._is({"bool"}, shape, node, f"write {shape.what}"):
            return False
        value = str(node.value).lower()
        if value not in {"true", "false"}:
            self._complain(node, f"{quote(value).strip()} is not {shape.what}", f"write {shape.what}")
        return value == "true"

    # Lists and mappings.

    def _items(self, shape: Items, node: Node) -> list[LocatedValue]:
        if shape.or_one and node.kind not in {"seq", "map"}:
            found = self.found(shape.item, node)
            return [found] if found.value else []
        if not self._is({"seq"}, shape, node, "write [first, second]"):
            return []
        if not node.value:
            self._complain(node, "an empty list", "remove it, or fill it")
        items = (self.found(shape.item, item) for item in node.value)
        return [item for item in items if item.value]

    def _keys(self, shape: Keys, node: Node) -> dict[str, LocatedValue]:
        values: dict[str, LocatedValue] = {}
        nodes: dict[str, Node] = {}
        meant: set[str] = set()
        for key, value in self._pairs(shape, node):
            name = str(key.value)
            if name not in shape.keys:
                meant.add(self._unknown(shape, node, key, value))
            elif name in nodes:
                self._twice(key, nodes[name].place)
            else:
                nodes[name] = key
                if several := _several(shape, name, value):
                    text = f"{KINDS[value.kind]} instead of {shape.keys[name].what}"
                    self._complain(value, text, f"write {several}: [first, second]")
                else:
                    values[name] = self.found(shape.keys[name], value)
        if node.kind == "map":
            self._beside(shape, nodes)
            self._missing(shape, node, nodes.keys() | meant)
        return values

    def _pairs(self, shape: Keys | Table, node: Node) -> Iterator[tuple[Node, Node]]:
        if not self._is({"map"}, shape, node, shape.remedy):
            return
        for key, value in node.value:
            if key.kind in {"seq", "map"}:
                self._complain(key, f"{KINDS[key.kind]} where a key must be", "write a key and its value: key: value")
            else:
                yield key, value

    def _unknown(self, shape: Keys, node: Node, key: Node, value: Node) -> str:
        """Complain of an unknown key, and return the known key that it may be a misspelling of."""
        from difflib import get_close_matches  # noqa: PLC0415 -- 11 ms, and only for what is wrong

        if key.kind == "merge":
            self._complain(key, *_MERGE)
            return ""
        known = get_close_matches(str(key.value), shape.keys, cutoff=_LIKENESS)
        known.sort(key=lambda name: not _takes(shape.keys[name], value))  # "hots: a.test" means host, not hosts
        is_flow = node.is_flow
        is_plain = _PLAIN_KEY.fullmatch(str(key.value)) and not shape.is_secret and not is_flow
        remedy = f"write {known[0]}" if known else f"use one of {', '.join(shape.keys)}"
        if is_flow and value.kind == "null":
            remedy = f"{remedy}; put a value with a comma in quotes"
        self._complain(key, f'unknown key "{key.value}"' if is_plain else "unknown key", remedy)
        return known[0] if known else ""

    def _twice(self, key: Node, first: Position) -> None:
        text = f"the key is already at {first.line}:{first.column}"
        self._complain(key, text, "keep only one of them: YAML would silently drop the first")

    def _beside(self, shape: Keys, nodes: dict[str, Node]) -> None:
        for names in (*shape.one_of, *shape.at_most_one):
            first, *others = [name for name in nodes if name in names] or [""]
            for name in others:
                self._complain(nodes[name], f"{name} together with {first}", "keep only one of them")

    def _missing(self, shape: Keys, node: Node, there: set[str]) -> None:
        for names in (*((name,) for name in shape.required), *shape.one_of):
            if there.isdisjoint(names):
                wanted = " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
                self._complain(node, f"{wanted} is missing", f"write {names[0]}: {shape.keys[names[0]].what}")

    def _table(self, shape: Table, node: Node) -> dict[str, tuple[LocatedValue, LocatedValue]]:
        """Return pairs by folded key. Only the value and the place of a node are kept: a table can be long."""
        values: dict[str, tuple[LocatedValue, LocatedValue]] = {}
        for key, value in self._pairs(shape, node):
            if key.kind == "merge":
                self._complain(key, *_MERGE)
                continue
            name = self.found(shape.key, key)
            found = self.found(shape.value, value)
            if not name.value:
                continue
            folded = shape.fold(name.value)
            if folded in values:
                self._twice(key, values[folded][0].place)
            else:
                values[name.value if folded == name.value else folded] = (name, found)
        return values


def _several(shape: Keys, name: str, value: Node) -> str:
    """Return the key to write for a list, if ``name`` takes one value only and another key of its group takes several."""
    if value.kind != "seq" or _takes(shape.keys[name], value):
        return ""
    others = (other for group in shape.one_of if name in group for other in group)
    return next((other for other in others if _takes(shape.keys[other], value)), "")


def _takes(shape: Shape, node: Node) -> bool:
    """Return True if a shape can have a value of this kind: a list, a mapping, or one of the others."""
    if node.kind == "seq":
        return isinstance(shape, Items)
    if node.kind == "map":
        return isinstance(shape, (Keys, Table, Either))
    return isinstance(shape, (Text, Number, Flag, Either)) or (isinstance(shape, Items) and shape.or_one)


def _check_text(shape: Text, value: str) -> None:
    if not value:
        raise SyntaxProblem("there is no value", f"write {shape.what}")
    if shape.choices and value not in shape.choices:
        raise SyntaxProblem(f"{quote(value).strip() or 'the value'} is not one of those allowed", f"write {shape.what}")
    if shape.check:
        shape.check(value)
