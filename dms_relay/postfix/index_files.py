"""Builds the indexes of lookup tables with postmap(1), and asks Postfix which types it has.

An index is built in a private directory beside main.cf, from a text that only we may read, and renamed into place once it
is on disk. postmap itself builds ``cdb:`` under another name, but does not sync it, and ``lmdb:`` in place (seen): if it is
killed halfway, it could leave a table with half the logins, or one that cannot be opened.

Meanwhile that directory is Postfix's configuration directory, with a copy of main.cf that is dated back: Postfix's programs
wait up to 2 s for a main.cf that was just written, as it often is when a container boots. Raises ``PostfixError`` if a
program is missing or fails, ``WriteError`` if the directory is not writable.

Known limits: a key in ``lmdb:`` has at most 511 octets (lmdb.h, MDB_MAXKEYSIZE); keys in our inputs have 320 (``KEY_MAX``).
"""

from __future__ import annotations

import os
import re
from errno import ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.errors import WriteError
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.table_types import PACKAGES, WORKSHOP, TypesAnswer, index_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECTORY_MODE = 0o700
#: Parameters of main.cf by which Postfix finds table types in separate packages (postconf(5)).
_DIRECTORIES = ("meta_directory", "shlib_directory")
#: Types for which postmap(1) exits with 0 if the disk is full, and leaves an index without keys (seen with 3.7.11).
_SILENT = frozenset({"lmdb"})
#: The name of a text while its index is built.
_SOURCE = "table"
_CONFIG_DIRECTORY = re.compile(r"\$(?:config_directory\b|[({]config_directory[)}])")


def build(directory: Path, table_type: str, text: bytes, path: Path, rights: tuple[int, int, int]) -> None:
    """Build the index of ``text`` and replace ``path`` with it; ``rights`` are its mode, owner and group."""
    workshop = directory / WORKSHOP
    files.remove_directory(workshop)
    files.make_directory(workshop, _DIRECTORY_MODE)
    try:
        _write_main_cf(workshop, Postfix(directory).read_main_cf(), directory)
        source = workshop / _SOURCE
        files.write_private(source, text)
        Postfix(workshop).build(f"{table_type}:{source}")
        if table_type in _SILENT:
            _check(Postfix(workshop).count(f"{table_type}:{source}"), text.count(b"\n"), path)
        mode, uid, gid = rights
        _put_in_place(workshop / index_name(_SOURCE, table_type), path, mode, (uid, gid))
    finally:
        files.remove_directory(workshop)


def _check(written: int, wanted: int, path: Path) -> None:
    if written != wanted:
        text = (
            f"{path} cannot be written, and is unchanged: postmap has put {written} of {wanted} keys into the new one"
        )
        raise WriteError(text, "free space or repair the file system, then run again", errno=ENOSPC)


def _put_in_place(made: Path, path: Path, mode: int, owner: tuple[int, int]) -> None:
    """Replace ``path`` with a file that a program has made, as ``files.replace`` does."""
    try:
        descriptor = os.open(made, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            files.give(descriptor, owner)
            os.fchmod(descriptor, mode)
            files.set_back(descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        made.rename(path)
    except OSError as error:
        raise files.cannot_write(path, error) from error
    files.sync_parent(path)


def ask_types(postfix: Postfix, parameters: Mapping[str, str], known: TypesAnswer | None) -> TypesAnswer:
    """Return the indexed types that Postfix has; ask it unless the known answer is from the same installation."""
    directories = {name: parameters.get(name, "") for name in _DIRECTORIES}
    if known and known.files == {name: _look(name, directories) for name in known.files}:
        return known
    names, paths = table_types(postfix.directory, directories)
    files = {name: _look(name, directories) for name in (*_DIRECTORIES, *map(str, paths))}
    return TypesAnswer(tuple(name for name in PACKAGES if name in names), files)


def _look(name: str, directories: Mapping[str, str]) -> str:
    return directories[name] if name in _DIRECTORIES else files.stamp(Path(name))


def table_types(directory: Path, directories: Mapping[str, str]) -> tuple[list[str], list[Path]]:
    """Return the types of lookup tables that Postfix has, and the files on which that depends.

    ``directories`` are ``meta_directory`` and ``shlib_directory`` as main.cf sets them; empty means not set.
    """
    from shutil import which  # noqa: PLC0415 -- only where a table is big

    from dms_relay.files.private import private_directory  # noqa: PLC0415 -- the same

    with private_directory() as workshop:
        set_ones = {parameter: value for parameter, value in directories.items() if value}
        _write_main_cf(workshop, "".join(f"{n} = {value}\n" for n, value in set_ones.items()), directory)
        postfix = Postfix(workshop)
        types, places = postfix.table_types(), postfix.expanded(*directories)
    lists = Path(places["meta_directory"])
    return types, [
        Path(which("postconf") or ""),
        lists / "dynamicmaps.cf",
        lists / "dynamicmaps.cf.d",
        Path(places["shlib_directory"]),
    ]


def _write_main_cf(workshop: Path, text: str, directory: Path) -> None:
    """Write a main.cf whose ``$config_directory`` is another directory."""
    content = _CONFIG_DIRECTORY.sub(lambda _: str(directory), text)
    files.write_private(workshop / "main.cf", content.encode("utf-8", "surrogateescape"))
