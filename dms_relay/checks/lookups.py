"""Entries of the operator's own lookup tables for mail that a managed route is for, with ``RELAY_ROUTING=maps``.

Runs ``postmap``, once for each table, and reads tables of patterns. Known limits: does not search tables that ask a
server, nor ``pipemap:``, ``unionmap:`` and ``randmap:``; tries patterns with only one user of a domain.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.assignments import sender_keys
from dms_relay.errors import PostfixError
from dms_relay.explain.tables import inline_entries
from dms_relay.files.content import read_whole
from dms_relay.mask import mask_parameter
from dms_relay.merge.common import login_keys
from dms_relay.model import RELAYHOST_MAP
from dms_relay.postfix import main_cf, master_cf
from dms_relay.postfix.nexthop import SyntaxProblem, parse_nexthops

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.explain.values import Values
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.postfix.programs import Postfix

#: Table types with literal keys (DATABASE_README, "Types of lookup tables").
_TYPES = frozenset({"texthash", "hash", "btree", "cdb", "lmdb"})
#: Types with patterns, in files whose lines end with the value (regexp_table(5), pcre_table(5)).
_PATTERNS = frozenset({"regexp", "pcre"})
#: The parameters that override a relay by sender (trivial-rewrite(8)), and the key of all recipients (transport(5)).
RECIPIENTS, SENDERS = WAYS = ("transport_maps", "sender_dependent_default_transport_maps")
EVERYBODY = "*"
#: An address that only patterns for all addresses match (RFC 2606).
_ANYBODY = "someone@recipient.invalid"


def other_ways(postfix: Postfix, config: RelayConfig, tables: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the entries of each of ``WAYS`` that name their own nexthop; ``tables`` are its values."""
    routes = config.routes if tables.get(SENDERS) else ()
    senders = dict.fromkeys(key for route in routes for key in sender_keys(route.key))
    keys = {RECIPIENTS: {EVERYBODY: _ANYBODY}, SENDERS: {key: _address(key) for key in senders}}
    return {
        name: {
            key: value for key, value in _entries(postfix, tables.get(name, ""), keys[name]) if value.partition(":")[2]
        }
        for name in WAYS
    }


def _address(key: str) -> str:
    """Return an address that a sender key covers."""
    return f"someone{key}" if key.startswith("@") else key


def _entries(postfix: Postfix, value: str, keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the entries of all tables, those of the first table last, so that they win.

    ``keys`` are lookup keys, each with an address that it covers: Postfix asks tables of patterns only for those.
    """
    for table in reversed(main_cf.split(value) if keys else []):
        kind, _, name = table.removeprefix("proxy:").partition(":")
        if kind == "static":
            yield from dict.fromkeys(keys, name.strip("{} ")).items()
        elif kind == "inline":
            entries = inline_entries(name)
            yield from ((key, entries[key]) for key in keys if key in entries)
        # A table that cannot be read defers all mail; Postfix's own log says so.
        elif kind in _TYPES:
            with suppress(PostfixError):
                yield from postfix.lookup(table, list(keys)).items()
        elif kind in _PATTERNS:
            with suppress(PostfixError):
                found = postfix.lookup(table, list(keys.values()))
                yield from ((key, found[address]) for key, address in keys.items() if address in found)


# Every nexthop that main.cf names itself.

#: Parameters with a transport and its nexthop, and those with only nexthops (postconf(5)).
_TRANSPORTS = ("default_transport", "relay_transport", "content_filter")
_NEXTHOPS = ("relayhost", "smtp_fallback_relay")
#: Lookup tables of nexthops only; ``WAYS`` are those of transports.
_NEXTHOP_MAPS = "sender_dependent_relayhost_maps"
OWN_NEXTHOPS = (*_TRANSPORTS, *_NEXTHOPS, _NEXTHOP_MAPS)


@dataclass(frozen=True, slots=True)
class OwnNexthops:
    """The login keys of the nexthops that main.cf names itself, and the tables that cannot be read, safe to show."""

    keys: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()


def own_nexthops(postfix: Postfix, values: Values, master: str) -> OwnNexthops:
    """Return the nexthops in parameters and tables of main.cf and master.cf, without the table of managed routes."""
    given = {name: _given(name, values, master) for name in (*OWN_NEXTHOPS, *WAYS)}
    found = [value for name in _NEXTHOPS for value in given[name]]
    found += [value.partition(":")[2] for name in _TRANSPORTS for value in given[name]]
    unknown = []
    for parameter in (*WAYS, _NEXTHOP_MAPS):
        for table in dict.fromkeys(table for value in given[parameter] for table in main_cf.split(value)):
            if not table.endswith(f"/{RELAYHOST_MAP}"):
                entries = values_of(postfix, table)
                unknown += [f"{parameter} = {mask_parameter(parameter, table)}"] if entries is None else []
                found += [value if parameter == _NEXTHOP_MAPS else value.partition(":")[2] for value in entries or ()]
    return OwnNexthops(frozenset(key for value in found for key in _keys(value)), tuple(unknown))


def _given(name: str, values: Values, master: str) -> list[str]:
    """Return the values of a parameter, including those of services that override it."""
    found = (values.with_overrides({name: value}) for value in master_cf.overriding(master, name).values())
    return list(dict.fromkeys((values.get(name), *(one.get(name) for one in found))))


def values_of(postfix: Postfix, table: str) -> list[str] | None:
    """Return all values of a lookup table; ``None`` if it cannot be read."""
    kind, _, name = table.removeprefix("proxy:").partition(":")
    if kind == "inline":
        return list(inline_entries(name).values())
    if kind == "static":
        return [name.strip("{} ")]
    try:
        if kind in _PATTERNS:
            lines = [line for line in read_whole(Path(name)).decode("utf-8", "replace").splitlines() if line.strip()]
            values = [line.split(maxsplit=1)[-1] for line in lines if not line.lstrip().startswith("#")]
            return None if any("$" in value for value in values) else values
        return [value for _, value in postfix.entries(f"{kind}:{name}")] if kind in _TYPES else None
    except (PostfixError, OSError):
        return None


def transports_of(postfix: Postfix, tables: str) -> Iterator[tuple[str, str]]:
    """Yield keys and values of ``transport_maps``, of tables with literal keys."""
    for table in main_cf.split(tables):
        kind, _, name = table.removeprefix("proxy:").partition(":")
        if kind == "inline":
            yield from inline_entries(name).items()
        elif kind == "static":
            yield EVERYBODY, name.strip("{} ")
        elif kind in _TYPES:
            with suppress(PostfixError):
                yield from postfix.entries(f"{kind}:{name}")


def domains_of(postfix: Postfix, word: str) -> list[str]:
    """Return the domains of one word of a domain list: the word itself, or those of the file or table that it names."""
    kind, colon, name = word.removeprefix("proxy:").partition(":")
    try:
        if kind == "inline":
            return list(inline_entries(name))
        if colon:
            return postfix.keys(f"{kind}:{name}") if kind in _TYPES else []
        text = read_whole(Path(word)).decode("utf-8", "replace") if word.startswith("/") else word
    except (PostfixError, OSError):
        return []
    return [
        f"host{one}" if one.startswith(".") else one
        for one in text.replace(",", " ").split()
        if not set(one) & set(":/!#")
    ]


def _keys(value: str) -> Iterator[str]:
    with suppress(SyntaxProblem):
        yield from login_keys([parse_nexthops(value)] if value.strip() else [])
