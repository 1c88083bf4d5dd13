"""Pages of the reference that are generated from the code: commands, settings and exit codes, keys of relay.yaml.

Each fact has one source: the parser, the texts of the manual page, or the JSON Schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dms_relay.arguments import EXIT_CODES
from dms_relay.model import RELAY_YAML
from dms_relay.shape.schema import json_schema
from dms_relay.sources.relay_yaml.keys import RELAY_FILE
from tools.man_page import OTHERS, environment, files
from tools.tree import commands_of, fresh_parser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MADE = "<!-- Rebuilt by `make generated`: change the code, not this page. -->"
#: Columns of the help on a page: few, so that a phone scrolls less.
_WIDTH = 88
#: The words for the types of the JSON Schema.
_TYPES = {"object": "map", "array": "list", "integer": "number", "boolean": "yes or no"}


def pages() -> dict[str, str]:
    """Return the text of each page, by the name of its file."""
    made = {"commands.md": _commands(), "settings.md": _settings(), "relay-yaml-keys.md": _keys()}
    return {name: f"{_MADE}\n\n{text.rstrip()}\n" for name, text in made.items()}


def _commands() -> str:
    top = fresh_parser(_WIDTH)
    parts = [
        "# Commands",
        "This is what `dms-relay COMMAND --help` prints. `dms-relay man` prints the manual page.",
        _help(top.format_help().partition("\nexit codes:")[0]),
        *(f"## {command.name}\n\n{_help(command.parser.format_help())}" for command in commands_of(top)),
        "## Exit codes",
        _table(("code", "it means"), {str(code): text for code, text in EXIT_CODES.items()}),
    ]
    return "\n\n".join(parts)


def _help(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


def _settings() -> str:
    known = environment()
    relays = {name: text for name, text in known.items() if name not in OTHERS}
    parts = [
        "# Settings",
        "A variable that is set but empty counts as not set. The image has more: see [image.md](image.md#variables).",
        "## Relays",
        "You can also write these into `relay.env` in the configuration directory. The environment wins.",
        _table(("variable", "value"), _quoted(relays)),
        "## The program",
        "These work only in the environment, not in `relay.env`.",
        _table(("variable", "value"), _quoted(OTHERS)),
        "## Files",
        _table(("file", "what it holds"), _quoted(files())),
    ]
    return "\n\n".join(parts)


def _quoted(entries: Mapping[str, str]) -> dict[str, str]:
    return {", ".join(f"`{name}`" for name in names.split(", ")): text for names, text in entries.items()}


def _keys() -> str:
    parts = [
        "# Keys of relay.yaml",
        "Every key of the schema (`dms-relay schema`). [relay-yaml.md](relay-yaml.md) explains them, with examples.",
        _table(("key", "type", "it means"), dict(_walk(json_schema(RELAY_FILE, RELAY_YAML), ""))),
    ]
    return "\n\n".join(parts)


def _walk(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each key below a node of the schema; ``NAME`` is a name that the operator chooses."""
    for key, below in node.get("properties", {}).items():
        yield f"`{path}{key}`", (_type(below), below.get("description", ""))
        yield from _walk(below, f"{path}{key}.")
    if isinstance(named := node.get("additionalProperties"), dict):
        yield f"`{path}NAME`", (_type(named), _description(named))
        yield from _walk(named, f"{path}NAME.")
    for one in node.get("oneOf", ()):
        # A sender's login has the keys of a relay's.
        yield from _walk(
            {**one, "properties": {name: _leaf(key) for name, key in one.get("properties", {}).items()}}, path
        )


def _leaf(node: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name in {"type", "enum", "description", "oneOf"}}


def _type(node: Mapping[str, Any]) -> str:
    if names := node.get("enum"):
        # Some may also be written in capital letters.
        return ", ".join(f"`{name}`" for name in names if name.lower() == name or name.lower() not in names)
    if options := node.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, options)))
    name = str(node.get("type", ""))
    return _TYPES.get(name, name)


def _description(node: Mapping[str, Any]) -> str:
    return str(node.get("description") or " ".join(one.get("description", "") for one in node.get("oneOf", ())))


def _table(head: tuple[str, ...], rows: Mapping[str, str | tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head)]
    lines += [(first, *((rest,) if isinstance(rest, str) else rest)) for first, rest in rows.items()]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
