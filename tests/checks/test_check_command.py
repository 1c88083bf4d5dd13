"""``dms-relay check``: what it prints, its exit codes, and where there is no Postfix."""

from __future__ import annotations

import json
import os
import sys
from errno import EACCES
from typing import TYPE_CHECKING

import pytest

from dms_relay.files.content import read_whole
from tests.checks.given import DEFAULT, ENV_FILE, HOST, LOGIN, LOGINS, MAIN, RELAYMAP, SECRET, YAML, write
from tests.support.scene import programs_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

FULL = {**DEFAULT, **LOGIN}
TEXT = """\
error    login-for-strangers  postfix-sasl-password.cf:2
         this sender has no relay, so its login is offered to every server that receives the mail -- \
map the sender in postfix-relaymap.cf, or remove the login
warning  opt-out-needs-tls  main.cf
         mail of every other sender, bounces (<>) and forwards among them, goes directly, and \
smtp_tls_security_level = encrypt excludes servers without TLS -- \
set RELAY_ROUTING=transports, which gives each relay its own level
warning  login-without-relay  postfix-sasl-password.cf:1
         no relay has this lookup key, so the login is not used; [h.test]:25 differs in its port -- \
write [h.test]:25 as the key
note     mail-not-relayed  env RELAY_HOST
         mail of @a.test is relayed; mail of every other sender, bounces (<>) and forwards among them, goes directly -- \
set DEFAULT_RELAY_HOST (relay.yaml: default), unless you want that
note     secret-in-environment  env RELAY_PASSWORD
         the password is in the environment, which more people and programs can read than a file -- \
set RELAY_PASSWORD__FILE instead
1 error, 2 warnings, 2 notes (looked at HERE/config, Postfix VERSION in HERE/postfix)
"""


def put_all_kinds(sandbox: Sandbox) -> dict[str, str]:
    """Write inputs of which an error, a warning and a note are true, apply them, and give the environment."""
    write(sandbox, {LOGINS: f"[h.test]:587 u:{SECRET}\n@b.test u:{SECRET}\n", "vhost": "a.test\n"})
    env = {**HOST, **LOGIN}
    sandbox.apply(**env)
    return env


def version_of(sandbox: Sandbox) -> str:
    """Return the version of Postfix, as ``--json`` has it."""
    return str(json.loads(sandbox.run("check", "--json").out)["machine"]["postfix"])


def test_text(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two lines for each finding, errors first, and a last one with the numbers and with what was looked at."""
    env = put_all_kinds(sandbox)
    result = sandbox.run("check", env=env)
    expected = TEXT.replace("VERSION", version_of(sandbox)).replace("HERE", str(tmp_path))
    assert (result.out, result.err, result.code) == (expected, "", 1)


def test_json(sandbox: Sandbox) -> None:
    """``--json`` has the same as one object, with what was looked at."""
    env = put_all_kinds(sandbox)
    result = sandbox.run("check", "--json", env=env)
    document = json.loads(result.out)
    assert [(f["severity"], f["id"], f["origin"]) for f in document["findings"]] == [
        ("error", "login-for-strangers", f"{LOGINS}:2"),
        ("warning", "opt-out-needs-tls", "main.cf"),
        ("warning", "login-without-relay", f"{LOGINS}:1"),
        ("note", "mail-not-relayed", "env RELAY_HOST"),
        ("note", "secret-in-environment", "env RELAY_PASSWORD"),
    ]
    assert document["findings"][4]["remedy"] == "set RELAY_PASSWORD__FILE instead"
    assert document["counts"] == {"errors": 1, "warnings": 2, "notes": 2}
    assert document["inputs"] == {"directory": str(sandbox.config_dir), "usable": True}
    assert document["machine"] == {
        "directory": str(sandbox.postfix_dir),
        "looked_at": True,
        "postfix": version_of(sandbox),
    }
    assert (result.err, result.code) == ("", 1)


def test_nothing_found(sandbox: Sandbox) -> None:
    """Where all is right it says so, and in its exit code."""
    write(sandbox, {LOGINS: f"[r.test]:587 u:{SECRET}\n"})
    sandbox.apply(**DEFAULT)
    result = sandbox.run("check", "--strict", env=DEFAULT)
    assert (result.out.partition(" (")[0], result.code) == ("nothing found", 0)


@pytest.mark.parametrize(
    ("env", "is_strict", "code"),
    [
        ({**FULL, "RELAY_PORT": "587"}, False, 0),
        ({**FULL, "RELAY_PORT": "587"}, True, 1),
        # A note never counts.
        (FULL, True, 0),
        ({**LOGIN, "DEFAULT_RELAY_HOST": "[r.test]:465"}, False, 1),
        ({**LOGIN, "DEFAULT_RELAY_HOST": "[r.test]:465"}, True, 1),
    ],
)
def test_exit_code(sandbox: Sandbox, env: dict[str, str], code: int, *, is_strict: bool) -> None:
    """An error counts, a warning with ``--strict``, a note never."""
    sandbox.apply(**env)
    assert sandbox.run("check", *["--strict"] * is_strict, env=env).code == code


def test_wrong_inputs(sandbox: Sandbox) -> None:
    """Where inputs cannot be used, all that is wrong stands on standard output, once, and the exit code is that of apply."""
    write(sandbox, {RELAYMAP: "@a.test [r.test\n x@b.test [s.test]\n", LOGINS: f"@a.test {SECRET}\n"}, 0o644)
    result = sandbox.run("check", "--json", env={"RELAY_PASS": "x"})
    document = json.loads(result.out)
    assert [(f["severity"], f["id"], f["origin"]) for f in document["findings"]] == [
        ("error", "wrong-input", f"{RELAYMAP}:1"),
        ("error", "wrong-input", f"{LOGINS}:1"),
        ("warning", "unknown-setting", "env RELAY_PASS"),
        ("warning", "doubtful-input", f"{RELAYMAP}:2"),
    ]
    assert document["inputs"]["usable"] is False
    assert document["machine"]["looked_at"] is False
    assert (result.err, result.code) == ("", os.EX_CONFIG)
    assert sandbox.run("check", env={"RELAY_USER__FILE": "/nowhere"}).code == os.EX_CONFIG


def test_a_missing_input(sandbox: Sandbox) -> None:
    """Where all that is wrong is a file that cannot be read, the exit code says that."""
    result = sandbox.run("check", env={"RELAY_USER__FILE": "/nowhere"})
    assert result.code == os.EX_NOINPUT
    assert "env RELAY_USER__FILE\n         the file that it names cannot be read" in result.out
    assert result.out.endswith(f"(looked at {sandbox.config_dir}, not Postfix itself)\n")


def test_no_postfix(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Postfix's programs are not there, the inputs alone are looked at, and a note says so."""
    monkeypatch.setenv("PATH", "/nowhere")
    document = json.loads(sandbox.run("check", "--json", "--strict", env={**LOGIN, "DEFAULT_RELAY_HOST": "r.test"}).out)
    assert [(f["severity"], f["id"], f["origin"]) for f in document["findings"]] == [
        ("warning", "mx-lookup-with-login", "env DEFAULT_RELAY_HOST"),
        ("note", "machine-not-looked-at", str(sandbox.postfix_dir)),
        ("note", "secret-in-environment", "env RELAY_PASSWORD"),
    ]
    assert document["machine"] == {"directory": str(sandbox.postfix_dir), "looked_at": False, "postfix": None}


def test_another_user(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this user may not read is no fault of the machine; root, as whom the tests may run, is refused nothing."""
    sandbox.apply(**DEFAULT)

    def refuse(path: Path, limit: int) -> bytes:
        if path.name == "dms-relay.state.json":
            raise PermissionError(EACCES, os.strerror(EACCES))
        return read_whole(path, limit)

    monkeypatch.setattr(sys.modules["dms_relay.plan.found"], "read_whole", refuse)
    result = sandbox.run("check", env={**DEFAULT, **LOGIN})
    assert "machine-not-looked-at" in result.out
    assert "dms-relay.state.json cannot be read: Permission denied -- run as root" in result.out
    assert result.code == 0


def test_a_failed_program_is_not_a_missing_one(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a program says of its failure, whatever the words, does not make it a program that is missing."""
    programs = programs_with(tmp_path, postconf="echo 'postconf: fatal: x is not found' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    result = sandbox.run("check", env=DEFAULT)
    assert "error    machine-unreadable" in result.out
    assert "failed with exit code 1: postconf: fatal: x is not found -- run that program by hand" in result.out
    assert result.code == 1


def test_nothing_is_written(sandbox: Sandbox) -> None:
    """Neither Postfix's directory nor the inputs are touched."""
    env = put_all_kinds(sandbox)
    before = sandbox.snapshot()
    sandbox.run("check", env=env)
    sandbox.run("check", "--json", env={})
    assert sandbox.snapshot() == before


def test_no_password_is_shown(sandbox: Sandbox) -> None:
    """Whatever holds a password, in whatever way it is wrong: none is shown, by no finding."""
    write(
        sandbox,
        {
            LOGINS: f"@a.test u:{SECRET}\n[x.test] u:{SECRET}\n",
            MAIN: f"smtp_sasl_password_maps = static:u:{SECRET}\nsmtp_tls_security_level = may\n",
            ENV_FILE: f"RELAY_USER=u\nRELAY_PASSWORD={SECRET} #\n",
            "vhost": "b.test\n",
        },
        0o644,
    )
    sandbox.apply(**HOST)
    sandbox.write_main_cf(sandbox.main_cf.read_text().replace("static:u:", "static:v:"))
    for command in (["check"], ["check", "--json"]):
        result = sandbox.run(*command, env=HOST)
        assert "parameter-changed" in result.out
        assert SECRET not in result.out + result.err


def test_no_password_of_relay_yaml_is_shown(sandbox: Sandbox) -> None:
    """The same where relay.yaml is wrong."""
    write(
        sandbox,
        {YAML: f"version: 1\nrelays:\n  r: {{host: r.test, login: {{username: u, pasword: {SECRET}}}}}\n"},
        0o644,
    )
    result = sandbox.run("check")
    assert result.code == os.EX_CONFIG
    assert SECRET not in result.out + result.err


def test_main_cf_that_postfix_cannot_read(sandbox: Sandbox) -> None:
    """A Postfix that cannot run is an error, and not one that was not looked at."""
    sandbox.write_main_cf(sandbox.main_cf.read_text() + "this is no setting\n")
    result = sandbox.run("check", env={"DEFAULT_RELAY_HOST": "[r.test]:587"})
    assert result.code == 1
    assert "error    machine-unreadable" in result.out
    assert "postconf -x failed" in result.out
