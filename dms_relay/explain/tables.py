"""Looks up addresses in lists of lookup tables, as Postfix's programs do (maps(3), mail_addr_find(3), transport(5)).

Asks postmap(1), one process for a table. ``static:`` and ``inline:`` tables, and those that are to come with the next
``apply``, are looked up here: a login may stand in them, and a program's arguments can be read by every process.
Raises ``LookupFailedError`` where Postfix would find no answer and defer the message, and ``PostfixError`` where
we may not look.

Known limits: ``pipemap:`` and ``unionmap:`` count as tables of whole keys, and are not looked into where a login could stand
in their name.
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

#: Types that are asked for a whole address only, never for a part of one (regexp_table(5), tcp_table(5), cidr_table(5)).
_WHOLE = frozenset({"regexp", "pcre", "cidr", "tcp"})
#: Answers of one table that are kept where many keys are asked for.
_KNOWN_MAX = 100_000
#: Users that have no extension (split_addr.c, with the default of ``double_bounce_sender``).
_RESERVED = frozenset({"postmaster", "mailer-daemon", "double-bounce"})


class LookupFailedError(Exception):
    """A table gives no answer, so Postfix defers the message."""


@dataclass(frozen=True, slots=True)
class Key:
    """A lookup key; ``is_partial`` is True if it is a part of an address."""

    text: str
    is_partial: bool = True


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that was found. ``value`` can hold a login: do not show it where the table holds logins."""

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
        """Show no value."""
        return f"Match({self.parameter}, {self.shown_table}, {self.key})"


class Tables:
    """Lookup tables of one machine. ``texts`` are those, by path, that stand here in place of what is on the disk.

    ``failed`` says why a table gives no answer. All that look at the same machine share it: each would wait for a server
    that is away.
    """

    def __init__(
        self, postfix: Postfix, texts: Mapping[str, str] | None = None, failed: dict[str, str] | None = None
    ) -> None:
        """Take who asks Postfix, the tables that are to come, and what is known to give no answer."""
        self._postfix = postfix
        self._texts = texts or {}
        self._read: dict[str, dict[str, str]] = {}
        self._inline: dict[str, dict[str, str]] = {}
        self.failed: dict[str, str] = {} if failed is None else failed
        #: Keys that will be asked for, and for each table the keys that were, with the value or ``None``.
        self._expected: tuple[Key, ...] = ()
        self._is_of_all = False
        self._known: dict[str, dict[str, str | None]] = {}

    def expect(self, addresses: Iterable[str]) -> None:
        """Have files asked for some addresses at once, and for their domains: a process for each would take its time."""
        keys: dict[str, None] = {}
        for address in addresses:
            domain = address.rpartition("@")[2]
            keys |= dict.fromkeys((address, f"@{domain}", domain))
        self._expected = tuple(Key(key) for key in keys if key)

    def expect_keys(self, keys: Iterable[Key]) -> None:
        """Have tables of every type asked for some keys at once; what they said of earlier ones may be forgotten."""
        self._expected, self._is_of_all = tuple(dict.fromkeys(keys)), True
        for known in self._known.values():
            if len(known) > _KNOWN_MAX:
                known.clear()

    def find(self, parameter: str, tables: str, keys: Iterable[Key]) -> Match | None:
        """Return the entry of the first key that is found: each key in all tables, before the next key (maps.c)."""
        wanted = list(keys)
        answers = [(table, self._ask(parameter, table, wanted)) for table in main_cf.split(tables)]
        for key in wanted:
            for table, answer in answers:
                if isinstance(answer, str):
                    raise LookupFailedError(answer)
                if (value := answer.get(key.text.casefold())) is not None:
                    return Match(parameter, table, key.text, value)
        return None

    def _ask(self, parameter: str, table: str, keys: list[Key]) -> dict[str, str] | str:
        """Return the values that are found, or why there is no answer."""
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
            found = self._look_up(table, texts, is_file=kind in TABLE_TYPES)
        except PostfixError as error:
            if error.errno == EACCES:
                # Postfix itself may well be able to read it.
                text = f"{shown} cannot be read: {os.strerror(EACCES)}"
                raise PostfixError(text, "run as root", errno=EACCES) from None
            if error.errno == ENOENT:
                raise  # postmap(1) is missing, which says nothing about the table
            self.failed[table] = f"{shown}: {error.text}"
            return f"{parameter}: {self.failed[table]}"
        return {key.casefold(): value for key, value in found.items()}

    def _look_up(self, table: str, texts: list[str], *, is_file: bool) -> dict[str, str]:
        """Return the values of keys; where one must be asked for, those that are expected are asked for too."""
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
        return self._to_come(name) if kind in TABLE_TYPES and name in self._texts else None

    def _to_come(self, name: str) -> dict[str, str]:
        """Return a table that is to come, whatever its type is to be: an index is of the same text."""
        if name not in self._read:
            entries = dict(line.partition("\t")[::2] for line in self._texts[name].split("\n"))
            folded = "\n".join(entries).casefold().split("\n")  # at once: a table can be large
            self._read[name] = dict(zip(folded, entries.values(), strict=True))
        return self._read[name]


def inline_entries(name: str) -> dict[str, str]:
    """Return the entries of an ``inline:`` table, by key without letter case."""
    pairs = (_unbraced(pair).partition("=") for pair in main_cf.split(_unbraced(name)))
    return {key.strip().casefold(): value.strip() for key, _, value in pairs}


def _is_whole(table: str) -> bool:
    kind, _, rest = table.partition(":")
    return _is_whole(rest) if kind == "proxy" else kind in _WHOLE


def _unbraced(text: str) -> str:
    return text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text


def address_keys(address: str, delimiter: str, *, is_local: bool) -> list[Key]:
    """Return the lookup keys of an address, in order, where no parent domain counts (mail_addr_find(3)).

    ``is_local`` is True for a domain of local users, who are also found without the domain.
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

    ``with_parents`` is True if a domain also matches its subdomains (``parent_domain_matches_subdomains``).
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
