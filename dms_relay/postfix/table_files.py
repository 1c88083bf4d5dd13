"""The files of a lookup table, looked at before a program of Postfix opens them.

It would wait for a pipe, or read a device until there is no memory left. Reads no content.
A file that is not there, a directory and what is no table are left to Postfix, which says so at once.
Known limit: a file may be replaced between the look and the reading.
"""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG

from dms_relay.errors import PostfixError
from dms_relay.files.content import TABLE_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: What is behind the name of an indexed table (DATABASE_README), and the types whose file has the very name.
_ENDINGS = {
    "hash": (".db",),
    "btree": (".db",),
    "lmdb": (".lmdb",),
    "cdb": (".cdb",),
    "dbm": (".dir", ".pag"),
    "sdbm": (".dir", ".pag"),
}
_TEXTS = frozenset({"texthash", "regexp", "pcre", "cidr"})
_OF_SERVERS = frozenset({"ldap", "mysql", "pgsql", "sqlite", "memcache"})
#: Types that are made of others: ``unionmap:{hash:/a, hash:/b}``.
_OF_OTHERS = frozenset({"unionmap", "pipemap"})


def trouble(table: str) -> str:
    """Return what is wrong with a file of a table, ``type:name``; empty where nothing keeps Postfix from opening it."""
    return next(filter(None, (_trouble(path, is_text=is_text) for path, is_text in _paths(table))), "")


def require_files(table: str) -> None:
    """Raise ``PostfixError`` where there is trouble."""
    if said := trouble(table):
        raise PostfixError(said, "make the table again, or take it out of main.cf")


def _paths(table: str) -> Iterator[tuple[str, bool]]:
    """Yield each file, and whether Postfix reads the whole of it."""
    kind, _, name = table.removeprefix("proxy:").partition(":")
    if kind in _OF_OTHERS:
        from dms_relay.postfix.main_cf import split  # noqa: PLC0415 -- seldom

        for part in split(name.strip().removeprefix("{").removesuffix("}")):
            yield from _paths(part)
    elif name.startswith("/"):
        yield from ((name + ending, False) for ending in _ENDINGS.get(kind, ()))
        if kind in _TEXTS or kind in _OF_SERVERS:
            yield name, True


def _trouble(path: str, *, is_text: bool) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116 -- a name of main.cf, on the way of every lookup
    except (OSError, ValueError):
        return ""
    if not (S_ISREG(status.st_mode) or S_ISDIR(status.st_mode)):
        return f"{path} is not a file"
    if is_text and status.st_size > TABLE_MAX:
        return f"{path} is larger than {TABLE_MAX >> 20} MiB"
    return ""
