"""Indexes in the order of changes: no parameter names one that is not there, and each holds what its text holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dms_relay.postfix.table_types import split_index
from tests.apply.test_big_tables import STATES, maps
from tests.plan.test_phases import phases_to, text
from tests.support.machine import prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.states import State, apply
from tests.support.table_types import require_indexes

if TYPE_CHECKING:
    from dms_relay.plan.snapshots import Phase
    from dms_relay.plan.state import TableFile

_TABLE = re.compile(r"\b(texthash|cdb|lmdb):/\S*?/postfix/([\w./-]+)")
HOSTS = {
    f"hosts by {kind}": State({"RELAY_TABLES": kind}, text(host=host, n=n).files)
    for kind, host, n in (("cdb", "a.test", 1), ("lmdb", "b.test", 2))
}
ALL = {**{name: state for name, state in STATES.items() if name not in {"big", "texthash"}}, **HOSTS}


class Walk:
    """Goes through phases as ``apply`` does, and knows what is there at each moment."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Begin with what stands there."""
        from dms_relay import Paths, find  # noqa: PLC0415 -- beside what it is of

        found = find(Paths(sandbox.config_dir, sandbox.postfix_dir))
        self.tables: dict[str, TableFile | None] = dict(found.tables)
        self.values: dict[str, str | None] = dict(found.parameters)
        for name, entry in found.services.items():
            self.values[name] = entry.service.text(name) if entry.service else None

    def named(self) -> set[tuple[str, str]]:
        """Return type and name of each table that Postfix's configuration names."""
        return {match for value in self.values.values() for match in _TABLE.findall(value or "")}

    def go(self, phase: Phase) -> None:
        """Make a phase, and check at each moment of it what is named."""
        read = self.named()  # what the previous smtp(8) processes go on opening until they are told of the change
        self.tables |= {change.name: change.new for change in phase.tables if change.new}
        self._check(read)
        self.values |= {change.name: change.new for change in phase.parameters}
        self.values |= {c.name: c.new.text(c.name) if c.new else None for c in phase.services}
        self._check(self.named())
        self.tables |= {change.name: change.new for change in phase.tables if change.new is None}
        self._check(self.named())
        if phase.is_read:
            self._check(read)

    def _check(self, named: set[tuple[str, str]]) -> None:
        for kind, table in named:
            found = self.tables[table]
            assert found is not None
            if kind != "texthash":
                index = self.tables[f"{table}.{kind}"]
                assert index is not None
                assert (index.content, index.index) == (found.content, kind)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("old", ALL)
@pytest.mark.parametrize("new", ALL)
def test_each_moment(sandbox: Sandbox, old: str, new: str) -> None:
    """From each kind to each other: what is named is there, before and after each reload, and is of the text beside it."""
    require_indexes()
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, ALL[old])
    walk = Walk(sandbox)
    for phase in phases_to(sandbox, ALL[new]).values():
        walk.go(phase)
    apply(sandbox, ALL[new])
    end = Walk(sandbox)
    assert {name: table for name, table in walk.tables.items() if table} == end.tables
    assert walk.named() == end.named()


def test_an_old_login_is_found_until_its_processes_have_ended(sandbox: Sandbox) -> None:
    """From one type to another, with other logins: both indexes have the previous logins until the routes are new."""
    require_indexes()
    prepare(sandbox, BASE_MAIN_CF)
    old = {"postfix-sasl-password.cf": "[r.test]:587 u:old\n", "postfix-relaymap.cf": ""}
    new = {"postfix-sasl-password.cf": "[s.test]:587 u:new\n", "postfix-relaymap.cf": ""}
    apply(sandbox, State({"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_TABLES": "cdb"}, old))
    found = phases_to(sandbox, State({"DEFAULT_RELAY_HOST": "[s.test]:587", "RELAY_TABLES": "lmdb"}, new))
    written = {change.name: change.new for change in found["protect"].tables if change.new}
    both = b"[s.test]:587\tu:new\n[r.test]:587\tu:old\n"
    names = ["sasl_passwd", "sasl_passwd.cdb", "sasl_passwd.lmdb"]
    assert [written[name].content for name in names] == [both] * len(names)
    assert [change.name for change in found["clear"].tables] == ["sasl_passwd.cdb", "relayhost_map.cdb"]
    assert [split_index(name)[1] for name in names] == ["", "cdb", "lmdb"]


def test_a_table_of_somebody_else_is_not_indexed(sandbox: Sandbox) -> None:
    """What was in the place of our table before us is never given to postmap: it may be anything."""
    require_indexes()
    prepare(sandbox, BASE_MAIN_CF)
    (sandbox.postfix_dir / "sasl_passwd").write_bytes(b"\xff\n")
    (sandbox.postfix_dir / "relayhost_map").symlink_to("/nowhere")
    state = maps(RELAY_TABLES="cdb")
    found = phases_to(sandbox, state)
    assert made_of(found)
    assert all(content.startswith(b"@d0.test\t") for content in made_of(found))
    apply(sandbox, state)
    assert made_of(phases_to(sandbox, State())) == []


def made_of(found: dict[str, Phase]) -> list[bytes]:
    """Return what each index is made of, in any phase."""
    changes = [change.new for phase in found.values() for change in phase.tables if change.new]
    return [table.content for table in changes if table.index]
