"""The order of changes where relays have a transport of their own: what stands at the end of each phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay import Paths, find, merge, plan, read, render
from dms_relay.model import TEMPORARY_FAILURES
from dms_relay.plan.phases import phases
from tests.support.machine import prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.states import MAPS, State, apply

if TYPE_CHECKING:
    from dms_relay.plan.snapshots import Phase

_TEXT = """\
version: 1
relays:
  smtp: {{host: {host}, tls: {{level: {level}}}, login: {{username: u, password: s3cret-{n}}}}}
default: {default}
senders:
  one.test: direct
  two.test: {{relay: smtp, login: {{username: own, password: s3cret-{n}}}}}
"""


def text(host: str = "a.test", level: str = "secure", n: int = 1, default: str = "smtp") -> State:
    """Return a relay.yaml whose relay has the name of Postfix's own service."""
    return State({}, {"relay.yaml": _TEXT.format(host=host, level=level, n=n, default=default)})


def phases_to(sandbox: Sandbox, state: State) -> dict[str, Phase]:
    """Return the phases from what stands there to what is wanted."""
    for path in sandbox.config_dir.iterdir():
        path.unlink()
    for name, content in state.files.items():
        sandbox.write(name, content)
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    config = merge(read(paths, state.env))
    return {phase.name: phase for phase in phases(plan(render(config, paths), find(paths)))}


def table(phase: Phase, name: str) -> dict[str, str]:
    """Return a table that a phase writes."""
    [found] = [change.new for change in phase.tables if change.name == f"relay.d/{name}" and change.new]
    lines = (line.partition("\t") for line in found.content.decode().splitlines())
    return {key: value for key, _, value in lines}


def parameters(phase: Phase) -> dict[str, str | None]:
    """Return the parameters that a phase sets, or takes away."""
    return {change.name: change.new for change in phase.parameters}


def services(phase: Phase) -> dict[str, dict[str, str] | None]:
    """Return the services that a phase makes, or takes away."""
    return {change.name: dict(change.new.overrides) if change.new else None for change in phase.services}


def test_new_hosts_come_under_another_name_first(sandbox: Sandbox) -> None:
    """relay-smtp serves its old hosts until no route names it, then it is rebuilt, and then only named again."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, text())
    found = phases_to(sandbox, text(host="b.test", level="encrypt", n=2))
    assert list(found) == ["protect", "route", "settle", "return", "release", "clear"]
    assert list(services(found["protect"])) == ["relay-smtp_new"]
    assert table(found["protect"], "smtp_new.sasl") == {"@two.test": "own:s3cret-2", "[b.test]:587": "u:s3cret-2"}
    assert table(found["route"], "sender_transport") == {
        "@one.test": "smtp:",
        "@two.test": "relay-smtp_new:[b.test]:587",
    }
    assert parameters(found["route"]) == {"default_transport": "relay-smtp_new:[b.test]:587"}
    assert list(services(found["settle"])) == ["relay-smtp"]
    assert table(found["settle"], "smtp.sasl") == table(found["protect"], "smtp_new.sasl")
    assert table(found["return"], "sender_transport")["@two.test"] == "relay-smtp:[b.test]:587"
    assert services(found["release"]) == {"relay-smtp_new": None}
    assert [(change.name, change.new) for change in found["clear"].tables] == [("relay.d/smtp_new.sasl", None)]


def test_the_same_hosts_need_no_other_name(sandbox: Sandbox) -> None:
    """Another level or login at the same hosts: the old and the new entry both stand until the routes are in use."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, text())
    changed = text(level="encrypt").files["relay.yaml"].replace("two.test", "three.test")
    found = phases_to(sandbox, State({}, {"relay.yaml": changed}))
    assert list(found) == ["protect", "route", "release"]
    assert set(table(found["protect"], "smtp.sasl")) == {"@two.test", "@three.test", "[a.test]:587"}
    assert set(table(found["release"], "smtp.sasl")) == {"@three.test", "[a.test]:587"}


@pytest.mark.parametrize("route", ["one.test: direct", "{}"], ids=["to another", "away"])
@pytest.mark.parametrize("table", ["senders", "recipients"])
def test_a_relay_that_loses_its_last_user(sandbox: Sandbox, table: str, route: str) -> None:
    """No mail goes by it any more, so it needs no other name: the routes change, with one reload, and nothing else."""
    relays = "version: 1\nrelays:\n  r: {host: a.test, login: {username: u, password: s3cret}}\ndefault: direct\n"
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, State({}, {"relay.yaml": f"{relays}{table}: {{one.test: r, two.test: direct}}\n"}))
    found = phases_to(sandbox, State({}, {"relay.yaml": f"{relays}{table}: {{{route.strip('{}')}}}\n"}))
    assert [name for name, phase in found.items() if phase.is_read] == ["route"]
    assert all(services(phase) == {} for phase in found.values())


def test_logins_of_a_relay_that_loses_its_last_user(sandbox: Sandbox) -> None:
    """What mail on its way by it may need stays as it was until the routes are in use: service, logins, TLS."""
    relays = "version: 1\nrelays:\n  r: {{host: {}.test, login: {{username: u, password: s3cret}}}}\ndefault: direct\n"
    own = "senders: {one.test: {relay: r, login: {username: own, password: s3cret}}}\n"
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, State({}, {"relay.yaml": relays.format("a") + own}))
    found = phases_to(sandbox, State({}, {"relay.yaml": relays.format("b")}))
    assert list(found) == ["route", "release", "clear"]
    assert [change.name for change in found["route"].tables] == []
    assert parameters(found["route"]) == {"sender_dependent_default_transport_maps": None}
    assert list(services(found["release"])) == ["relay-r"]
    assert table(found["release"], "r.sasl") == {"[b.test]:587": "u:s3cret"}


def test_patterns_of_before_are_not_kept(sandbox: Sandbox) -> None:
    """The patterns of a filter are replaced as a whole: they are not logins, and in part they are no table at all."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, text())
    patterns = sandbox.postfix_dir / TEMPORARY_FAILURES
    wanted = patterns.read_bytes()
    patterns.write_bytes(b"if /^5/\n/of before/ 4.0.0 wait\nendif\n")
    found = phases_to(sandbox, text())
    assert list(found) == ["protect"]
    assert [change.new.content for change in found["protect"].tables if change.new] == [wanted]


def test_direct_mail_is_kept_from_the_logins_of_before(sandbox: Sandbox) -> None:
    """From maps to transports: while logins by sender stand in main.cf, what goes directly does so without any."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, MAPS)
    found = phases_to(sandbox, text(default="direct"))
    assert list(found) == ["protect", "route", "settle", "return", "release", "clear"]
    direct = services(found["protect"])["relay-direct_new"]
    assert direct is not None
    assert (direct["smtp_sasl_auth_enable"], direct["smtp_tls_security_level"]) == ("no", "may")
    assert table(found["route"], "sender_transport")["@one.test"] == "relay-direct_new:"
    assert parameters(found["route"])["default_transport"] == "relay-direct_new:"
    assert parameters(found["settle"])["smtp_sasl_password_maps"] is None
    assert table(found["return"], "sender_transport")["@one.test"] == "smtp:"
    assert parameters(found["return"]) == {"default_transport": "smtp:"}
    assert services(found["release"]) == {"relay-direct_new": None}
    assert {change.name for change in found["clear"].tables} == {"sasl_passwd", "relayhost_map"}


def test_back_to_maps(sandbox: Sandbox) -> None:
    """Logins and TLS of main.cf come first, services go last."""
    prepare(sandbox, BASE_MAIN_CF)
    apply(sandbox, text())
    found = phases_to(sandbox, MAPS)
    assert list(found) == ["protect", "route", "release", "clear"]
    assert parameters(found["protect"])["smtp_tls_security_level"] == "encrypt"
    assert parameters(found["route"])["default_transport"] is None
    assert services(found["release"]) == {"relay-smtp": None}
