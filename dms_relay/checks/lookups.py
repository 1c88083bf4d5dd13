"""Entries of the operator's own lookup tables for mail that a managed route is for, with ``RELAY_ROUTING=maps``.

Runs ``postmap``, once for each table. Known limits: tables of patterns, and those that ask a server, are not searched.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from dms_relay.assignments import sender_keys
from dms_relay.errors import PostfixError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.model.configuration import RelayConfig
    from dms_relay.postfix.programs import Postfix

#: Table types with literal keys (DATABASE_README, "Types of lookup tables").
_TYPES = ("texthash:", "hash:", "btree:", "cdb:", "lmdb:", "inline:")
#: One table of a list: a name in braces may contain spaces and commas.
_TABLE = re.compile(r"[a-z]+:(?:\{[^}]*\}|[^\s,{}]+)")
#: The parameters that come before a relay by sender (trivial-rewrite(8)), and the key of all recipients (transport(5)).
RECIPIENTS, SENDERS = WAYS = ("transport_maps", "sender_dependent_default_transport_maps")
EVERYBODY = "*"


def other_ways(postfix: Postfix, config: RelayConfig, tables: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the entries of each of ``WAYS`` that name their own nexthop; ``tables`` are its values in main.cf."""
    routes = config.routes if tables.get(SENDERS) else ()
    keys = {RECIPIENTS: [EVERYBODY], SENDERS: [key for route in routes for key in sender_keys(route.key)]}
    return {
        name: {
            key: value for key, value in _entries(postfix, tables.get(name, ""), keys[name]) if value.partition(":")[2]
        }
        for name in WAYS
    }


def _entries(postfix: Postfix, value: str, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the entries of all tables, those of the first table last, so that they win."""
    wanted = list(dict.fromkeys(keys))
    for table in reversed(_TABLE.findall(value)):
        if wanted and table.startswith(_TYPES):
            # A table that cannot be read defers all mail; Postfix's own log says so.
            with suppress(PostfixError):
                yield from postfix.lookup(table, wanted).items()
