"""Tables whose files have no end: nothing waits for them, and nothing reads them until there is no memory left."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from dms_relay.errors import PostfixError
from dms_relay.files.content import TABLE_MAX
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.table_files import trouble
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from pathlib import Path

#: Types of tables, each with the ending of the file that Postfix opens.
KINDS = {
    "hash": ".db",
    "btree": ".db",
    "lmdb": ".lmdb",
    "cdb": ".cdb",
    "proxy:hash": ".db",
    "texthash": "",
    "regexp": "",
    "pcre": "",
    "cidr": "",
    "ldap": "",
}


def put_endless(path: Path, what: str) -> None:
    """Put a pipe, a socket or a device there."""
    if what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.open(path.parent, os.O_RDONLY)
            listener.bind(f"/proc/self/fd/{here}/{path.name}")  # the path may be longer than a socket's name can be
            os.close(here)
    else:
        path.symlink_to(what)


@pytest.fixture
def postfix(tmp_path: Path) -> Postfix:
    """Return a Postfix with an empty configuration."""
    require_postfix()
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    os.utime(tmp_path / "main.cf", (1, 1))
    return Postfix(tmp_path)


@pytest.mark.parametrize("what", ["pipe", "socket", "/dev/zero", "/dev/full", "/dev/tty"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_file(postfix: Postfix, tmp_path: Path, kind: str, what: str) -> None:
    """What is no file is said to be none, by whatever it is asked for."""
    put_endless(path := tmp_path / f"table{KINDS[kind]}", what)
    table = f"{kind}:{tmp_path}/table"
    assert trouble(table) == f"{path} is not a file"
    assert trouble(f"unionmap:{{static:x, {table}}}") == f"{path} is not a file"
    for ask in (lambda: postfix.lookup(table, ["a.test"]), lambda: postfix.entries(table)):
        with pytest.raises(PostfixError, match="is not a file -- make the table again, or take it out of main"):
            ask()


@pytest.mark.parametrize("kind", ["texthash", "regexp", "cdb"])
def test_a_hole(postfix: Postfix, tmp_path: Path, kind: str) -> None:
    """A file of a size that nobody would write, of which nothing is on the disk, is not read."""
    path = tmp_path / f"table{KINDS[kind]}"
    path.touch()
    os.truncate(path, 64 * TABLE_MAX)
    with pytest.raises(PostfixError, match="larger than 512 MiB"):
        postfix.entries(f"{kind}:{tmp_path}/table")


@pytest.mark.parametrize("what", ["file", "directory", "nothing"])
def test_what_postfix_says_itself(tmp_path: Path, what: str) -> None:
    """A file is a file; of a directory, and of nothing, Postfix says enough. Tables without files have none."""
    if what != "nothing":
        (tmp_path / "table").touch() if what == "file" else (tmp_path / "table").mkdir()
    assert trouble(f"texthash:{tmp_path}/table") == ""
    assert [trouble(table) for table in ("static:/dev/zero", "inline:{a=b}", "pcre:{{/x/ y}}", "x", "hash:\0")] == [
        ""
    ] * 5
