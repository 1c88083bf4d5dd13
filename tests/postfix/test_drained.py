"""``drained``: what a drain adds to master.cf goes without a trace, and stays where somebody else edits the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms_relay.postfix import drained, master_cf, master_cf_file
from dms_relay.postfix.drained import Drained
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from pathlib import Path

NEXTHOP = "[other.test]:25"
STATES = (
    Drained(refuses=True),
    Drained(refuses=True, nexthop=NEXTHOP),
    Drained(refuses=True, nexthop=NEXTHOP, is_route=True),
)
MASTER_CF = """\
# comment
smtp inet n - y - - smtpd
  -o smtpd_client_restrictions=permit
# a comment between
  -o syslog_name=x

submission inet n - y - - smtpd
smtp inet n - y - 1 postscreen
smtpd pass - - y - - smtpd
#smtps inet n - y - - smtpd
policy inet n n n - 0 spawn user=nobody argv=/bin/smtpd
rewrite unix - - y - - trivial-rewrite
smtp unix - - y - - smtp
# last
"""


@pytest.mark.parametrize("wanted", STATES)
def test_there_and_back(wanted: Drained) -> None:
    """What is added is found, and without it the text is what it was, to the letter."""
    text = drained.with_(MASTER_CF, wanted)
    assert drained.found(text) == wanted
    assert drained.without(text) == MASTER_CF


@given(lines=st.lists(st.sampled_from([*MASTER_CF.splitlines(), "", "  -o a=b", "x", "\t-o relayhost=[r.test]"])))
def test_any_text(lines: list[str]) -> None:
    """So it is with any text, also one that is drained twice."""
    text = "".join(f"{line}\n" for line in lines)
    for wanted in STATES:
        once = drained.with_(text, wanted)
        assert drained.without(once) == text
        assert drained.with_(drained.without(once), wanted) == once


def test_each_service_that_takes_mail() -> None:
    """Each smtpd(8) refuses mail, behind whatever else it is told, and no other service does."""
    lines = drained.with_(MASTER_CF, STATES[0]).splitlines()
    refusals = [number for number, line in enumerate(lines) if drained.REPLY in line]
    before = [lines[number - 1].strip() for number in refusals]
    assert before == ["-o syslog_name=x", "submission inet n - y - - smtpd", "smtpd pass - - y - - smtpd"]


def test_others_neither_see_nor_lose_it(tmp_path: Path) -> None:
    """Whoever reads master.cf sees nothing of it, and whoever edits it keeps it; mode and owner stay."""
    path = tmp_path / "master.cf"
    path.write_text(MASTER_CF)
    path.chmod(0o640)
    master_cf_file.set_drained(path, STATES[2])
    postfix = Postfix(tmp_path)
    assert postfix.read_master_cf() == MASTER_CF
    service = master_cf.Service("n", (("relayhost", "[r.test]:25"),))
    postfix.edit_master_cf({"relay-a": service}, on=lambda text: text.replace("=permit\n", "=reject\n"))
    assert "relay-a unix" in postfix.read_master_cf()
    assert "smtpd_client_restrictions=reject" in postfix.read_master_cf()
    assert master_cf_file.read_drained(path) == STATES[2]
    postfix.edit_master_cf({"relay-a": None}, on=lambda text: text.replace("=reject\n", "=permit\n"))
    master_cf_file.set_drained(path, drained.NOT_DRAINED)
    assert path.read_text() == MASTER_CF
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_is_right_is_not_written(tmp_path: Path) -> None:
    """A file that is as wanted keeps its time."""
    path = tmp_path / "master.cf"
    path.write_text(MASTER_CF)
    for wanted in (drained.NOT_DRAINED, STATES[1], STATES[1]):
        before = path.stat().st_ctime_ns
        was_right = master_cf_file.read_drained(path) == wanted
        master_cf_file.set_drained(path, wanted)
        assert (path.stat().st_ctime_ns == before) == was_right
