"""Writes new access tokens into the password tables in force, without a reload.

Before each delivery, a running smtp(8) checks if the index of an open table was replaced, and reopens it (``cdb:`` and
``lmdb:``; seen with Postfix 3.7.11). The index of each table is written first, and the text is dated before it: Postfix
warns of a text that is newer than its index.

Writes tables, their indexes and the state file, under the lock of Postfix's directory. It writes what ``apply`` would render
from the same tokens, so nothing is left to do afterwards. If it is killed, each file is either old or new; the state file
holds a stamp of each index, so the next ``apply`` completes the work. Raises ``BusyError``, ``WriteError`` and
``PostfixError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.model.values import replace
from dms_relay.plan import TABLE_MODE
from dms_relay.plan.found import find, stamp
from dms_relay.plan.state import remember
from dms_relay.postfix.index_files import build
from dms_relay.postfix.table_types import split_index
from dms_relay.tokens import in_force

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dms_relay.log import Log
    from dms_relay.model import Paths
    from dms_relay.plan import Plan
    from dms_relay.plan.found import Found

#: Seconds to wait for another run to finish; ``apply`` waits as long.
LOCK_TIMEOUT = 30.0
#: Seconds by which a text is dated before its index, beyond the setback that every table gets.
_TEXT_BACK = 60
#: The new password of each login, by the fields before it in the table: key and user name.
_Logins = dict[tuple[str, str], str]


def write_tokens(paths: Paths, tokens: Mapping[str, str], *, lock_timeout: float = LOCK_TIMEOUT) -> bool:
    """Write tokens, by the identifiers of their logins, into the tables in force; return True if a table has changed."""
    with files.lock(paths.postfix_dir, lock_timeout):
        found = find(paths)
        changed = dict(_changed(found, _wanted(paths, tokens)))
        for name, content in changed.items():
            write_table(paths, name, _indexes(found, name), content, found.owner)
        if changed:
            _remember(paths, found, changed)
    return bool(changed)


def write_renewal(paths: Paths, plan: Plan, log: Log) -> set[str]:
    """Write the tables of a plan that changes only tokens; return the names of the indexes that were built."""
    built: set[str] = set()
    for name in dict.fromkeys(split_index(change.name)[0] for change in plan.tables):
        kinds = [kind for table in plan.wanted_tables for text, kind in [split_index(table)] if text == name and kind]
        write_table(paths, name, kinds, plan.wanted_tables[name].content, plan.found.owner)
        built.update(f"{name}.{kind}" for kind in kinds)
        log.info("access tokens written", table=str(paths.table(name)))
    return built


def write_table(paths: Paths, name: str, indexes: list[str], content: bytes, owner: tuple[int, int]) -> None:
    """Replace a password table and its indexes; ``indexes`` are their types, ``owner`` is user and group ID."""
    for kind in indexes:
        build(paths.postfix_dir, kind, content, _index(paths, name, kind), (TABLE_MODE, *owner))
    files.replace(paths.table(name), content, TABLE_MODE, owner, age=files.MTIME_BACK + _TEXT_BACK)


def _index(paths: Paths, name: str, kind: str) -> Path:
    return paths.table(f"{name}.{kind}")


def _wanted(paths: Paths, tokens: Mapping[str, str]) -> dict[str, _Logins]:
    """Return the new token of each login, by table, lookup key and user name."""
    wanted: dict[str, _Logins] = {}
    for login in in_force.load(paths.state_dir):
        if login.id in tokens:
            for table, key in login.tables:
                wanted.setdefault(table, {})[key.casefold(), login.username] = tokens[login.id]
    return wanted


def _changed(found: Found, wanted: Mapping[str, _Logins]) -> Iterator[tuple[str, bytes]]:
    """Yield the tables that change, with their new content; only tables that are known to hold tokens."""
    for name in sorted(wanted.keys() & found.state.token_tables & found.tables.keys()):
        old = found.tables[name].content
        new = b"".join(_line(line, wanted[name]) for line in old.splitlines(keepends=True))
        if new != old:
            yield name, new


def _line(line: bytes, logins: _Logins) -> bytes:
    """Return a line with the new token, if its lookup key and user name are those of a login that gets one."""
    key, tab, value = line.decode("utf-8", "surrogateescape").rstrip("\n").partition("\t")
    username, colon, _ = value.partition(":")
    token = logins.get((key.casefold(), username))
    return line if token is None else f"{key}{tab}{username}{colon}{token}\n".encode("utf-8", "surrogateescape")


def _indexes(found: Found, name: str) -> list[str]:
    return [kind for table in found.state.tables for text, kind in [split_index(table)] if kind and text == name]


def _remember(paths: Paths, found: Found, changed: Mapping[str, bytes]) -> None:
    """Record the stamps of the new indexes, by which the next run knows what they were built from."""
    built = [f"{name}.{kind}" for name in changed for kind in _indexes(found, name)]
    state = replace(found.state, indexes=found.state.indexes | {name: stamp(paths, name) for name in built})
    remember(paths.state, found.state, state, found.owner)
