"""Whatever was wanted before, services, tables and parameters end where a first boot with today's inputs would.

Maps and transports in any order; the sequences are drawn at random.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.amounts import Figures, amount
from tests.support.machine import MASTER_CF, machine_of, prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.states import MAPS, MEMORY, SWITCHED, State, apply, first_boot

#: Sequences in all.
EXAMPLES = amount(20, 1000)
BASES = {
    "plain": BASE_MAIN_CF,
    "others' routes": BASE_MAIN_CF
    + "relayhost = [before.test]\ntransport_maps = hash:/x/one,\n  hash:/x/two\ndefault_transport = smtp:[x.test]\n"
    "sender_dependent_default_transport_maps = inline:{ @x.test=error:no }\n",
}


USER = State(SWITCHED.env, MAPS.files | {"postfix-main.cf": "sender_dependent_default_transport_maps = hash:/user\n"})


@st.composite
def yamls(draw: st.DrawFn) -> State:
    """Draw a relay.yaml: relays whose hosts, levels and logins change, and senders that move between them."""
    relays = {name: draw(_relays()) for name in draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))}
    ways = st.sampled_from([*relays, "direct"])
    own = {"username": "own", "password": "s3cret"}
    senders: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(["one.test", "me@one.test", "two.test", "<>"]), unique=True)):
        way = draw(ways)
        has_own = way != "direct" and key != "<>" and draw(st.booleans())
        senders[key] = {"relay": way, "login": own} if has_own else way
    document = {"version": 1, "relays": relays, "default": draw(ways), "senders": senders}
    if draw(st.booleans()):
        document["recipients"] = {"far.test": draw(ways)}
    return State({}, {"relay.yaml": yaml.safe_dump(document)})


@st.composite
def _relays(draw: st.DrawFn) -> dict[str, Any]:
    relay: dict[str, Any] = {
        "hosts": draw(st.lists(st.sampled_from(["r.test", "s.test"]), min_size=1, unique=True)),
        "port": draw(st.sampled_from([465, 587])),
        "tls": {"level": draw(st.sampled_from(["secure", "encrypt"]))},
    }
    if draw(st.booleans()):
        relay["login"] = {"username": draw(st.sampled_from(["u", "v"])), "password": "s3cret"}
    return relay


STATES = st.one_of(yamls(), yamls(), st.sampled_from([MAPS, SWITCHED, USER, State()]))


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("base", BASES)
@settings(
    max_examples=max(1, EXAMPLES // len(BASES)),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(states=st.lists(STATES, min_size=2, max_size=5))
def test_any_sequence_ends_as_a_first_boot(figures: Figures, base: str, states: list[State]) -> None:
    """All is as a first boot makes it; a second run has nothing to do; without inputs nothing of ours is left."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        sandbox = Sandbox(Path(directory))
        prepare(sandbox, BASES[base])
        before = machine_of(sandbox)
        for state in states:
            apply(sandbox, state)
        assert machine_of(sandbox) == first_boot(states[-1], BASES[base])
        assert apply(sandbox, states[-1]).startswith("nothing to do")
        apply(sandbox, State())
        assert machine_of(sandbox) == before
        assert (sandbox.postfix_dir / "master.cf").read_text() == MASTER_CF
        assert sorted(path.name for path in sandbox.postfix_dir.iterdir()) == ["main.cf", "master.cf"]
    figures(1, "sequences of inputs with maps and transports: each ends as a first boot")


def test_what_others_put_beside_our_table_stays(sandbox: Sandbox) -> None:
    """A lookup table that somebody adds to transport_maps after us stays, in each run and when our table goes."""
    prepare(sandbox, BASE_MAIN_CF)
    state = State({}, {"relay.yaml": "version: 1\nrelays: {r: {host: r.test}}\nrecipients: {far.test: r}\n"})
    apply(sandbox, state)
    ours = f"texthash:{sandbox.postfix_dir}/relay.d/recipient_transport"
    assert sandbox.postconf_n()["transport_maps"] == ours
    _set(sandbox, "transport_maps", f"hash:/first, {ours}, hash:/last")
    apply(sandbox, state)
    assert sandbox.postconf_n()["transport_maps"] == f"{ours}, hash:/first, hash:/last"
    apply(sandbox, State())
    assert sandbox.postconf_n()["transport_maps"] == "hash:/first, hash:/last"


def test_what_others_override_in_a_service_of_ours_stays(sandbox: Sandbox) -> None:
    """As docker-mailserver's postfix-master.cf does: ``relay-r/unix/smtp_bind_address=…``."""
    prepare(sandbox, BASE_MAIN_CF)
    text = "version: 1\nrelays: {{r: {{host: r.test, tls: {{level: {level}}}}}}}\ndefault: r\n"
    apply(sandbox, State({}, {"relay.yaml": text.format(level="secure")}))
    path = sandbox.postfix_dir / "master.cf"
    path.write_text(path.read_text() + "  -o { smtp_bind_address = 127.0.0.9 }\n")
    assert apply(sandbox, State({}, {"relay.yaml": text.format(level="encrypt")})).startswith("applied")
    service = machine_of(sandbox).services["relay-r"]
    assert service is not None
    assert dict(service.overrides)["smtp_bind_address"] == "127.0.0.9"
    assert dict(service.overrides)["smtp_tls_security_level"] == "encrypt"


def test_a_service_that_is_not_ours_is_refused(sandbox: Sandbox) -> None:
    """A service of that name in master.cf stops the run before anything is changed."""
    prepare(sandbox, BASE_MAIN_CF)
    path = sandbox.postfix_dir / "master.cf"
    path.write_text(f"{MASTER_CF}relay-r unix - - n - - smtp\n")
    sandbox.write("relay.yaml", "version: 1\nrelays: {r: {host: r.test}}\ndefault: r\n")
    before = sandbox.snapshot()
    for command in ("plan", "apply"):
        result = sandbox.run(command)
        remedy = "rename the relay, or remove the service"
        assert result.code == os.EX_CONFIG
        assert f"master.cf:8: master.cf has a service relay-r that dms-relay does not manage -- {remedy}" in result.err
        assert sandbox.snapshot() == before


@pytest.mark.parametrize(
    ("recipient", "domain", "parameter"),
    [
        ("localhost", "localhost", "mydestination"),
        ("me@Mail.example.test", "mail.example.test", "mydestination"),
        (".example.test", "mail.example.test", "mydestination"),
        ("own.test", "own.test", "virtual_mailbox_domains"),
    ],
)
def test_a_recipient_that_is_local(sandbox: Sandbox, recipient: str, domain: str, parameter: str) -> None:
    """Mail for what main.cf itself names as its own must not leave: an error, and nothing is changed."""
    local = "mydestination = $myhostname, localhost, hash:/x\nvirtual_mailbox_domains = own.test, /etc/vhost\n"
    prepare(sandbox, BASE_MAIN_CF.replace("mydestination = localhost\n", local))
    sandbox.write(
        "relay.yaml", f"version: 1\nrelays: {{r: {{host: r.test}}}}\nrecipients: {{{recipient}: r, far.test: r}}\n"
    )
    before = sandbox.snapshot()
    result = sandbox.run("apply")
    text = f"recipient {recipient.lower()}: {domain} is a local domain ({parameter} in main.cf), so its mail must not leave"
    assert result.code == os.EX_CONFIG
    assert f"relay.yaml: {text} -- remove the line, or remove the domain from main.cf" in result.err
    assert sandbox.snapshot() == before


def test_direct_is_direct_whatever_main_cf_says(sandbox: Sandbox) -> None:
    """``default: direct`` counts before main.cf's own default_transport, which comes back with the file gone."""
    prepare(sandbox, f"{BASE_MAIN_CF}default_transport = error:no\n")
    apply(sandbox, State({}, {"relay.yaml": "version: 1\ndefault: direct\n"}))
    assert sandbox.postconf_n()["default_transport"] == "smtp:"
    apply(sandbox, State({}, {"relay.yaml": "version: 1\n"}))
    assert sandbox.postconf_n()["default_transport"] == "error:no"


def test_without_master_cf_nothing_is_changed(sandbox: Sandbox) -> None:
    """Services need master.cf: where it is missing, the run ends before anything is written."""
    sandbox.write(
        "relay.yaml", "version: 1\nrelays: {r: {host: r.test, login: {username: u, password: p}}}\ndefault: r\n"
    )
    before = sandbox.snapshot()
    result = sandbox.run("apply")
    assert result.code == os.EX_UNAVAILABLE
    assert "master.cf cannot be read" in result.err
    assert sandbox.snapshot() == before
    assert not (sandbox.postfix_dir / "relay.d").exists()


def test_modes(sandbox: Sandbox) -> None:
    """Each table is 0600, their directory 0700; master.cf keeps its mode."""
    prepare(sandbox, BASE_MAIN_CF)
    (sandbox.postfix_dir / "master.cf").chmod(0o640)
    sandbox.write(
        "relay.yaml", "version: 1\nrelays: {r: {host: r.test, login: {username: u, password: p}}}\ndefault: r\n"
    )
    sandbox.apply()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (sandbox.postfix_dir / "relay.d").iterdir()}
    assert modes == {"r.sasl": 0o600, "temporary_failures": 0o600}
    assert (sandbox.postfix_dir / "relay.d").stat().st_mode & 0o777 == 0o700
    assert (sandbox.postfix_dir / "master.cf").stat().st_mode & 0o777 == 0o640


def _set(sandbox: Sandbox, name: str, value: str) -> None:
    """Set a parameter as somebody else would."""
    lines = [line for line in sandbox.main_cf.read_text().splitlines() if not line.startswith(f"{name} =")]
    sandbox.write_main_cf("\n".join([*lines, f"{name} = {value}", ""]))
    then = time.time() - 60
    os.utime(sandbox.main_cf, (then, then))
    assert shutil.which("postconf")
