"""The entries of the lookup tables in a configuration, each with its file and line.

postmap(1) lists an indexed table: the index counts, whatever its text says by now. The text supplies the line numbers,
and replaces an index that is missing or of a type that this Postfix does not have. ``regexp:`` and ``pcre:`` have
patterns instead of entries: those that match exactly one address or one domain are listed. Reads files, and runs
postmap; what cannot be listed becomes a ``Left``.

Known limits: does not list a table that asks a server (``ldap:``, ``mysql:`` …), nor one inside ``unionmap:`` or
``pipemap:``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.errors import PostfixError
from dms_relay.explain.tables import inline_entries
from dms_relay.files.content import read_whole
from dms_relay.migrate.draft import Left
from dms_relay.model.values import field, frozen
from dms_relay.postfix.main_cf import asks_server, logical_lines, may_hold_login
from dms_relay.postfix.table_files import trouble

if TYPE_CHECKING:
    from dms_relay.postfix.programs import Postfix

#: Types whose entries are in an index file, with its source text beside it.
_INDEXED = frozenset({"hash", "btree", "lmdb", "cdb", "dbm", "sdbm"})
_TEXT = "texthash"
_PATTERNS = frozenset({"regexp", "pcre"})
#: A type with the same value for every key: it names nobody.
_NAMELESS = frozenset({"static", "fail"})
#: ``/^user@example\.com$/``, or with anything as the user: a pattern that matches one address, or one domain.
_PATTERN = re.compile(r"/(\^?)(\(?\.[*+]\)?|[\w+-][\w+.\\-]*)?@((?:[\w-]+\\\.)+[\w-]+)\$/[a-z]*\s+(\S.*)")
#: Surrogates, which replace octets that are not UTF-8 (PEP 383).
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_ANY_USER = re.compile(r"\(?\.[*+]\)?")
_MAKE_IT = "create the table, or remove it from {}"
_NAME_THEM = "name each sender under senders, and each recipient under recipients, in relay.yaml"


@frozen
class Entry:
    """A key with its value, which may be a login, and their place."""

    key: str
    value: str = field(repr=False)
    origin: str


@frozen
class Listed:
    """The entries of one table. ``left`` says what could not be listed.

    ``text`` has the entries again, one per line, if the table itself gives Postfix no answer.
    """

    table: str = field(repr=False)
    entries: tuple[Entry, ...] = ()
    left: tuple[Left, ...] = ()
    is_broken: bool = False
    #: A pipe, a socket, a device or an endless file: Postfix's programs would wait for it, or read forever.
    is_endless: bool = False


class TableReader:
    """Lists tables of one Postfix."""

    def __init__(self, postfix: Postfix) -> None:
        """Set the Postfix to ask."""
        self._postfix = postfix
        self._known: dict[str, Listed] = {}

    def listed(self, parameter: str, table: str) -> Listed:
        """Return the entries of a table, ``type:name``."""
        if table not in self._known:
            kind, _, name = table.removeprefix("proxy:").partition(":")
            self._known[table] = self._list(parameter, table, kind, name)
        return self._known[table]

    def _list(self, parameter: str, table: str, kind: str, name: str) -> Listed:
        if kind == "inline":
            pairs = inline_entries(name).items()
            return Listed(table, tuple(Entry(key, value, f"main.cf: {parameter}") for key, value in pairs))
        if kind in _NAMELESS:
            return Listed(table)
        if said := trouble(table):
            said = said.replace(name, table, 1) if said.startswith(f"{name} ") else said
            left = Left(f"main.cf: {parameter}", said, _MAKE_IT.format(parameter))
            return Listed(table, left=(left,), is_broken=True, is_endless=True)
        if kind in _PATTERNS and not name.startswith("{"):
            return self._patterns(parameter, table, name)
        if kind in _INDEXED or kind == _TEXT:
            return self._file(parameter, table, kind, name)
        shown = f"{kind}:…" if may_hold_login(parameter, table) else table
        what = "asks a server, so its entries cannot be listed" if asks_server(table) else "cannot be listed"
        return Listed(table, left=(Left(f"main.cf: {parameter}", f"{shown} {what}", _NAME_THEM),))

    def _file(self, parameter: str, table: str, kind: str, name: str) -> Listed:
        lines = _lines(name)
        try:
            found = self._postfix.entries(f"{kind}:{name}")
        except PostfixError as error:
            return self._of_text(parameter, table, lines, error)
        places = {(entry.key.casefold(), entry.value): entry.origin for entry in lines or ()}
        order = {place: number for number, place in enumerate(places.values())}
        entries = sorted(
            (Entry(key, value, places.get((key.casefold(), value), table)) for key, value in found),
            key=lambda entry: order.get(entry.origin, len(order)),
        )
        left = _not_utf8(entries, lines or [])
        if lines is not None and kind != _TEXT and any(entry.origin == table for entry in entries):
            text = "the index has other entries than its text, and Postfix uses the index, which was imported"
            left += (Left(table, text, f"if the text is right, run postmap {table}, and import again", is_note=True),)
        return Listed(table, tuple(filter(_is_utf8, entries)), left)

    def _of_text(self, parameter: str, table: str, lines: list[Entry] | None, error: PostfixError) -> Listed:
        if lines is None:
            left = Left(f"main.cf: {parameter}", error.text, _MAKE_IT.format(parameter))
            return Listed(table, left=(left,), is_broken=True)
        text = "Postfix cannot use this table here, so the text beside it was imported"
        left = Left(table, text, f"make sure that {table.partition(':')[2]} is correct", is_note=True)
        return Listed(table, tuple(filter(_is_utf8, lines)), (left, *_not_utf8([], lines)), is_broken=True)

    def _patterns(self, parameter: str, table: str, name: str) -> Listed:
        try:
            text = read_whole(Path(name)).decode("utf-8", "replace")
        except OSError as error:
            left = Left(f"main.cf: {parameter}", f"{table} cannot be read: {error.strerror}", "make the file readable")
            return Listed(table, left=(left,), is_broken=True)
        entries, left_over = [], []
        for line in logical_lines(text):
            place = f"{name}:{line.first + 1}"
            if match := _PATTERN.fullmatch(line.text.strip()):
                entries.append(Entry(_key(match), match[4], place))
            else:
                left_over.append(Left(place, "a pattern that matches more than one address or domain", _NAME_THEM))
        return Listed(table, tuple(filter(lambda entry: entry.key, entries)), tuple(left_over))


def _key(match: re.Match[str]) -> str:
    """Return the key that a pattern matches: ``@domain`` without a user."""
    user = match[2] or ""
    bare = "" if not user or _ANY_USER.fullmatch(user) else user.replace("\\", "")
    return f"{bare}@{match[3]}".replace("\\.", ".")


def _is_utf8(entry: Entry) -> bool:
    """Return True if an entry's octets are UTF-8; others are surrogates in it."""
    return not _NO_UTF8.search(f"{entry.key}{entry.value}")


def _not_utf8(entries: list[Entry], lines: list[Entry]) -> tuple[Left, ...]:
    """Return what is omitted for its encoding: lines ignored by Postfix, and entries in use (smtputf8_enable = no)."""
    used = dict.fromkeys(entry for entry in entries if not _is_utf8(entry))
    ignored = [line for line in lines if not _is_utf8(line) and line not in used]
    remedy = "save the file in UTF-8, and import again"
    return (
        *(Left(entry.origin, "the line is not in UTF-8, and relay.yaml is", remedy) for entry in used),
        *(
            Left(line.origin, "the line is not in UTF-8, so Postfix ignores it", remedy, is_note=True)
            for line in ignored
        ),
    )


def _lines(name: str) -> list[Entry] | None:
    """Return the entries of a text, each with its line; ``None`` if there is no such file."""
    try:
        text = read_whole(Path(name)).decode("utf-8", "surrogateescape")
    except OSError:
        return None
    found = ([*line.text.strip().split(None, 1), str(line.first + 1)] for line in logical_lines(text))
    return [Entry(parts[0], parts[1], f"{name}:{parts[2]}") for parts in found if len(parts) > 2]  # noqa: PLR2004
