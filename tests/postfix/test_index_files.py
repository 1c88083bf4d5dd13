"""An index answers as the text does that it is made of, and is put in place whole, by a directory that nobody else sees."""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from dms_relay import InputError, Paths, PostfixError, merge, read, render
from dms_relay.postfix.index_files import build, table_types
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.table_types import PACKAGES, WORKSHOP, index_name
from dms_relay.sources.text import KEY_MAX
from tests.support.amounts import amount
from tests.support.table_types import make_old, require_indexes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sandbox import Sandbox

PROPERTY = settings(max_examples=amount(40, 1000), deadline=None, suppress_health_check=list(HealthCheck))
#: Octets that something in between could take for a blank, a quote, a comment, a variable or a colon of an alias file.
odd = st.sampled_from("ab:#$\"'\\{}<>[]@,;=| \x01\x0b\x7f\x85\u00a0\u2028\ufeffüßİ😀")
texts = st.text(odd | st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=12)
locals_ = st.text(st.sampled_from("abÄ+.'#$%&*üßİ:") | st.characters(codec="utf-8"), max_size=8)
domains = st.sampled_from(["a.test", "B.test", "bücher.test", "xn--x.test", "İ.test"])
keys = st.builds("{}@{}".format, locals_, domains) | st.sampled_from(["[r.test]", "R.test", "r.test:25", "[::1]:587"])
RIGHTS = (0o600, os.geteuid(), os.getegid())


@pytest.fixture(autouse=True)
def _types_are_there() -> None:
    require_indexes()


def put(sandbox: Sandbox, text: str) -> list[str]:
    """Write a table and its indexes; return the tables as Postfix names them."""
    path = sandbox.postfix_dir / "table"
    path.write_bytes(text.encode())
    make_old(path)
    for kind in PACKAGES:
        build(sandbox.postfix_dir, kind, text.encode(), path.with_name(index_name("table", kind)), RIGHTS)
    return [f"{kind}:{path}" for kind in ("texthash", *PACKAGES)]


def check_same(sandbox: Sandbox, text: str, asked: list[str]) -> dict[str, str]:
    """Check that every type answers the same, and return the answer."""
    postfix = Postfix(sandbox.postfix_dir)
    expected, *others = [postfix.lookup(table, asked) for table in put(sandbox, text)]
    for answer in others:
        assert answer == expected
    return expected


@contextmanager
def recorded(sandbox: Sandbox, script: str) -> Iterator[Path]:
    """Have a script run before postconf and postmap, with their arguments; yield the file that it writes, as $SEEN."""
    seen, programs, path = sandbox.config_dir / "seen", sandbox.config_dir / "programs", os.environ["PATH"]
    programs.mkdir()
    for name in ("postconf", "postmap"):
        (programs / name).write_text(f'#!/bin/sh\nSEEN={seen} NAME={name}\n{script}\nPATH={path} exec {name} "$@"\n')
        (programs / name).chmod(0o755)
    os.environ["PATH"] = f"{programs}:{path}"
    try:
        yield seen
    finally:
        os.environ["PATH"] = path


@pytest.mark.soak
@PROPERTY
@given(lines=st.lists(st.builds("{}\t{}:{}\n".format, keys, texts, texts), min_size=1, max_size=5), more=st.lists(keys))
def test_every_login_that_is_taken(sandbox: Sandbox, lines: list[str], more: list[str]) -> None:
    """Whatever login the product takes is found by each type, by its key in any letter case, and no other key is."""
    sandbox.write("postfix-sasl-password.cf", "".join(lines))
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    try:
        config = merge(read(paths, {"DEFAULT_RELAY_HOST": "[r.test]"}))
    except InputError:
        config = None
    assume(config is not None)
    assert config is not None
    taken = {entry.key: entry.login.table_value for entry in config.logins or ()}
    event(f"{len(taken)} logins")
    asked = [key for key in dict.fromkeys((*taken, *map(str.upper, taken), *more)) if "\n" not in key]
    found = check_same(sandbox, render(config, paths).tables["sasl_passwd"], asked)
    for key, value in taken.items():
        assert found[key] == value


def test_long_keys_and_values(sandbox: Sandbox) -> None:
    """The longest key that is taken, and a password as long as a secret file may be."""
    key, value = f"{'k' * (KEY_MAX - 7)}@l.test", "u:" + "x" * 65536
    assert check_same(sandbox, f"{key}\t{value}\n@b.test\tu:1\n", [key, "@b.test"])[key] == value


def test_an_empty_table(sandbox: Sandbox) -> None:
    """It can be made of no key at all."""
    assert check_same(sandbox, "", ["@a.test"]) == {}


@pytest.mark.parametrize("kind", PACKAGES)
def test_rights_and_time(sandbox: Sandbox, kind: str) -> None:
    """Only the owner may read it; it is dated back; the directory in which it was made is gone."""
    put(sandbox, "@a.test\tu:s3cret\n")
    status = (sandbox.postfix_dir / index_name("table", kind)).stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == RIGHTS
    assert status.st_mtime < time.time() - 2
    assert sorted(path.name for path in sandbox.postfix_dir.iterdir()) == [
        "main.cf",
        "table",
        *(index_name("table", kind) for kind in PACKAGES),
    ]


def test_nobody_waits_for_a_fresh_main_cf(sandbox: Sandbox) -> None:
    """Postfix's programs are given a main.cf that is old, with ``$config_directory`` as it was meant."""
    lists = sandbox.postfix_dir / "meta"
    lists.mkdir()
    (lists / "dynamicmaps.cf").write_text("cdb\tpostfix-cdb.so\tdict_cdb_open\tmkmap_cdb_open\n")
    sandbox.main_cf.write_text("meta_directory = $config_directory/meta\n")
    # "postmap -c DIRECTORY …": how old its main.cf is, in seconds.
    with recorded(sandbox, 'echo $NAME $(($(date +%s) - $(stat -c %Y "$2/main.cf"))) >>$SEEN') as seen:
        types, _ = table_types(sandbox.postfix_dir, {"meta_directory": "$config_directory/meta", "shlib_directory": ""})
        build(sandbox.postfix_dir, "cdb", b"@a.test\tu:1\n", sandbox.postfix_dir / "table.cdb", RIGHTS)
    assert "cdb" in types
    assert "lmdb" not in types
    ages = [line.split() for line in seen.read_text().splitlines()]
    assert {name for name, _ in ages} == {"postconf", "postmap"}
    assert all(int(age) >= 2 for _, age in ages)


def test_a_text_that_cannot_be_indexed(sandbox: Sandbox) -> None:
    """Where postmap fails, the index that is there stays, and no password is shown."""
    path = sandbox.postfix_dir / "table.lmdb"
    path.write_bytes(b"old")
    with pytest.raises(PostfixError) as raised:
        build(sandbox.postfix_dir, "lmdb", b"k" * 600 + b"\tu:s3cret\n", path, RIGHTS)
    assert "s3cret" not in str(raised.value)
    assert path.read_bytes() == b"old"
    assert not (sandbox.postfix_dir / WORKSHOP).exists()
    for kind in PACKAGES:
        build(sandbox.postfix_dir, kind, b"@a.test\tu:1\n", path.with_name(f"table.{kind}"), RIGHTS)
    assert path.read_bytes() != b"old"


def test_no_password_in_an_argument_list(sandbox: Sandbox) -> None:
    """The table reaches postmap in a file that only its owner may read, in a directory that only he may enter."""
    with recorded(sandbox, 'echo "$@" >>$SEEN; stat -c %a "$2" "$2/table" "$2/main.cf" >>$SEEN') as seen:
        put(sandbox, "@a.test\tu:s3cret\n")
    modes, workshop = ["700", "600", "600"], sandbox.postfix_dir / WORKSHOP
    calls = [f"-c {workshop} {called}:{workshop}/table" for called in ("-w cdb", "-w lmdb", "-s lmdb")]
    assert seen.read_text().splitlines() == [line for call in calls for line in (call, *modes)]


def test_keys_that_are_compared_without_case(sandbox: Sandbox) -> None:
    """Postfix says the same of a key in another letter case, whichever type the table has."""
    found = check_same(sandbox, "@Ä.test\tu:1\n@STRASSE.test\tu:2\n", ["@ä.test", "@strasse.test", "@straße.test"])
    assert found["@ä.test"] == "u:1"
