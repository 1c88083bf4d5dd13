"""Looks up addresses in lists of lookup tables, as Postfix's programs do (maps(3), mail_addr_find(3), transport(5)).

Asks postmap(1), one process for each table. ``static:`` and ``inline:`` tables, and tables that the next ``apply`` will
write, are looked up here: they may contain a login, and every process can read a program's arguments.
Raises ``LookupFailedError`` if Postfix would get no answer and defer the message, and ``PostfixError`` if we may not read a
table.

Known limits: ``pipemap:`` and ``unionmap:`` count as tables of whole keys, and are not searched if their name could contain
a login.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from errno import EACCES, ENOENT
from typing import TYPE_CHECKING

from dms_relay.errors import PostfixError
from dms_relay.mask import mask_tables
from dms_relay.postfix import main_cf
from dms_relay.postfix.table_types import TABLE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dms_relay.postfix.programs import Postfix

#: Types that are asked only for whole addresses, never for parts (regexp_table(5), tcp_table(5), cidr_table(5)).
_WHOLE = frozenset({"regexp", "pcre", "cidr", "tcp"})
#: Types that are files: a process for each key would be slow.
_FILES = frozenset({*TABLE_TYPES, "hash", "btree", "dbm", "sdbm"})
#: Maximum answers of one table to keep when many keys are asked for.
_KNOWN_MAX = 100_000
#: Users without an extension (split_addr.c, with the default of ``double_bounce_sender``).
_RESERVED = frozenset({"postmaster", "mailer-daemon", "double-bounce"})


class LookupFailedError(Exception):
    """A table gives no answer, so Postfix defers the message."""


@dataclass(frozen=True, slots=True)
class Key:
    """A lookup key; ``is_partial``: it is a part of an address."""

    text: str
    is_partial: bool = True


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that was found. ``value`` can be a login: do not show it if the table is a login table."""

    parameter: str
    table: str
    key: str
    value: str

    @property
    def shown_table(self) -> str:
        """The table's name, without a login that it may hold."""
        is_hidden = main_cf.may_hold_login(self.parameter, self.table)
        return mask_tables(self.table) if is_hidden else self.table

    def __repr__(self) -> str:
        """Return key and table, without the value."""
        return f"Match({self.parameter}, {self.shown_table}, {self.key})"


class Tables:
    """Lookup tables of one machine. ``texts`` are, by path, those that replace the tables on disk.

    ``failed`` says why a table gives no answer. All views of the same machine share it: otherwise each would wait for a
    server that is down.
    """

    def __init__(
        self, postfix: Postfix, texts: Mapping[str, str] | None = None, failed: dict[str, str] | None = None
    ) -> None:
        """Store the Postfix to ask, the tables that the next ``apply`` will write, and those that failed so far."""
        self._postfix = postfix
        self.texts = texts or {}
        self._read: dict[str, dict[str, str]] = {}
        self._inline: dict[str, dict[str, str]] = {}
        self._lists: dict[str, list[str]] = {}
        self.failed: dict[str, str] = {} if failed is None else failed
        #: Keys that will be asked for, and for each table the known keys, with the value or ``None``.
        self._expected: tuple[Key, ...] = ()
        self._is_of_all = False
        self._known: dict[str, dict[str, str | None]] = {}

    def expect(self, addresses: Iterable[str]) -> None:
        """Let files be asked for these addresses and their domains at once: a process for each would be slow."""
        keys: dict[str, None] = {}
        for address in addresses:
            domain = address.rpartition("@")[2]
            keys |= dict.fromkeys((address, f"@{domain}", domain))
        self._expected = tuple(Key(key) for key in keys if key)

    def expect_keys(self, keys: Iterable[Key]) -> None:
        """Let tables of every type be asked for these keys at once; earlier answers may be dropped."""
        self._expected, self._is_of_all = tuple(dict.fromkeys(keys)), True
        for known in self._known.values():
            if len(known) > _KNOWN_MAX:
                known.clear()

    def find(self, parameter: str, tables: str, keys: Iterable[Key]) -> Match | None:
        """Return the entry of the first key found: each key is searched in all tables before the next key (maps.c)."""
        wanted = list(keys)
        if tables not in self._lists:
            self._lists[tables] = main_cf.split(tables)
        answers = [(table, self._ask(parameter, table, wanted)) for table in self._lists[tables]]
        for key in wanted:
            for table, answer in answers:
                if isinstance(answer, str):
                    raise LookupFailedError(answer)
                if (value := answer.get(key.text.casefold())) is not None:
                    return Match(parameter, table, key.text, value)
        return None

    def _ask(self, parameter: str, table: str, keys: list[Key]) -> dict[str, str] | str:
        """Return the values found, or why there is no answer."""
        texts = [key.text for key in keys if not (key.is_partial and _is_whole(table))]
        kind, _, name = table.partition(":")
        if (found := self._here(kind, name, texts)) is not None:
            return found
        shown = Match(parameter, table, "", "").shown_table
        if shown != table:
            return f"{parameter}: {shown} is not searched here, because its name may hold a login"
        if failure := self.failed.get(table):
            return f"{parameter}: {failure}"
        try:
            found = self._look_up(table, texts, is_file=kind in _FILES)
        except PostfixError as error:
            if error.errno == EACCES:
                # Postfix itself can perhaps read it.
                text = f"{shown} cannot be read: {os.strerror(EACCES)}"
                raise PostfixError(text, "run as root", errno=EACCES) from None
            if error.errno == ENOENT:
                raise  # postmap(1) is missing, which says nothing about the table
            self.failed[table] = f"{shown}: {error.text}"
            return f"{parameter}: {self.failed[table]}"
        return {key.casefold(): value for key, value in found.items()}

    def _look_up(self, table: str, texts: list[str], *, is_file: bool) -> dict[str, str]:
        """Return the values of keys; if one must be asked for, the expected ones are asked for at the same time."""
        known = self._known.setdefault(table, {})
        if any(text not in known for text in texts):
            is_whole = _is_whole(table)
            expected = self._expected if is_file or self._is_of_all else ()
            others = (key.text for key in expected if not (is_whole and key.is_partial))
            asked = [text for text in dict.fromkeys([*texts, *others]) if text not in known]
            found = self._postfix.lookup(table, asked)
            known |= {key: found.get(key) for key in asked}
        return {text: value for text in texts if (value := known[text]) is not None}

    def _here(self, kind: str, name: str, texts: list[str]) -> dict[str, str] | None:
        if kind == "static":
            return dict.fromkeys((text.casefold() for text in texts), _unbraced(name))
        if kind == "inline":
            if name not in self._inline:
                self._inline[name] = inline_entries(name)
            return self._inline[name]
        return self._to_come(name) if kind in TABLE_TYPES and name in self.texts else None

    def _to_come(self, name: str) -> dict[str, str]:
        """Return the entries of a table that the next ``apply`` will write; its index has the same text."""
        if name not in self._read:
            entries = dict(line.partition("\t")[::2] for line in self.texts[name].split("\n"))
            folded = "\n".join(entries).casefold().split("\n")  # at once: a table can be large
            self._read[name] = dict(zip(folded, entries.values(), strict=True))
        return self._read[name]


def inline_entries(name: str) -> dict[str, str]:
    """Return the entries of an ``inline:`` table, by key in lower case."""
    pairs = (_unbraced(pair).partition("=") for pair in main_cf.split(_unbraced(name)))
    return {key.strip().casefold(): value.strip() for key, _, value in pairs}


def _is_whole(table: str) -> bool:
    kind, _, rest = table.partition(":")
    return _is_whole(rest) if kind == "proxy" else kind in _WHOLE


def _unbraced(text: str) -> str:
    return text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text


def address_keys(address: str, delimiter: str, *, is_local: bool) -> list[Key]:
    """Return the lookup keys of an address, in order, without parent domains (mail_addr_find(3)).

    ``is_local``: the domain has local users, who are also found without the domain.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        return [Key(address, is_partial=False)]
    bare = without_extension(local, delimiter)
    whole = [Key(address, is_partial=False), *([Key(f"{bare}@{domain}")] if bare != local else [])]
    users = [Key(user) for user in dict.fromkeys((local, bare))] if is_local else []
    return [*whole, *users, Key(f"@{domain}")]


def recipient_keys(address: str, delimiter: str, *, with_parents: bool) -> list[Key]:
    """Return the lookup keys of a recipient in ``transport_maps`` (transport(5)), ``*`` last.

    ``with_parents``: a domain also matches its subdomains (``parent_domain_matches_subdomains``).
    """
    local, _, domain = address.rpartition("@")
    bare = without_extension(local, delimiter)
    keys = [Key(address, is_partial=False), *([Key(f"{bare}@{domain}")] if bare != local else []), Key(domain)]
    labels = domain.split(".")
    parents = (".".join(labels[number:]) for number in range(1, len(labels)))
    return [*keys, *(Key(parent if with_parents else f".{parent}") for parent in parents), Key("*", is_partial=False)]


def without_extension(local: str, delimiters: str) -> str:
    """Return the user without the extension (``recipient_delimiter``; split_addr.c, ``owner_request_special = yes``)."""
    folded = local.casefold()
    at = next((place for place, character in enumerate(local) if character in delimiters), 0)
    is_list = "-" in delimiters and (folded.startswith("owner-") or folded.endswith("-request"))
    return local if not at or is_list or folded in _RESERVED else local[:at]
