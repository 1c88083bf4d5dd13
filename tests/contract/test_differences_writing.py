"""Where this project differs from relay.sh on purpose, row by row of the contract: logins, relays, and what is written."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.console import of_level
from tests.support.sandbox import BASE_MAIN_CF, Sandbox

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}
RELAY = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
WRITTEN = ("dms-relay.state.json", "main.cf", "relayhost_map", "sasl_passwd")


def test_empty_secret_file(sandbox: Sandbox) -> None:
    """An empty secret file sets nothing, with a warning."""
    path = sandbox.write("secret", b"\n")
    result = sandbox.apply(**RELAY, RELAY_USER="user", RELAY_PASSWORD__FILE=str(path))
    assert sandbox.table("sasl_passwd") is None
    assert of_level(result, "warn") == [
        (
            "env DEFAULT_RELAY_HOST: no login is set: relays are used without a login, at the TLS level of main.cf -- "
            "set RELAY_USER and RELAY_PASSWORD__FILE, or write postfix-sasl-password.cf"
        ),
        "env RELAY_PASSWORD__FILE: the file that it names is empty, so nothing is set -- write the value into the file",
        "env RELAY_USER: RELAY_USER has no effect without RELAY_PASSWORD -- set RELAY_PASSWORD__FILE",
    ]


def test_two_spellings_of_a_secret_file(sandbox: Sandbox) -> None:
    """``NAME__FILE`` goes before ``NAME_FILE`` where both are there."""
    first, second = sandbox.write("first", "one\n"), sandbox.write("second", "two\n")
    env = {"RELAY_PASSWORD_FILE": str(second), "RELAY_PASSWORD__FILE": str(first), "RELAY_USER": "user"}
    result = sandbox.apply(**RELAY, **env)
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "user:one"}
    assert of_level(result, "warn") == [
        "env RELAY_PASSWORD_FILE: has no effect, because RELAY_PASSWORD__FILE is set -- keep only one of them"
    ]


@pytest.mark.parametrize(
    ("given", "missing", "remedy"),
    [("RELAY_USER", "RELAY_PASSWORD", "RELAY_PASSWORD__FILE"), ("RELAY_PASSWORD", "RELAY_USER", "RELAY_USER")],
)
def test_half_a_login(sandbox: Sandbox, given: str, missing: str, remedy: str) -> None:
    """Of user name and password only one: a warning names the other, also where the file is there."""
    sandbox.write(LOGINS, "[r.test]:587 file:1\n")
    result = sandbox.apply(**RELAY, **{given: "s3cret"})
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "file:1"}
    assert of_level(result, "warn") == [f"env {given}: {given} has no effect without {missing} -- set {remedy}"]


def test_login_without_a_relay(sandbox: Sandbox) -> None:
    """A login, and no relay to use it at: nothing is configured, with a warning for each place that has one."""
    sandbox.write(LOGINS, "# a comment\n@a.test user:s3cret\n")
    before = sandbox.snapshot()
    result = sandbox.apply(**LOGIN)
    assert sandbox.snapshot() == before
    remedy = "set DEFAULT_RELAY_HOST or RELAY_HOST, or write postfix-relaymap.cf"
    assert of_level(result, "warn") == [
        f"env RELAY_USER: a login is set, but no relay, so nothing is configured -- {remedy}",
        f"{LOGINS}:2: a login is set, but no relay, so nothing is configured -- {remedy}",
    ]
    assert result.out == "nothing to do: no relay is set\n"


def test_login_of_the_environment_without_a_default_relay(sandbox: Sandbox) -> None:
    """``RELAY_USER`` is for the default relay: where there is none, a warning says so."""
    sandbox.write(RELAYMAP, "@a.test [r.test]:587\n")
    result = sandbox.apply(**LOGIN)
    assert sandbox.table("sasl_passwd") == {}
    assert of_level(result, "warn") == [
        (
            "env RELAY_USER: RELAY_USER and RELAY_PASSWORD have no effect: there is no default relay -- "
            "set DEFAULT_RELAY_HOST or RELAY_HOST"
        )
    ]


def test_login_of_the_file_that_no_relay_will_ask_for(sandbox: Sandbox) -> None:
    """A login whose key is no relay's, or whose sender has none, is written as it stands, with a warning."""
    sandbox.write(RELAYMAP, "@a.test [r.test]:587\nuser@c.test [r.test]:587\n")
    sandbox.write(LOGINS, "r.test:587 u:1\n[R.test]:587 u:2\n@a.test u:3\nx@a.test u:4\n@b.test u:5\n@C.test u:6\n")
    result = sandbox.apply()
    assert sandbox.table("sasl_passwd") == {
        "r.test:587": "u:1",
        "[r.test]:587": "u:2",
        "@a.test": "u:3",
        "x@a.test": "u:4",
        "@b.test": "u:5",
        "@c.test": "u:6",
    }
    assert of_level(result, "warn") == [
        (
            f"{LOGINS}:1: no relay has this lookup key, so the login is not used; "
            f"[r.test]:587 differs in its brackets, and already has the login of {LOGINS}:2 -- remove one of the two lines"
        ),
        *(
            f"{LOGINS}:{line}: this sender has no relay, so its login is offered to every server that receives the mail -- "
            "map the sender in postfix-relaymap.cf, or remove the login"
            for line in (5, 6)
        ),
    ]


@pytest.mark.parametrize(
    "value", ["[a.test]:587, [b.test]:587", "[a.test]:587,[b.test]:587", "[a.test]:587\t[b.test]:587"]
)
def test_several_nexthops(sandbox: Sandbox, value: str) -> None:
    """Each nexthop of a list has its own login entry: Postfix asks for them one by one."""
    sandbox.apply(**LOGIN, DEFAULT_RELAY_HOST=value)
    assert sandbox.table("sasl_passwd") == {"[a.test]:587": "user:s3cret", "[b.test]:587": "user:s3cret"}
    assert sandbox.postconf_n()["relayhost"] == value.replace("\t", " ")


@pytest.mark.parametrize(
    "host",
    [
        "smtp-relay",
        "mail_relay",
        "a_b.test",
        "192.0.2.1",
        "2001:db8::1",
        "::1",
        "[2001:db8::1]",
        "IPv6:::1",
        "bücher.test",
    ],
)
def test_unusual_relay_hosts(sandbox: Sandbox, host: str) -> None:
    """A single label, an underscore and addresses are accepted; the colons of an IPv6 address are no port."""
    sandbox.write("vhost", "a.test\n")
    sandbox.apply(RELAY_HOST=host, RELAY_PORT="2525")
    assert sandbox.table("relayhost_map") == {"@a.test": f"[{host.strip('[]')}]:2525"}


def test_relay_host_without_a_managed_domain(sandbox: Sandbox) -> None:
    """``RELAY_HOST`` with no managed domain relays nothing: a warning says so and names ``DEFAULT_RELAY_HOST``."""
    result = sandbox.apply(**LOGIN, RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {}
    assert of_level(result, "warn") == [
        (
            "env RELAY_HOST: RELAY_HOST is not used: there is no managed domain -- "
            "set DEFAULT_RELAY_HOST, or add an account to postfix-accounts.cf"
        )
    ]


def test_input_removed_before_a_re_run(sandbox: Sandbox) -> None:
    """After every run the result is what a first boot with today's inputs gives; parameters go back to what they were."""
    sandbox.write_main_cf(BASE_MAIN_CF.replace("relayhost =", "relayhost = [before.test]"))
    first, parameters = sandbox.snapshot(), sandbox.postconf_n()
    path = sandbox.write(LOGINS, "@a.test a:1\n")
    sandbox.apply(**RELAY, **LOGIN)
    path.unlink()
    sandbox.apply(**RELAY, **LOGIN)
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "user:s3cret"}
    assert "smtp_sender_dependent_authentication" not in sandbox.postconf_n()
    sandbox.apply()
    assert sandbox.postconf_n() == parameters
    assert sandbox.snapshot().keys() == first.keys()


def test_files_are_replaced_whole(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is put in place by rename, its mode set before its first octet; no reader sees a part of it."""
    sandbox.apply(**RELAY, **LOGIN)
    (sandbox.postfix_dir / "sasl_passwd").chmod(0o644)
    inodes = {name: (sandbox.postfix_dir / name).stat().st_ino for name in WRITTEN}
    sizes: list[int] = []
    old: list[str] = []
    fchmod, rename = os.fchmod, Path.rename

    def watched_fchmod(descriptor: int, mode: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600
        fchmod(descriptor, mode)

    def watched_rename(path: Path, target: Path) -> Path:
        if target.name == "sasl_passwd":
            old.append(target.read_text())
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert path.stat().st_ino != target.stat().st_ino
        return rename(path, target)

    monkeypatch.setattr(os, "fchmod", watched_fchmod)
    monkeypatch.setattr(Path, "rename", watched_rename)
    sandbox.apply(DEFAULT_RELAY_HOST="[s.test]:587", RELAY_USER="user", RELAY_PASSWORD="other")
    monkeypatch.undo()
    assert sizes
    assert set(sizes) == {0}
    assert old[0] == "[r.test]:587\tuser:s3cret\n"
    assert inodes["main.cf"] != (sandbox.postfix_dir / "main.cf").stat().st_ino
    assert inodes["relayhost_map"] == (sandbox.postfix_dir / "relayhost_map").stat().st_ino


def test_tables_belong_to_whom_they_should(sandbox: Sandbox) -> None:
    """Both tables, and what is remembered, are 0600 and belong to who runs the command: root, at a boot."""
    sandbox.apply(**RELAY, **LOGIN)
    for name in ("sasl_passwd", "relayhost_map", "dms-relay.state.json"):
        status = (sandbox.postfix_dir / name).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o600, os.geteuid(), os.getegid())


@pytest.mark.parametrize("domains", [1, 2000])
def test_cost_does_not_grow_with_the_domains(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, domains: int) -> None:
    """However many domains are managed, no program of Postfix's is called."""
    sandbox.write("vhost", "".join(f"d{number}.test\n" for number in range(domains)))
    calls: list[str] = []
    spawn = os.posix_spawn

    def counted(path: str, *others: Any, **options: Any) -> int:  # noqa: ANN401 -- passed on
        calls.append(Path(path).name)
        return spawn(path, *others, **options)

    monkeypatch.setattr(os, "posix_spawn", counted)
    sandbox.apply(**LOGIN, RELAY_HOST="r.test")
    assert calls == []


def test_files_just_written_are_not_hot(sandbox: Sandbox) -> None:
    """What was written has a time at least 2 s back, so that Postfix does not wait for it to cool down."""
    sandbox.apply(**RELAY, **LOGIN)
    now = time.time()
    for name in WRITTEN:
        assert (sandbox.postfix_dir / name).stat().st_mtime <= now - 2, name


def test_secret_file_at_a_re_run(sandbox: Sandbox) -> None:
    """A secret file is read again at each run."""
    path = sandbox.write("secret", "old\n")
    env = {**RELAY, "RELAY_USER": "user", "RELAY_PASSWORD__FILE": str(path)}
    sandbox.apply(**env)
    path.write_text("new")
    sandbox.apply(**env)
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "user:new"}


def test_parameter_of_postfix_main_cf(sandbox: Sandbox) -> None:
    """Where ``postfix-main.cf`` sets one of our parameters, its last value stands in place of ours, and the log says so."""
    sandbox.write(
        "postfix-main.cf", "smtp_tls_security_level = none\n# x\nsmtp_tls_security_level =\n  may\nmyhostname = x\n"
    )
    result = sandbox.apply(**RELAY, **LOGIN)
    found = sandbox.postconf_n()
    assert (found["smtp_tls_security_level"], found["relayhost"]) == ("may", "[r.test]:587")
    assert found["myhostname"] == "mail.example.test"
    origin = "parameter=smtp_tls_security_level origin=postfix-main.cf:3"
    text = "postfix-main.cf overrides a managed parameter"
    assert any(line.startswith(text) and set(origin.split()) <= set(line.split()) for line in of_level(result, "info"))
    assert sandbox.run("plan", env={**RELAY, **LOGIN}).out == "nothing to do\n"
