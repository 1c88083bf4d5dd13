"""A wrong input changes nothing, shows no secret, and is answered with these very words (``tests/invalid_inputs``)."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.invalid_inputs import SECRET, Wrong, files, logins, nexthops, settings
from tests.invalid_inputs.tried import HEADLINE, UNREADABLE, everything, prepare
from tests.support.console import said

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

NOT_VALID = "is not valid, so no mail is relayed for it -- use letters, digits, hyphens and dots only"
CASES = (*nexthops.CASES, *logins.CASES, *settings.CASES, *files.CASES)


def test_each_case_has_a_name_of_its_own() -> None:
    """Whoever reads of a failure finds the case by its name."""
    names = Counter((case.name, tuple(case.files)) for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name}" for case in CASES])
def test_wrong_input(sandbox: Sandbox, case: Wrong) -> None:
    """Each command says the same, exits with the same code and leaves every file as it was, down to its time."""
    env = prepare(sandbox, case)
    before, snapshot = everything(sandbox.config_dir.parent), sandbox.snapshot()
    for command in ("apply", "plan", "show"):
        result = sandbox.run(command, env=env)
        warnings = [("warn", warning) for warning in case.warnings]
        headline = UNREADABLE if case.code == os.EX_NOINPUT else HEADLINE
        assert said(result) == [*warnings, headline, *(("error", error) for error in case.errors)]
        assert (result.code, result.out) == (case.code, "")
        assert SECRET not in result.err
    assert sandbox.snapshot() == snapshot
    assert everything(sandbox.config_dir.parent) == before


def test_all_errors_of_all_inputs_come_at_once_sorted_and_last(sandbox: Sandbox) -> None:
    """One line for each error, sorted by file and line, after the warnings and the headline; 78, as not all are missing."""
    sandbox.write(
        "postfix-relaymap.cf",
        f"@a.test [r.test\n  @b.test b.test\n@c.test user:{SECRET}\n" + "\n" * 8 + "@d.test x:0\n",
    )
    sandbox.write("postfix-sasl-password.cf", f"@a.test {SECRET}\n")
    sandbox.write("relay.env", f"RELAY_PASSWORD='{SECRET}\n")
    sandbox.write("vhost", "a.test\n*.b.test\n")
    env = {"RELAY_HOST": "r.test:25", "RELAY_USER__FILE": "/nowhere", "RELAYHOST": "x", "RELAY_PASSWORD": f"{SECRET} "}
    snapshot = sandbox.snapshot()
    result = sandbox.run("apply", env=env)
    assert said(result) == [
        ("warn", "env RELAYHOST: RELAYHOST is not a setting and has no effect -- set DEFAULT_RELAY_HOST or RELAY_HOST"),
        ("warn", "postfix-relaymap.cf:2: the line is indented -- begin it in the first column"),
        ("warn", f"vhost:2: domain {NOT_VALID}"),
        HEADLINE,
        ("error", 'env RELAY_HOST: host "r.test:25" contains a port -- set RELAY_HOST=r.test and RELAY_PORT=25'),
        ("error", f"env RELAY_PASSWORD: the password {logins.BLANK}"),
        (
            "error",
            f"env RELAY_USER__FILE: the file that it names cannot be read: No such file or directory -- {settings.REMEDY}",
        ),
        ("error", 'postfix-relaymap.cf:1: nexthop "[r.test" has no closing bracket -- write [host]:port'),
        ("error", f"postfix-relaymap.cf:3: {nexthops.NO_PORT}"),
        ("error", f'postfix-relaymap.cf:12: port "0" {settings.PORT}'),
        ("error", "postfix-sasl-password.cf:1: the login has no colon -- write user:password after the key"),
        ("error", f"relay.env:1: {settings.CANNOT_BE_READ}"),
    ]
    assert result.code == os.EX_CONFIG
    assert SECRET not in result.err + result.out
    assert sandbox.snapshot() == snapshot


def test_only_missing_inputs_exit_with_66(sandbox: Sandbox) -> None:
    """Several inputs that cannot be read, and nothing else wrong: exit code 66, not 78."""
    (sandbox.config_dir / "postfix-relaymap.cf").mkdir()
    result = sandbox.run("apply", env={"RELAY_PASSWORD__FILE": "/nowhere", "RELAY_USER_FILE": "/nowhere"})
    assert [text.partition(":")[0] for _, text in said(result)[1:]] == [
        "env RELAY_PASSWORD__FILE",
        "env RELAY_USER_FILE",
        "postfix-relaymap.cf",
    ]
    assert result.code == os.EX_NOINPUT


def test_wrong_inputs_change_nothing_where_a_relay_is_set_up(sandbox: Sandbox) -> None:
    """A relay that works keeps working while its new inputs are wrong."""
    good = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": SECRET}
    sandbox.apply(**good)
    snapshot = sandbox.snapshot()
    result = sandbox.run("apply", env={**good, "DEFAULT_RELAY_HOST": "[r.test]:0"})
    assert result.code == os.EX_CONFIG
    assert sandbox.snapshot() == snapshot


def test_unrelated_files_are_not_read(sandbox: Sandbox) -> None:
    """Managed domains count only with ``RELAY_HOST``: without it, nothing that is wrong in them stops a boot."""
    for name in ("vhost", "postfix-accounts.cf", "postfix-virtual.cf"):
        sandbox.write(name, b"\xff\0 not a domain\n")
    sandbox.apply(DEFAULT_RELAY_HOST="[r.test]:587")


def test_accounts_are_not_read_where_vhost_is_there(sandbox: Sandbox) -> None:
    """``vhost`` is the list of managed domains; the files it is made from do not count beside it."""
    sandbox.write("vhost", "a.test\n")
    sandbox.write("postfix-accounts.cf", b"\xff\n")
    sandbox.apply(RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {"@a.test": "[r.test]:25"}
