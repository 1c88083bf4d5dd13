"""The remedies that the package's source can say, by rule: patterns, in which any text stands for what is put in.

Reads the source of every module; runs none of it. A remedy is what is handed to a parameter or a field of this name; it is
followed through variables, functions and tables to the words that stand in the source.

Known limits: functions and constants are told apart by name, those of the same module first; what cannot be followed is
``.+``, which every remedy of its rule matches.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANYTHING = ".+"
_DEPTH_MAX = 8
_Callable = ast.FunctionDef | ast.ClassDef


class _Place(NamedTuple):
    """Where an expression stands: names mean what they mean in this function, then in this module."""

    module: ast.Module
    function: ast.FunctionDef | None


@cache
def source_of(package: Path) -> Source:
    """Return all modules of a package, read once in a process: that takes a second."""
    return Source(package)


class Source:
    """All modules of a package."""

    def __init__(self, package: Path) -> None:
        """Read them."""
        #: By their paths in the package.
        self._modules = {
            str(path.relative_to(package)): ast.parse(path.read_text("utf-8")) for path in sorted(package.rglob("*.py"))
        }
        self._callables: dict[str, list[tuple[ast.Module, _Callable]]] = defaultdict(list)
        self._constants: dict[str, list[tuple[ast.Module, ast.expr]]] = defaultdict(list)
        for module in self._modules.values():
            for node in ast.walk(module):
                if isinstance(node, _Callable):
                    self._callables[node.name].append((module, node))
            for name, value in _assigned(module.body):
                self._constants[name].append((module, value))

    def remedies(self, *places: str) -> Iterator[tuple[frozenset[str], str]]:
        """Yield the pattern of each remedy, with the rules that its place can say; ``.+`` is one that cannot be followed.

        ``places`` are how the paths of the modules begin that are read for it: all where none is named.
        """
        for module in (module for path, module in self._modules.items() if path.startswith(places or "")):
            for function, call in _calls(module, None):
                yield from self._of_call(_Place(module, function), call)

    def _of_call(self, place: _Place, call: ast.Call) -> Iterator[tuple[frozenset[str], str]]:
        for _, made in self._called(place, call):
            # What hands its own parameter on is followed from where it is called.
            is_handed_on = place.function and "remedy" in _parameters(place.function)
            if "remedy" in _parameters(made) and not is_handed_on:
                rules = frozenset(re.sub(r"\\(.)", r"\1", rule) for rule in self._argument(place, call, made, "rule"))
                yield from ((rules, remedy) for remedy in self._argument(place, call, made, "remedy"))

    def _argument(self, place: _Place, call: ast.Call, made: _Callable, name: str) -> set[str]:
        names = _parameters(made)
        for keyword in call.keywords:
            if keyword.arg == name:
                return self.texts(place, keyword.value)
        index = list(names).index(name) if name in names else len(call.args)
        for position, argument in enumerate(call.args[: index + 1]):
            if isinstance(argument, ast.Starred):
                return self._element(place, argument.value, index - position)
            if position == index:
                return self.texts(place, argument)
        default = names.get(name)
        return self.texts(place, default) if default else {""}

    def _called(self, place: _Place, call: ast.Call) -> list[tuple[ast.Module, _Callable]]:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        found = self._callables[name]
        return [one for one in found if one[0] is place.module] or found

    def texts(self, place: _Place, node: ast.expr, depth: int = 0) -> set[str]:
        """Return the patterns of what an expression can be."""
        if depth > _DEPTH_MAX:
            return {ANYTHING}
        found: set[str] = set()
        for part in _alternatives(node):
            found |= self._one(place, part, depth + 1)
        return found

    def _one(self, place: _Place, node: ast.expr, depth: int) -> set[str]:
        found = {ANYTHING}
        match node:
            case ast.Constant(value=str(text)):
                found = {re.escape(text)}
            case ast.JoinedStr(values=parts):
                found = _joined([self.texts(place, part, depth) for part in parts])
            case ast.FormattedValue(value=value):
                found = self.texts(place, value, depth) - {""} or {ANYTHING}  # "" stands for what was not found
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                found = _joined([self.texts(place, left, depth), self.texts(place, right, depth)])
            case ast.Name(id=name):
                found = self._named(place, name, depth)
            case ast.Call(func=ast.Attribute(attr="expand"), args=[template]):
                found = {re.sub(r"\\\\\d", ANYTHING, text) for text in self.texts(place, template, depth)}
            case ast.Subscript(value=ast.Name(id=name)):
                found = self._values(name, depth)
            case ast.Call():
                found = self._returned(place, node, None, depth)
        return found

    def _named(self, place: _Place, name: str, depth: int) -> set[str]:
        found: set[str] = set()
        for value, index in _bound(place.function, name) if place.function else ():
            found |= self.texts(place, value, depth) if index is None else self._element(place, value, index, depth)
        for value in _added(place.function, name):
            found = _joined([found, self.texts(place, value, depth)])
        if found:
            return found
        constants = self._constants[name]
        for module, value in [one for one in constants if one[0] is place.module] or constants:
            found |= self.texts(_Place(module, None), value, depth)
        return found or {ANYTHING}

    def _values(self, name: str, depth: int) -> set[str]:
        found: set[str] = set()
        for module, value in self._constants[name]:
            for part in value.values if isinstance(value, ast.Dict) else ():
                found |= self.texts(_Place(module, None), part, depth)
        return found or {ANYTHING}

    def _element(self, place: _Place, node: ast.expr, index: int, depth: int = 0) -> set[str]:
        """Return the patterns of one element of a tuple, or of the tuples that are gone through."""
        match node:
            case ast.Tuple(elts=elements) if index < len(elements):
                return self.texts(place, elements[index], depth)
            case ast.Call():
                return self._returned(place, node, index, depth + 1)
            case ast.Name(id=name):
                tables = [value for _, value in self._constants[name] if isinstance(value, ast.Tuple)]
                found = [self._element(place, row, index, depth) for table in tables for row in table.elts]
                return set().union(*found) or {ANYTHING}
            case ast.IfExp(body=one, orelse=other):
                return self._element(place, one, index, depth) | self._element(place, other, index, depth)
        return {ANYTHING}

    def _returned(self, place: _Place, call: ast.Call, index: int | None, depth: int) -> set[str]:
        found: set[str] = set()
        for module, made in self._called(place, call) if depth <= _DEPTH_MAX else ():
            if isinstance(made, ast.ClassDef):
                names = list(_parameters(made))
                found |= self._argument(place, call, made, names[index]) if index is not None else {ANYTHING}
                continue
            there = _Place(module, made)
            for value in _results(made):
                found |= self.texts(there, value, depth) if index is None else self._element(there, value, index, depth)
        return found or {ANYTHING}


def _calls(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield function, child
        yield from _calls(child, child if isinstance(child, ast.FunctionDef) else function)


def _parameters(made: _Callable) -> dict[str, ast.expr | None]:
    """Return the parameters of a function or the fields of a class, each with its default."""
    if isinstance(made, ast.ClassDef):
        fields = [node for node in made.body if isinstance(node, ast.AnnAssign)]
        own = {node.target.id: node.value for node in fields if isinstance(node.target, ast.Name)}
        start = next((n for n in made.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        return _parameters(start) if start else own
    names = [
        a.arg for a in (*made.args.posonlyargs, *made.args.args, *made.args.kwonlyargs) if a.arg not in {"self", "cls"}
    ]
    plain = len(names) - len(made.args.kwonlyargs)
    defaults = [None] * (plain - len(made.args.defaults)) + [*made.args.defaults, *made.args.kw_defaults]
    return dict(zip(names, defaults, strict=True))


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        yield from ((t.id, value) for t in targets if isinstance(t, ast.Name) and value is not None)


def _bound(function: ast.FunctionDef, name: str) -> Iterator[tuple[ast.expr, int | None]]:
    """Yield what a name is bound to in a function; with an index, where it is an element of that."""
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[target], value=value) | ast.NamedExpr(target=target, value=value):
                is_each = False
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                is_each = True
            case _:
                continue
        if isinstance(target, ast.Name) and target.id == name:
            yield (ast.Name("?"), None) if is_each else (value, None)
        if isinstance(target, ast.Tuple):
            names = [getattr(part, "id", "") for part in target.elts]
            yield from ((value, at) for at, part in enumerate(names) if part == name)


def _added(function: ast.FunctionDef | None, name: str) -> list[ast.expr]:
    """Return what is appended to a text under this name."""
    nodes = ast.walk(function) if function else ()
    return [node.value for node in nodes if isinstance(node, ast.AugAssign) and getattr(node.target, "id", "") == name]


def _results(function: ast.FunctionDef) -> Iterator[ast.expr]:
    nodes = [node for node in ast.walk(function) if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom))]
    yield from (node.value for node in nodes if node.value and not isinstance(node, ast.YieldFrom))


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.IfExp(body=one, orelse=other):
            yield from (*_alternatives(one), *_alternatives(other))
        case ast.BoolOp(op=ast.Or(), values=values):
            yield from (part for value in values for part in _alternatives(value))
        case _:
            yield node


def _joined(parts: list[set[str]]) -> set[str]:
    """Return each way to join one pattern of each part."""
    found = {"".join(chosen) for chosen in product(*parts)} if parts else {""}
    return {re.sub(r"(\.\+)+", ANYTHING, text) for text in found}
