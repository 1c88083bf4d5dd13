"""The syntax of main.cf (postconf(5)): read it, and edit it as ``postconf -e`` and ``postconf -X`` do.

Pure: text in, text out. A logical line is a line with the lines that begin with a blank after it; comments and empty lines
may stand in between. Where a name stands twice, the last one counts.

Known limits: ``$name`` is not expanded; values are given as they stand, each run of line end and blanks as Postfix joins
it (the line end goes, the blanks stay).
"""

from __future__ import annotations

import re

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = " \t\r\v\f"
_SETTING = re.compile(rf"([A-Za-z0-9_./-]+)[{_SPACE}]*=(.*)", re.DOTALL)

#: What makes mail for a domain stay here (postconf(5); ADDRESS_CLASS_README).
_LOCAL = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains")
_BETWEEN_WORDS = re.compile(r"[,\s]+")
_NAME = re.compile(r"\$[({]?(myhostname|mydomain)[)}]?")

#: A lookup table in a file, which cannot hold a login in its name (postconf(5), "Lookup tables").
_PLAIN_TABLES = re.compile(r"((texthash|hash|btree|lmdb|cdb|dbm|sdbm|regexp|pcre):/[\w./+@=-]+([, ]+|\Z))*")

#: Types of lookup tables that ask a server (DATABASE_README).
_SERVERS = frozenset({"tcp", "socketmap", "ldap", "mysql", "pgsql", "memcache"})


@frozen
class Logical:
    """One logical line, its lines joined: the lines it takes, counted from 0, end excluded."""

    first: int
    end: int
    text: str


@frozen
class MainCfEntry:
    """One logical line: the lines it takes, counted from 0, end excluded, and the name and value where it is a setting.

    Comments between a line and its continuation are inside ``first`` to ``end``; those after it are not.
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
    """Return each parameter that is set, with the value that counts."""
    return {entry.name: entry.value for entry in parse(text)}


def local_domains(values: dict[str, str]) -> dict[str, str]:
    """Return the domains whose mail stays here, each with the parameter that says so, as far as main.cf names them itself.

    Known limits: lookup tables and files are not looked into, nor is any ``$name`` but ``$myhostname`` and ``$mydomain``.
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
    """Return ``text`` with each parameter set to its value, or taken out where that is ``None``.

    The value goes where the name stands first; other settings of it go; a new name is added at the end.
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
    """Take the lines of a logical line out; comments and empty lines between them stay."""
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
    """Return True if somebody else answers for a lookup table (``type:name``), who may be away."""
    return table.removeprefix("proxy:").partition(":")[0] in _SERVERS


def may_hold_login(name: str, value: str | None) -> bool:
    """Return True if a parameter's value can hold a login, such as ``static:user:password``."""
    return name.endswith("_password_maps") and bool(value) and not _PLAIN_TABLES.fullmatch(value or "")
