"""The syntax of main.cf (postconf(5)): reads it, and edits it as ``postconf -e`` and ``postconf -X`` do.

Pure: text in, text out. A logical line is a line with the following lines that begin with a blank; comments and empty lines
may be in between. If a name is set twice, the last setting counts.

Known limits: ``$name`` is not expanded; values are returned as written, with lines joined as Postfix does (the line end
goes, the blanks stay).
"""

from __future__ import annotations

import re

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = " \t\r\v\f"
_SETTING = re.compile(rf"([A-Za-z0-9_./-]+)[{_SPACE}]*=(.*)", re.DOTALL)

#: Parameters whose domains are local, so that their mail stays here (postconf(5); ADDRESS_CLASS_README).
_LOCAL = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains")
_BETWEEN_WORDS = re.compile(r"[,\s]+")
_NAME = re.compile(r"\$[({]?(myhostname|mydomain)[)}]?")

#: Lookup tables in files, whose names cannot hold a login (postconf(5), "Lookup tables").
_PLAIN_TABLES = re.compile(r"((texthash|hash|btree|lmdb|cdb|dbm|sdbm|regexp|pcre):/[\w./+@=-]+([, ]+|\Z))*")

#: Types of lookup tables that ask a server (DATABASE_README).
_SERVERS = frozenset({"tcp", "socketmap", "ldap", "mysql", "pgsql", "memcache"})


@frozen
class Logical:
    """One logical line as joined text, and its line numbers, counted from 0, end excluded."""

    first: int
    end: int
    text: str


@frozen
class MainCfEntry:
    """One logical line: its line numbers, counted from 0, end excluded, and name and value if it is a setting.

    Comments between a line and its continuation are between ``first`` and ``end``; those after it are not.
    """

    first: int
    end: int
    name: str
    value: str


def logical_lines(text: str) -> Iterator[Logical]:
    """Yield the logical lines of main.cf or master.cf in order (postconf(5), "General")."""
    entry: list[str] = []
    first = end = 0
    for number, line in enumerate(text.split("\n")):
        bare = line.strip(_SPACE)
        if not bare or bare.startswith("#"):
            continue
        if line[0] not in _SPACE:
            yield from _logical(first, end, entry)
            first, entry = number, []
        entry.append(line)
        end = number + 1
    yield from _logical(first, end, entry)


def _logical(first: int, end: int, lines: list[str]) -> Iterator[Logical]:
    if lines:
        yield Logical(first, end, "".join(line.rstrip("\r") for line in lines))


def parse(text: str) -> Iterator[MainCfEntry]:
    """Yield the settings of a main.cf in order."""
    for line in logical_lines(text):
        if match := _SETTING.fullmatch(line.text):
            yield MainCfEntry(line.first, line.end, match[1], match[2].strip(_SPACE))


def values(text: str) -> dict[str, str]:
    """Return each parameter that is set, with its effective value."""
    return {entry.name: entry.value for entry in parse(text)}


def local_domains(values: dict[str, str]) -> dict[str, str]:
    """Return the domains that main.cf itself names as local, each with its parameter.

    Known limits: lookup tables and files are not read; of ``$name``, only ``$myhostname`` and ``$mydomain`` are expanded.
    """
    found: dict[str, str] = {}
    for parameter in _LOCAL:
        text = _NAME.sub(lambda name: _expanded(name[1], values), values.get(parameter, ""))
        words = (word for word in _BETWEEN_WORDS.split(text) if word and not set(word).intersection(":/$"))
        found |= {word.casefold(): parameter for word in words if word.casefold() not in found}
    return found


def _expanded(name: str, values: dict[str, str]) -> str:
    hostname = values.get("myhostname", "")
    return values.get("mydomain", hostname.partition(".")[2]) if name == "mydomain" else hostname


def edit(text: str, changes: dict[str, str | None]) -> str:
    """Return ``text`` with each parameter set to its value, or removed if that is ``None``.

    The value replaces the first setting of the name; other settings of it are removed; a new name is added at the end.
    """
    lines: list[str | None] = list(text.removesuffix("\n").split("\n")) if text else []
    left = dict(changes)
    for entry in parse(text):
        if entry.name in changes:
            value = left.pop(entry.name, None)
            clear(lines, entry.first, entry.end)
            lines[entry.first] = None if value is None else f"{entry.name} = {value}"
    lines += [f"{name} = {value}" for name, value in left.items() if value is not None]
    return "".join(f"{line}\n" for line in lines if line is not None)


def clear(lines: list[str | None], first: int, end: int) -> None:
    """Remove the lines of a logical line; comments and empty lines between them stay."""
    for number in range(first, end):
        line = lines[number]
        if line is not None and line.strip(_SPACE) and not line.lstrip(_SPACE).startswith("#"):
            lines[number] = None


def split(text: str) -> list[str]:
    """Split at commas and blanks outside of braces (mystrtok.c, ``CHARS_COMMA_SP``)."""
    words, depth = [""], 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth > 0 or character not in ", \t\r\n":
            words[-1] += character
        elif words[-1]:
            words.append("")
    return [word for word in words if word]


def is_yes(value: str) -> bool:
    """Return True if a boolean parameter is on, in any letter case (mail_conf_bool.c)."""
    return value.lower() == "yes"


def asks_server(table: str) -> bool:
    """Return True if a lookup table (``type:name``) asks a server, which may be down."""
    return table.removeprefix("proxy:").partition(":")[0] in _SERVERS


def may_hold_login(name: str, value: str | None) -> bool:
    """Return True if a parameter's value can hold a login, such as ``static:user:password``."""
    return name.endswith("_password_maps") and bool(value) and not _PLAIN_TABLES.fullmatch(value or "")
