"""``postfix-main.cf`` and ``postfix-master.cf`` where they are ours to apply, as in our own image."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dms_relay.sources
from dms_relay import files
from dms_relay.postfix import main_cf, main_cf_file
from tests.support.amounts import Figures, amount
from tests.support.machine import MASTER_CF, machine_of, prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.states import MAPS, MEMORY, SWITCHED, State, apply, first_boot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAIN, MASTER = "postfix-main.cf", "postfix-master.cf"
SECRET = "s3cret-P4ss"
EXAMPLES = amount(80, 1500)
YAML = State(
    {},
    {
        "relay.yaml": "version: 1\nrelays: {r: {host: r.test, login: {username: u, password: s3cret}}, s: {host: s.test}}\n"
        "default: r\nsenders: {one.test: s}\nrecipients: {far.test: r}\n"
    },
)
MOVED = State({}, {"relay.yaml": YAML.files["relay.yaml"].replace("r.test", "other.test")})
BASES = {
    "plain": BASE_MAIN_CF,
    "set before": BASE_MAIN_CF
    + "relayhost = [before.test]\nmessage_size_limit = 1\ntransport_maps = hash:/x/one,\n  hash:/x/two\nmydomain = b.test\n",
}
MAIN_LINES = (
    "message_size_limit = 20480000",
    "message_size_limit=1",
    "relay_domains =\n  one.test\n# two\n  three.test",
    "smtp_tls_security_level = may",
    "mydomain = own.test",
    "my_own = $mydomain",
    f"smtp_sasl_password_maps = static:me:{SECRET}",
    "transport_maps = hash:/own",
    "# a comment",
)
#: Not with transports, which need them empty.
MAPS_LINES = (*MAIN_LINES, "relayhost = [own.test]", "sender_dependent_relayhost_maps = hash:/own")
MASTER_LINES = (
    "smtp/inet/smtpd_banner=own",
    "smtp/unix/smtp_helo_name = own.test",
    "relay/unix/syslog_name=own",
    "relay/unix/smtp_helo_name=",
    "# a comment",
)
YAML_LINES = (*MASTER_LINES, "relay-r/unix/smtp_helo_name=own.test", "relay-s/unix/smtp_tls_security_level=may")


@contextmanager
def our_image() -> Iterator[None]:
    """Be where the hook is that applies the files: any program will do."""
    with patch.object(dms_relay.sources, "USER_FILES_HOOK", Path(sys.executable)):
        yield


@pytest.fixture(autouse=True)
def _ours() -> Iterator[None]:
    with our_image():
        yield


@st.composite
def states(draw: st.DrawFn) -> State:
    """Draw relays, and a few lines of each file."""
    relays = draw(st.sampled_from([State(), MAPS, SWITCHED, YAML, MOVED]))
    is_yaml, is_maps = "relay.yaml" in relays.files, relays in (State(), MAPS)
    files = dict(relays.files)
    for name, lines in {
        MAIN: MAPS_LINES if is_maps else MAIN_LINES,
        MASTER: YAML_LINES if is_yaml else MASTER_LINES,
    }.items():
        if draw(st.booleans()):
            files[name] = "\n".join(draw(st.lists(st.sampled_from(lines), max_size=4)))
    return State(relays.env, files)


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("base", BASES)
def test_any_sequence_ends_as_a_first_boot(figures: Figures, base: str) -> None:
    """Whatever the files said before, and whatever the relays were; without inputs all is as it was before us."""

    @settings(max_examples=max(1, EXAMPLES // len(BASES)), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(states=st.lists(states(), min_size=2, max_size=5))
    def check(states: list[State]) -> None:
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
        figures(1, "sequences of inputs with an operator's own files: each ends as a first boot")

    check()


def test_postfix_has_every_line(sandbox: Sandbox) -> None:
    """Each parameter stands in main.cf, the last line of a name counts, continued lines are one; relays or not."""
    prepare(sandbox)
    lines = "message_size_limit = 1\nmaximal_queue_lifetime=1d\n# x = y\nrelay_domains = a.test\n  b.test\n"
    lines += "message_size_limit = 2\n"
    for env in ({}, MAPS.env):
        apply(sandbox, State(env, {MAIN: lines, MASTER: "smtp/unix/smtp_helo_name=own.test\n"}))
        found = sandbox.postconf_n()
        assert (found["message_size_limit"], found["maximal_queue_lifetime"]) == ("2", "1d")
        assert found["relay_domains"].split() == ["a.test", "b.test"]
        assert "-o smtp_helo_name=own.test" in (sandbox.postfix_dir / "master.cf").read_text()


def test_without_a_relay_its_login_counts(sandbox: Sandbox) -> None:
    """What the reports have: a relayhost and a login in the file alone. Postfix gets them; nothing is said to be missing."""
    prepare(sandbox)
    lines = f"relayhost = [r.test]:587\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:me:{SECRET}\n"
    sandbox.write(MAIN, lines)
    said = sandbox.apply()
    found = main_cf.values(sandbox.main_cf.read_text())
    assert (found["relayhost"], found["smtp_sasl_password_maps"]) == ("[r.test]:587", f"static:me:{SECRET}")
    assert said.out == "no relay is set: 0 tables and 3 parameters changed\n"
    assert "smtp_sasl_password_maps can hold a login" in said.err


def test_over_a_managed_service(sandbox: Sandbox) -> None:
    """A line for a relay's service wins over what we give it, and what we give it comes back without the line."""
    prepare(sandbox)
    own = State(
        {},
        YAML.files | {MASTER: "relay-r/unix/smtp_tls_security_level=may\nrelay-r/unix/smtp_bind_address=127.0.0.9\n"},
    )
    apply(sandbox, own)
    service = machine_of(sandbox).services["relay-r"]
    assert service is not None
    overrides = dict(service.overrides)
    assert (overrides["smtp_tls_security_level"], overrides["smtp_bind_address"]) == ("may", "127.0.0.9")
    apply(sandbox, YAML)
    service = machine_of(sandbox).services["relay-r"]
    assert service is not None
    assert dict(service.overrides)["smtp_tls_security_level"] == "secure"
    assert "smtp_bind_address" not in dict(service.overrides)


def test_what_somebody_changed_since(sandbox: Sandbox) -> None:
    """Another value than ours is set again while the line is there."""
    prepare(sandbox)
    state = State({}, {MAIN: "message_size_limit = 2\n", MASTER: "smtp/unix/smtp_helo_name=own.test\n"})
    apply(sandbox, state)
    for name, old, new in (("main.cf", "limit = 2", "limit = 3"), ("master.cf", "=own.test", "=other.test")):
        path = sandbox.postfix_dir / name
        path.write_text(path.read_text().replace(old, new))
    assert apply(sandbox, state).startswith("no relay is set")
    assert sandbox.postconf_n()["message_size_limit"] == "2"
    assert "smtp_helo_name=own.test" in (sandbox.postfix_dir / "master.cf").read_text()
    apply(sandbox, State())
    assert "message_size_limit" not in sandbox.postconf_n()
    assert (sandbox.postfix_dir / "master.cf").read_text() == MASTER_CF


WRONG = {
    "message_size_limit": (MAIN, "# x\nmessage_size_limit\n", "2: is no setting"),
    "two words": (MAIN, "a b = c\n", "1: is no setting"),
    "an option": (MAIN, "-o a=b\n", "1: is no setting"),
    "continues nothing": (MAIN, "\n  relayhost = x\n", "2: begins with a blank"),
    "no type": (MASTER, "smtp/smtp_helo_name=x\n", "1: is no setting of a service"),
    "no value": (MASTER, "#\n\nsmtp/unix/smtp_helo_name\n", "3: is no setting of a service"),
    "all services": (MASTER, "*/unix/smtp_helo_name=x\n", "1: is no setting of a service"),
    "a column": (MASTER, "smtp/unix/chroot=n\n", "1: chroot is a column"),
    "a blank": (MASTER, "smtp/unix/smtp_helo_name=a b\n", "1: the value of smtp_helo_name contains a blank"),
    "a login": (
        MASTER,
        f"smtp/unix/smtp_sasl_password_maps=static:u:{SECRET}\n",
        "1: smtp_sasl_password_maps can hold a login",
    ),
    "no service": (MASTER, "smpt/unix/smtp_helo_name=x\n", "1: there is no service smpt/unix in master.cf"),
    "a relay that is gone": (MASTER, "relay-gone/unix/smtp_helo_name=x\n", "1: there is no service relay-gone/unix"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_line_changes_nothing(sandbox: Sandbox, name: str) -> None:
    """It is an error that names file and line, says what to write, and shows no value."""
    prepare(sandbox)
    before = sandbox.snapshot()
    file, text, said = WRONG[name]
    sandbox.write(MAIN, f"message_size_limit = 2 {SECRET}\n" if file == MASTER else f"{text}x = {SECRET}\n")
    if file == MASTER:
        sandbox.write(file, text)
    result = sandbox.run("apply", env=MAPS.env)
    assert result.code == 78
    assert f"{file}:{said}" in result.err
    assert " -- " in result.err.splitlines()[-1]
    assert SECRET not in result.err + result.out
    assert sandbox.snapshot() == before


VALUES = {
    "message_size_limit": "10 # a comment",
    "soft_bounce": "maybe",
    "relay_domains": "$relay_domains",
    "mydomain": "${own",
    "inet_protocols": "ipv5",
    "mail_owner": "nobody-here",
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_postfix_refuses(sandbox: Sandbox, name: str) -> None:
    """It changes nothing, since no program of Postfix would start; the line is named, also beside others that are wrong."""
    prepare(sandbox)
    before = sandbox.snapshot()
    lines = f"soft_bounce = yes\n{name} = {VALUES[name]}\nmaximal_queue_lifetime = {SECRET}\n"
    sandbox.write(MAIN, lines)
    said = f"Postfix would not start with this value of {name} -- look {name} up in postconf(5)"
    for command in ("apply", "plan"):
        result = sandbox.run(command, env=MAPS.env)
        assert result.code == 78
        assert f"postfix-main.cf:2: {said}" in result.err
        assert SECRET not in result.err
    assert said in sandbox.run("check", env=MAPS.env).out
    assert sandbox.snapshot() == before


def test_no_secret_is_shown(sandbox: Sandbox) -> None:
    """No command shows a value that may be a secret, and the memory of it is 0600."""
    prepare(sandbox, BASE_MAIN_CF + f"my_password = before-{SECRET}\n")
    names = ("my_password", "smtp_sasl_password_maps", "lmtp_sasl_password_maps", "own_table", "own_url", "api_token")
    values = ("{}", "static:me:{}", "static:me:{}", "inline:{{ x={} }}", "ldap://u:{}@h", "{}")
    sandbox.write(MAIN, "".join(f"{n} = {v.format(SECRET)}\n" for n, v in zip(names, values, strict=True)))
    for command in (
        ["plan"],
        ["--log-level", "trace", "apply"],
        ["check"],
        ["show"],
        ["plan"],
        ["explain", "a@b.test"],
    ):
        result = sandbox.run(*command, env=MAPS.env)
        assert SECRET not in result.out + result.err, command
    (sandbox.config_dir / MAIN).unlink()
    for command in (["check"], ["plan"], ["--log-level", "trace", "apply"]):
        result = sandbox.run(*command, env=MAPS.env)
        assert SECRET not in result.out + result.err, command
    sandbox.write(MAIN, f"my_password = {SECRET}\n")
    sandbox.apply()
    state = sandbox.postfix_dir / "dms-relay.state.json"
    assert state.stat().st_mode & 0o777 == 0o600
    assert json.loads(state.read_text())["parameters"]["my_password"]["before"] == f"before-{SECRET}"


def test_plan_shows_what_apply_does(sandbox: Sandbox) -> None:
    """The diff has parameters and services, and nothing more after ``apply``."""
    prepare(sandbox)
    sandbox.write(MAIN, "message_size_limit = 2\n")
    sandbox.write(MASTER, "smtp/unix/smtp_helo_name=own.test\n")
    said = sandbox.run("plan").out
    assert "+message_size_limit = 2" in said
    assert "+smtp/unix -o smtp_helo_name=own.test" in said
    sandbox.apply()
    assert sandbox.run("plan").out == ""
    assert [f for f in sandbox.run("check").out.splitlines() if "apply-due" in f] == []


def test_elsewhere_they_are_not_ours(sandbox: Sandbox) -> None:
    """Without our hook nothing of it is applied, and a warning says so."""
    prepare(sandbox)
    sandbox.write(MAIN, "message_size_limit = 2\nno setting\n")
    sandbox.write(MASTER, "smtp/unix/smtp_helo_name=own.test\n")
    before = sandbox.snapshot()
    with patch.object(dms_relay.sources, "USER_FILES_HOOK", sandbox.config_dir / "none"):
        said = sandbox.apply()
    assert "postfix-main.cf:1: nothing applies this file here, so message_size_limit has no effect" in said.err
    assert "postfix-master.cf:1: nothing applies this file here" in said.err
    assert sandbox.snapshot() == before


class _StoppedError(Exception):
    """The run ends here."""


def _stop_at(number: int, sandbox: Sandbox, state: State) -> bool:
    """Apply, and stop before the given change of a file; return True if it was not reached."""
    left = number

    def counted(change: Callable[..., None]) -> Callable[..., None]:
        def make(*arguments: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise _StoppedError
            change(*arguments)

        return make

    with (
        patch("dms_relay.files.replace", counted(files.replace)),
        patch("dms_relay.postfix.main_cf_file.edit", counted(main_cf_file.edit)),
    ):
        try:
            apply(sandbox, state)
        except _StoppedError:
            return False
    return True


@pytest.mark.parametrize("later", ["the same", "the one before", "none"])
def test_a_run_that_is_cut_short(later: str) -> None:
    """Stopped before any of its changes: the next run ends where a first boot would, and taking all away leaves nothing."""
    old = State({}, MOVED.files | {MAIN: MAIN_LINES[0], MASTER: YAML_LINES[-1] + "\n" + MASTER_LINES[0]})
    new = State(
        {}, YAML.files | {MAIN: MAIN_LINES[1] + "\n" + MAIN_LINES[4], MASTER: MASTER_LINES[1] + "\n" + YAML_LINES[-2]}
    )
    wanted = {"the same": new, "the one before": old, "none": State()}[later]
    number, is_done = 0, False
    while not is_done:
        with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
            sandbox = Sandbox(Path(directory))
            prepare(sandbox)
            before = machine_of(sandbox)
            apply(sandbox, old)
            is_done = _stop_at(number, sandbox, new)
            apply(sandbox, wanted)
            assert machine_of(sandbox) == first_boot(wanted, BASE_MAIN_CF), number
            apply(sandbox, State())
            assert machine_of(sandbox) == before, number
            assert (sandbox.postfix_dir / "master.cf").read_text() == MASTER_CF, number
        number += 1
    assert number > 5
