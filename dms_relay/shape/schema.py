"""Makes the JSON Schema (draft 2020-12) of a shape, for editors. Pure.

Known limits: the schema has no rules that need more than one key, or a look at the machine.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from dms_relay.shape import Either, Flag, Items, Keys, Number, Table, Text

if TYPE_CHECKING:
    from dms_relay.shape import Shape


def json_schema(shape: Shape, title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file."""
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
    rules: list[dict[str, Any]] = [{"oneOf": [{"required": [name]} for name in names]} for names in shape.one_of]
    pairs = dict.fromkeys(pair for names in shape.at_most_one for pair in combinations(names, 2))
    if rules := rules + [{"not": {"required": list(pair)}} for pair in pairs]:
        schema["allOf"] = rules
    return schema
