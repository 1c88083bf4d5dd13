"""The order of changes: which phase each belongs to, and what the login table holds meanwhile. Pure: no machine needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import PostfixConfig
from dms_relay.plan import plan
from dms_relay.plan.found import Found
from dms_relay.plan.phases import phases
from dms_relay.plan.snapshots import one_phase
from dms_relay.plan.state import PART, ManagedParameter, State, TableFile, octets

if TYPE_CHECKING:
    from dms_relay.plan.snapshots import Phase


OLD = {
    "relayhost": "[a.test]:587",
    "sender_dependent_relayhost_maps": "texthash:/p/relayhost_map",
    "smtp_sasl_password_maps": "texthash:/p/sasl_passwd",
    "smtp_tls_security_level": "encrypt",
}
OLD_LOGINS = "@gone.test\tu:1\n[a.test]:587\tu:2\n[Both.test]\tu:3\n"


def table(text: str) -> TableFile:
    """Return a table as we write it."""
    return TableFile(text.encode(), 0o600, 0, 0)


def in_use(logins: str = OLD_LOGINS) -> Found:
    """Return a machine on which a complete run has set everything up; TLS was ``may`` before us."""
    before = {"smtp_tls_security_level": "may"}
    state = State(
        {n: ManagedParameter(before.get(n), (v,)) for n, v in OLD.items()}, {"sasl_passwd": None, "relayhost_map": None}
    )
    return Found(OLD, {"sasl_passwd": table(logins), "relayhost_map": table("@gone.test\t[a.test]:587\n")}, state)


def logins_in(phase: Phase) -> str:
    """Return the login table that a phase writes."""
    [found] = [change.new.content.decode() for change in phase.tables if change.name == "sasl_passwd" and change.new]
    return found


def test_logins_and_tls_come_before_routes_and_go_after_them() -> None:
    """From one relay to another: the new login, then the route, then the old login."""
    wanted = PostfixConfig(
        {"sasl_passwd": "[b.test]:587\tu:4\n", "relayhost_map": ""}, OLD | {"relayhost": "[b.test]:587"}
    )
    protect, route, release = phases(plan(wanted, in_use()))
    assert (protect.name, route.name, release.name) == ("protect", "route", "release")
    assert [change.name for change in route.tables] == ["relayhost_map"]
    assert [(p.name, p.new) for p in route.parameters] == [("relayhost", "[b.test]:587")]
    assert logins_in(release) == "[b.test]:587\tu:4\n"


def test_the_login_of_a_nexthop_stays_until_its_route_is_gone() -> None:
    """Mail on its way by the old route finds the nexthop's login; one that has a new password has the new one alone."""
    wanted = PostfixConfig({"sasl_passwd": "[both.TEST]\tu:new\n", "relayhost_map": ""}, OLD)
    protect, *_ = phases(plan(wanted, in_use()))
    assert logins_in(protect) == "[both.TEST]\tu:new\n[a.test]:587\tu:2\n"


def test_the_login_of_a_sender_goes_at_once() -> None:
    """Kept, it would be offered to the sender's new relay: a password cannot be taken back."""
    wanted = PostfixConfig({"sasl_passwd": "", "relayhost_map": ""}, OLD)
    protect, *_ = phases(plan(wanted, in_use("@gone.test\tu:1\nme@gone.test\tu:2\n")))
    assert logins_in(protect) == ""


def test_switched_off_routes_go_first() -> None:
    """TLS and logins are there until no route needs them; tables go last, when nothing names them."""
    route, release, clear = phases(plan(PostfixConfig(), in_use()))
    assert [p.name for p in route.parameters] == ["relayhost", "sender_dependent_relayhost_maps"]
    assert route.tables == ()
    assert {p.name: p.new for p in release.parameters} == {
        "smtp_sasl_password_maps": None,
        "smtp_tls_security_level": "may",
    }
    assert release.tables == ()
    assert [(change.name, change.new) for change in clear.tables] == [("sasl_passwd", None), ("relayhost_map", None)]
    assert (clear.parameters, clear.is_read) == ((), False)


def test_a_first_run_may_do_all_at_once() -> None:
    """Where nothing of ours is in use and Postfix does not run, one phase holds every change."""
    changes = plan(PostfixConfig({"sasl_passwd": "", "relayhost_map": ""}, OLD), Found())
    assert changes.is_first
    [whole] = one_phase(changes)
    assert (whole.tables, whole.parameters) == (changes.tables, changes.parameters)


def test_nothing_to_do_has_no_phase() -> None:
    """What is as wanted makes no phase, and so no reload."""
    found = in_use()
    wanted = PostfixConfig({name: table.content.decode() for name, table in found.tables.items()}, OLD)
    assert phases(plan(wanted, found)) == ()


def test_a_table_that_is_right_is_not_there_twice() -> None:
    """Octets that were found are taken where they are those that are wanted, whatever stands at the border of two parts."""
    for text in ("", "x", "ü" * (PART - 1) + "😀ä", "ü" * PART, "ab" * PART):
        found = TableFile(text.encode(), 0o600, 0, 0)
        assert octets(text, found) is found.content
        for other in (text + "x", text[:-1] + "y", "z" + text[1:]):
            assert octets(other, found) == other.encode()
    assert octets("x", None) == b"x"
