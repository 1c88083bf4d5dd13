"""``postfix-main.cf`` and ``postfix-master.cf`` where they are ours to apply, as in our own image."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest

import dms_relay.sources
from dms_relay.postfix import main_cf
from tests.support.machine import MASTER_CF, machine_of, prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.states import MAPS, State, apply

MAIN, MASTER = "postfix-main.cf", "postfix-master.cf"
SECRET = "s3cret-P4ss"
YAML = State(
    {},
    {
        "relay.yaml": "version: 1\nrelays: {r: {host: r.test, login: {username: u, password: s3cret}}, s: {host: s.test}}\n"
        "default: r\nsenders: {one.test: s}\nrecipients: {far.test: r}\n"
    },
)
pytestmark = pytest.mark.usefixtures("our_image")


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


def test_a_name_that_the_login_takes_its_value_from(sandbox: Sandbox) -> None:
    """What the table of logins refers to is hidden in each line of the log, as it is set and as it is put back."""
    prepare(sandbox)
    lines = f"smtp_sasl_password_maps = static:me:$first\nfirst = {SECRET}\nsecond = shown\n"
    said = []
    for text in (lines, ""):
        sandbox.write(MAIN, text)
        said += [sandbox.apply(LOG_LEVEL="trace", DEFAULT_RELAY_HOST="[r.test]:587").err]
    assert SECRET not in "".join(said)
    assert "parameter=first value=********" in said[0]
    assert "parameter=second value=shown" in said[0]


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
    "message_size_limit": (MAIN, "# x\nmessage_size_limit\n", "2: is not a setting"),
    "two words": (MAIN, "a b = c\n", "1: is not a setting"),
    "an option": (MAIN, "-o a=b\n", "1: is not a setting"),
    "continues nothing": (MAIN, "\n  relayhost = x\n", "2: begins with a blank"),
    "no type": (MASTER, "smtp/smtp_helo_name=x\n", "1: is not a setting of a service"),
    "no value": (MASTER, "#\n\nsmtp/unix/smtp_helo_name\n", "3: is not a setting of a service"),
    "all services": (MASTER, "*/unix/smtp_helo_name=x\n", "1: is not a setting of a service"),
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


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_postfix_refuses(sandbox: Sandbox, name: str) -> None:
    """It changes nothing, since no program of Postfix would start; the line is named, also beside others that are wrong."""
    prepare(sandbox)
    before = sandbox.snapshot()
    lines = f"soft_bounce = yes\n{name} = {VALUES[name]}\nmaximal_queue_lifetime = {SECRET}\n"
    sandbox.write(MAIN, lines)
    said = f"Postfix would not start with this value of {name} -- look {name} up in postconf(5)"
    # What is fatal to a program of Postfix makes it wait for a second, so the others are asked of one value alone.
    for command in ("apply", "plan") if name == "soft_bounce" else ("apply",):
        result = sandbox.run(command, env=MAPS.env)
        assert result.code == 78
        assert f"postfix-main.cf:2: {said}" in result.err
        assert SECRET not in result.err
    assert name != "soft_bounce" or said in sandbox.run("check", env=MAPS.env).out
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
    assert sandbox.run("plan").out.startswith("nothing to do")
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
