"""Tables that are indexed: when, by which type, and that nothing of it is left when it is no longer so."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from shutil import which
from typing import TYPE_CHECKING

import pytest

from dms_relay.postfix.table_types import INDEXED_FROM, PACKAGES
from tests.support.machine import machine_of, prepare
from tests.support.rested import write_rested
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.states import State, apply, first_boot
from tests.support.table_types import offer, require_indexes

if TYPE_CHECKING:
    from pathlib import Path

CDB, LMDB = PACKAGES
ON = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
LOGINS, RELAYMAP = "postfix-sasl-password.cf", "postfix-relaymap.cf"


@pytest.fixture(autouse=True)
def _types_are_there() -> None:
    require_indexes()


def logins(number: int, word: str = "s3cret") -> str:
    """Return a file of so many logins."""
    return "".join(f"@d{n}.test u{n}:{word}-{n}\n" for n in range(number))


def routes(number: int) -> str:
    """Return a file of so many routes."""
    return "".join(f"@d{n}.test [r{n}.test]:587\n" for n in range(number))


def maps(logins_: int = 2, routes_: int = 2, word: str = "s3cret", **env: str) -> State:
    """Return inputs that make maps."""
    return State(ON | env, {LOGINS: logins(logins_, word), RELAYMAP: routes(routes_)})


def transports(**env: str) -> State:
    """Return inputs that make transports: several tables of routes and of logins."""
    text = (
        "version: 1\nrelays:\n  a: {host: a.test, login: {username: u, password: s3cret}}\n"
        "  b: {host: b.test}\ndefault: a\nsenders:\n"
        "  one.test: {relay: a, login: {username: own, password: s3cret}}\n  two.test: b\nrecipients: {far.test: b}\n"
    )
    return State(env, {"relay.yaml": text})


def names(sandbox: Sandbox) -> set[str]:
    """Name each file in Postfix's directory."""
    directory = sandbox.postfix_dir
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def parameter(sandbox: Sandbox, name: str) -> str:
    """Return a parameter, without the name of the directory."""
    return sandbox.postconf_n()[name].replace(str(sandbox.postfix_dir), "HERE")


def test_from_so_many_keys_on(sandbox: Sandbox) -> None:
    """Each table decides by its own number of keys; the index holds what the text holds, and is as secret."""
    prepare(sandbox)
    apply(sandbox, maps(INDEXED_FROM - 1, INDEXED_FROM))
    assert parameter(sandbox, "smtp_sasl_password_maps") == "texthash:HERE/sasl_passwd"
    assert parameter(sandbox, "sender_dependent_relayhost_maps") == f"{CDB}:HERE/relayhost_map"
    apply(sandbox, maps(INDEXED_FROM, INDEXED_FROM - 1))
    assert parameter(sandbox, "smtp_sasl_password_maps") == f"{CDB}:HERE/sasl_passwd"
    assert parameter(sandbox, "sender_dependent_relayhost_maps") == "texthash:HERE/relayhost_map"
    assert "relayhost_map.cdb" not in names(sandbox)
    status = (sandbox.postfix_dir / "sasl_passwd.cdb").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o600, os.geteuid(), os.getegid())


STATES = {
    "big": maps(INDEXED_FROM, 3),
    "small": maps(),
    "lmdb": maps(RELAY_TABLES=LMDB),
    "cdb": maps(5, word="other", RELAY_TABLES=CDB),
    "texthash": maps(INDEXED_FROM, RELAY_TABLES="texthash"),
    "transports": transports(),
    "transports by cdb": transports(RELAY_TABLES=CDB),
    "transports by lmdb": transports(RELAY_TABLES=LMDB),
    "off": State(),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_any_change_ends_as_a_first_boot(sandbox: Sandbox, old: str, new: str) -> None:
    """From each kind of tables to each other: the same files, to the octet, and no file is left of what went."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, STATES[old])
    apply(sandbox, STATES[new])
    assert machine_of(sandbox) == first_boot(STATES[new], BASE_MAIN_CF)
    before = sandbox.snapshot()
    assert apply(sandbox, STATES[new]).startswith("nothing to do")
    assert sandbox.snapshot() == before


def test_what_was_there_before_comes_back(sandbox: Sandbox) -> None:
    """An index of somebody else in the place of ours is put back with the table, when the relays go."""
    prepare(sandbox, BASE_MAIN_CF)
    for name in ("sasl_passwd", "sasl_passwd.cdb"):
        write_rested(sandbox.postfix_dir / name, b"own of " + name.encode())
    before = machine_of(sandbox)
    for state in (maps(RELAY_TABLES=CDB), maps(), maps(3, RELAY_TABLES=LMDB), State()):
        apply(sandbox, state)
    assert machine_of(sandbox) == before


@pytest.mark.parametrize("types", [(), (LMDB,), (CDB,)])
def test_the_types_that_postfix_has(sandbox: Sandbox, tmp_path: Path, types: tuple[str, ...]) -> None:
    """The type is one that this Postfix has; where it has none, the table stays a text, and a warning names the packages."""
    prepare(sandbox, BASE_MAIN_CF)
    offer(sandbox, tmp_path / "meta", *types)
    sandbox.write(LOGINS, logins(INDEXED_FROM))
    result = sandbox.apply(**ON)
    used = types[0] if types else "texthash"
    assert parameter(sandbox, "smtp_sasl_password_maps") == f"{used}:HERE/sasl_passwd"
    text = (
        f"sasl_passwd: {INDEXED_FROM} keys, which every Postfix process loads: this Postfix has no indexed tables -- "
    )
    assert (f"{text}install postfix-cdb or postfix-lmdb (Debian's names for them)" in result.err) == (not types)


def test_a_type_that_comes_and_goes(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the package of the type is taken away, or comes, the next run follows."""
    prepare(sandbox, BASE_MAIN_CF)
    state = maps(INDEXED_FROM)
    for types, used, files in (
        ((CDB, LMDB), CDB, {"sasl_passwd.cdb"}),
        ((LMDB,), LMDB, {"sasl_passwd.lmdb"}),
        ((), "texthash", set()),
        ((CDB,), CDB, {"sasl_passwd.cdb"}),
    ):
        offer(sandbox, tmp_path / "meta", *types)
        apply(sandbox, state)
        assert parameter(sandbox, "smtp_sasl_password_maps") == f"{used}:HERE/sasl_passwd"
        assert {name for name in names(sandbox) if name.startswith("sasl_passwd.")} == files


@pytest.mark.parametrize("table_type", PACKAGES)
def test_a_type_that_is_not_there(sandbox: Sandbox, tmp_path: Path, table_type: str) -> None:
    """RELAY_TABLES names a type that this Postfix has not: nothing is changed, and the package is named."""
    prepare(sandbox, BASE_MAIN_CF)
    offer(sandbox, tmp_path / "meta")
    before = sandbox.snapshot()
    result = sandbox.run("apply", env=ON | {"RELAY_TABLES": table_type})
    assert result.code == os.EX_CONFIG
    text = f"env RELAY_TABLES: this Postfix has no tables of type {table_type} -- install postfix-{table_type}"
    assert text in result.err
    assert sandbox.snapshot() == before


def test_no_program_is_asked_where_nothing_is_big(sandbox: Sandbox, tmp_path: Path) -> None:
    """Postfix's table types are asked for only where they matter, and not again where nothing has changed."""
    prepare(sandbox, BASE_MAIN_CF)
    programs, asked = tmp_path / "programs", tmp_path / "asked"
    programs.mkdir()
    script = f'#!/bin/sh\ncase "$*" in *-m) echo x >>{asked} ;; esac\nexec {which("postconf")} "$@"\n'
    (programs / "postconf").write_text(script)
    (programs / "postconf").chmod(0o755)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{programs}:{path}"
    try:
        apply(sandbox, maps())
        assert not asked.exists()
        for state in (maps(INDEXED_FROM), maps(INDEXED_FROM), maps(INDEXED_FROM + 1), maps(INDEXED_FROM + 1)):
            apply(sandbox, state)
        assert asked.read_text() == "x\n"
    finally:
        os.environ["PATH"] = path


@pytest.mark.parametrize("table_type", PACKAGES)
@pytest.mark.parametrize("damage", ["cut", "gone", "octet", "opened", "foreign", "text"])
def test_a_damaged_index_is_made_again(sandbox: Sandbox, table_type: str, damage: str) -> None:
    """An index that somebody cut short, took away, changed in one octet, opened to others or replaced is seen."""
    prepare(sandbox, BASE_MAIN_CF)
    state = maps(50, RELAY_TABLES=table_type)
    apply(sandbox, state)
    expected = machine_of(sandbox)
    path = sandbox.postfix_dir / f"sasl_passwd.{table_type}"
    content, times = path.read_bytes(), path.stat()
    if damage == "cut":
        write_rested(path, content[: len(content) // 2])
    elif damage == "gone":
        path.unlink()
    elif damage == "octet":
        write_rested(path, content.replace(b"s3cret-7", b"s3cret-8"))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif damage == "opened":
        path.chmod(0o644)
    elif damage == "foreign":
        path.unlink()
        path.symlink_to("/etc/hosts")
    else:
        (sandbox.postfix_dir / "sasl_passwd").write_text("@d7.test u7:other\n")
    apply(sandbox, state)
    assert machine_of(sandbox) == expected
    assert not path.is_symlink()


def test_a_text_changed_to_what_is_wanted_next(sandbox: Sandbox) -> None:
    """A table that was edited by hand says nothing of its index, be it what the inputs want now."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, maps(3, RELAY_TABLES=CDB))
    new = maps(3, word="n3w", RELAY_TABLES=CDB)
    (sandbox.postfix_dir / "sasl_passwd").write_text(new.files[LOGINS].replace(" ", "\t"))
    apply(sandbox, new)
    assert machine_of(sandbox) == first_boot(new, BASE_MAIN_CF)


def test_what_is_remembered(sandbox: Sandbox) -> None:
    """No login, nor what one could be guessed from; without an index the file is one that an older version reads."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, maps(RELAY_TABLES=CDB))
    document = json.loads((sandbox.postfix_dir / "dms-relay.state.json").read_text())
    assert document["version"] == 3
    assert set(document["indexes"]) == {"sasl_passwd.cdb", "relayhost_map.cdb"}
    for stamp in document["indexes"].values():
        assert re.fullmatch(r"[0-9: ]+", stamp)  # rights, sizes and times: no digest
        assert max(map(len, re.split("[: ]", stamp))) <= len(str(time.time_ns()))
    apply(sandbox, maps())
    assert json.loads((sandbox.postfix_dir / "dms-relay.state.json").read_text())["version"] == 1


@pytest.mark.parametrize("command", ["plan", "show", "check", "apply"])
def test_no_password_is_shown(sandbox: Sandbox, command: str) -> None:
    """Whatever becomes of an index, no command shows what stands in it; ``plan`` says what becomes of it."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, maps(RELAY_TABLES=CDB))
    (sandbox.postfix_dir / "sasl_passwd.cdb").write_bytes(b"@d1.test\tu1:s3cret-own\n")
    for name, text in maps(3).files.items():
        sandbox.write(name, text)
    result = sandbox.run("--log-level", "trace", command, env=ON | {"RELAY_TABLES": CDB})
    assert "s3cret" not in result.out + result.err
    if command == "plan":
        assert f"# {sandbox.postfix_dir}/sasl_passwd.cdb: index of 3 keys is rebuilt\n" in result.out
        assert "+@d2.test\tu2:********\n" in result.out
    if command == "show":
        assert f"cdb:{sandbox.postfix_dir}/sasl_passwd" in result.out


def test_the_users_own_value_is_left(sandbox: Sandbox) -> None:
    """A value of postfix-main.cf that names our table as a text still finds it; no index is made that nobody opens."""
    prepare(sandbox, BASE_MAIN_CF)
    files = maps().files | {"postfix-main.cf": "smtp_sasl_password_maps = texthash:$config_directory/sasl_passwd\n"}
    apply(sandbox, State(ON | {"RELAY_TABLES": LMDB}, files))
    assert {"sasl_passwd", "relayhost_map", "relayhost_map.lmdb"} <= names(sandbox)
    assert "sasl_passwd.lmdb" not in names(sandbox)


def test_maps_of_others_keep_their_place(sandbox: Sandbox) -> None:
    """The table that stands in front of others' lookup tables is of its type, and goes without a trace."""
    prepare(sandbox, f"{BASE_MAIN_CF}transport_maps = hash:/x/one\n")
    for state, kind in (
        (transports(RELAY_TABLES=CDB), CDB),
        (transports(), "texthash"),
        (transports(RELAY_TABLES=LMDB), LMDB),
    ):
        apply(sandbox, state)
        assert parameter(sandbox, "transport_maps") == f"{kind}:HERE/relay.d/recipient_transport, hash:/x/one"
        logins_of_a = f"smtp_sasl_password_maps={kind}:{sandbox.postfix_dir}/relay.d/a.sasl"
        assert logins_of_a in (sandbox.postfix_dir / "master.cf").read_text()
    apply(sandbox, State())
    assert parameter(sandbox, "transport_maps") == "hash:/x/one"


@pytest.mark.parametrize("place", ["environment", "secret", "relay.env"])
def test_where_the_setting_stands(sandbox: Sandbox, place: str) -> None:
    """RELAY_TABLES is read from where every setting is read, in any letter case."""
    prepare(sandbox, BASE_MAIN_CF)
    secret = sandbox.write("tables", "LMDB\n")
    places = {"environment": {"RELAY_TABLES": " Lmdb"}, "secret": {"RELAY_TABLES__FILE": str(secret)}, "relay.env": {}}
    if place == "relay.env":
        sandbox.write("relay.env", "RELAY_TABLES=lmdb\n")
    sandbox.apply(**ON, **places[place])
    assert parameter(sandbox, "sender_dependent_relayhost_maps") == "lmdb:HERE/relayhost_map"


def test_a_type_that_we_do_not_write(sandbox: Sandbox) -> None:
    """Any other type is an error that names those that can be."""
    result = sandbox.run("apply", env=ON | {"RELAY_TABLES": "hash"})
    assert result.code == os.EX_CONFIG
    assert "env RELAY_TABLES: the value is not one of those allowed -- write one of texthash, cdb, lmdb" in result.err
