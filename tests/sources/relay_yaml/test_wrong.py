"""What is wrong in ``relay.yaml`` changes nothing, shows no secret, and is answered with these very words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.invalid_inputs import (
    SECRETS,
    Odd,
    Wrong,
    relay_yaml_hosts,
    relay_yaml_logins,
    relay_yaml_oauth2,
    relay_yaml_routes,
    relay_yaml_structure,
)
from tests.invalid_inputs.tried import HEADLINE, UNREADABLE, everything, prepare
from tests.support.amounts import Figures, amount
from tests.support.console import said

if TYPE_CHECKING:
    from tests.support.sandbox import Result, Sandbox

NAME = "relay.yaml"
MODULES = (relay_yaml_structure, relay_yaml_hosts, relay_yaml_logins, relay_yaml_oauth2, relay_yaml_routes)
CASES = tuple(case for module in MODULES for case in module.CASES)
COMMANDS = ("apply", "plan", "show")
TOO_DEEP = "nested too deeply -- write it as docs/relay-yaml.md shows"
#: Parts of the password that stands in the cases; most mistakes break it into these.
PARTS = ("s3cret", "P4ss", "12345678")


def env_of(sandbox: Sandbox, case: Wrong) -> dict[str, str]:
    """Make the files of a case, with the place of its secret files in them, and give its environment."""
    text = case.files[NAME]
    if isinstance(text, str):
        text = text.replace(SECRETS, str(sandbox.config_dir.parent / "secrets"))
    return prepare(sandbox, replace(case, files={**case.files, NAME: text}))


def shows_a_secret(result: Result) -> bool:
    """Return True if a part of the password stands in what a run said."""
    return any(part in result.out + result.err for part in PARTS)


def test_each_case_has_a_name_of_its_own() -> None:
    """Whoever reads of a failure finds the case by its name."""
    names = Counter(case.name for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_wrong_file(sandbox: Sandbox, case: Wrong) -> None:
    """Each command says the same, exits with the same code and leaves every file as it was, down to its time."""
    env = env_of(sandbox, case)
    before, snapshot = everything(sandbox.config_dir.parent), sandbox.snapshot()
    headline = UNREADABLE if case.code == os.EX_NOINPUT else HEADLINE
    warnings = [("warn", warning) for warning in case.warnings]
    for command in COMMANDS:
        result = sandbox.run(command, env=env)
        assert said(result) == [*warnings, headline, *(("error", error) for error in case.errors)]
        assert (result.code, result.out) == (case.code, "")
        assert not shows_a_secret(result)
    assert sandbox.snapshot() == snapshot
    assert everything(sandbox.config_dir.parent) == before


def test_wrong_files_where_relays_are_set_up(sandbox: Sandbox) -> None:
    """Relays that work keep working while their file is wrong, in whatever way."""
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - y - - smtp\n", "ascii")
    sandbox.write(NAME, "version: 1\ndefault: r\nrelays: {r: {host: old.test, login: {username: u, password: old}}}\n")
    sandbox.apply()
    snapshot = sandbox.snapshot()
    alone = [case for case in CASES if list(case.files) == [NAME] and not case.secrets]
    for case in alone:
        assert sandbox.run("apply", env=env_of(sandbox, case)).code == case.code
        assert sandbox.snapshot() == snapshot
    assert alone


@pytest.mark.parametrize("odd", [Odd.DIRECTORY, Odd.BROKEN_LINK, Odd.LINK_LOOP])
def test_a_file_that_cannot_be_read(sandbox: Sandbox, odd: Odd) -> None:
    """It is missing, exit code 66; nothing is said of what it might hold."""
    reasons = {
        Odd.DIRECTORY: "is a directory: a mounted file must exist before the container is created",
        Odd.BROKEN_LINK: "is a link to a file that does not exist",
        Odd.LINK_LOOP: "cannot be read: Too many levels of symbolic links",
    }
    env = prepare(sandbox, Wrong("odd", (), {"RELAY_USER": "", "RELAY_PASSWORD": ""}, {NAME: odd}))
    result = sandbox.run("apply", env=env)
    assert said(result) == [UNREADABLE, ("error", f"{NAME}: {reasons[odd]} -- repair the file, or remove it")]
    assert result.code == os.EX_NOINPUT


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("version: 1\nrelays: " + "[" * 100_000, "2:24"),
        ("version: 1\nrelays: " + "{a: " * 100_000, "2:69"),
        ("- " * 100_000, "1:33"),
        ("? " * 100_000, "1:33"),
        ("[" * 100_000 + "]" * 100_000, "1:17"),
    ],
    ids=["brackets", "braces", "lists", "keys", "closed"],
)
def test_nested_a_hundred_thousand_times(sandbox: Sandbox, text: str, place: str) -> None:
    """A process of its own answers as to any wrong file, and does not die: the C code that reads YAML has no limit."""
    sandbox.write(NAME, text)
    command = [sys.executable, "-m", "dms_relay", *sandbox.arguments("apply")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == os.EX_CONFIG
    assert done.stderr.splitlines()[-1].endswith(f"{NAME}:{place}: {TOO_DEEP}")


def test_aliases_that_multiply(sandbox: Sandbox) -> None:
    """Thirty times twice the one before would be a thousand million: that is refused where it becomes too much."""
    lines = [f"  a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}\n" for n in range(1, 30)]
    sandbox.write(NAME, "version: 1\nrelays:\n  a0: &a0 {host: a.test}\n" + "".join(lines))
    result = sandbox.run("apply")
    assert result.code == os.EX_CONFIG
    [_, (_, text)] = said(result)
    assert text.startswith(f"{NAME}:18:17: aliases (*) expand to more than ")


def test_what_takes_the_whole_file_to_see_comes_with_the_rest(sandbox: Sandbox) -> None:
    """A login that its level does not protect, and a recipient of this server's own, beside a slip elsewhere."""
    sandbox.write("vhost", "own.test\n")
    sandbox.write(
        NAME,
        "version: 1\nrelays:\n  a: {host: a.test, prot: 25, tls: {level: may}}\n"
        "senders:\n  b.test: {relay: a, login: {username: u, password: s3cret}}\nrecipients:\n  own.test: a\n",
    )
    texts = [text.partition(" -- ")[0] for level, text in said(sandbox.run("apply"))[1:] if level == "error"]
    assert texts == [
        f"{NAME}:3:3: level may does not protect the login at relay a",
        f"{NAME}:3:21: unknown key",
        f"{NAME}:7:3: own.test is a domain of this server (vhost:1), so its mail must not leave",
    ]


def test_all_at_once_and_sorted(sandbox: Sandbox) -> None:
    """Everything that is wrong in the file and beside it comes in one report, by file, line and column."""
    sandbox.write("postfix-relaymap.cf", "@a.test [r.test\n")
    sandbox.write(
        NAME,
        "version: 2\nrelays:\n"
        "  a: {host: a.test, port: 0, prot: 1, login: {username: u, password_file: /nowhere/pw}}\n"
        "  b: {hosts: [b.test, 12], tls: {level: high}}\n"
        "default: c\nsenders:\n  a.test: b\n  '@A.test': a\n  b.test: d\nrecipients:\n  '*': a\n",
    )
    result = sandbox.run("apply", env={"RELAY_ROUTING": "x"})
    assert said(result) == [
        HEADLINE,
        ("error", "env RELAY_ROUTING: the value is not one of those allowed -- write one of maps, transports"),
        ("error", 'postfix-relaymap.cf:1: nexthop "[r.test" has no closing bracket -- write [host]:port'),
        *(
            ("error", f"{NAME}:{error}")
            for error in (
                '1:10: "2" is not 1 -- write 1',
                '3:27: "0" is not a number from 1 to 65535 -- write a number from 1 to 65535',
                "3:30: unknown key -- write port",
                (
                    "3:75: the file that it names cannot be read: No such file or directory -- "
                    "mount the file, or name another"
                ),
                '4:23: "12" is a number to YAML, not a host, or host:port -- put it in quotes',
                (
                    '4:41: "high" is not one of those allowed -- '
                    "write one of secure, verify, dane-only, dane, fingerprint, encrypt, may, none"
                ),
                "5:10: there is no relay of this name -- write a or b or direct, or add it to relays",
                "8:3: the key is already at 7:3 -- keep only one of them: YAML would silently drop the first",
                "9:11: there is no relay of this name -- write a or b or direct, or add it to relays",
                "11:3: * is not a recipient -- write default: for all other mail",
            )
        ),
    ]
    assert result.code == os.EX_CONFIG


#: Files that are right, with passwords in several forms; QZ stands in nothing else.
RIGHT = (
    """\
version: 1
default: r
relays:
  r:
    host: r.test
    port: 465
    login:
      username: u
      password: QZ1,QZ2:QZ3
    tls: {level: encrypt}
  s: {hosts: [a.test, "b.test:25"], login: &login {username: u, password: "QZ1 QZ2}QZ3"}}
senders:
  a.test: {relay: r, login: {username: v, password: 'QZ1#QZ2 QZ3'}}
  <>: direct
  b.test: {relay: s, login: *login}
recipients:
  b.test: s
""",
    "{version: 1, relays: {r: {host: r.test, login: {username: u, password: QZ1}}}, default: r}\n",
)
PIECES = (
    *" \n\t{}[],:#&*!|>'\"%@`-?.<~0aZ\\\0\r\ufeff\u2028\x85\x01é",
    "\n\n",
    ": ",
    " #",
    "- ",
    "<<: ",
    "---\n",
    "!!",
    "\r\n",
)
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 6), st.sampled_from(PIECES) | st.just("")), min_size=1, max_size=6
)


@pytest.mark.soak
@settings(max_examples=amount(60, 5000), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(RIGHT), edits)
def test_slips(sandbox: Sandbox, figures: Figures, text: str, slips: list[tuple[float, int, str]]) -> None:
    """Whatever slips into a file that was right: done, or 78 with errors; and no message shows any part of a password."""
    for where, gone, new in slips:
        at = int(where * len(text))
        text = text[:at] + new + text[at + gone :]
    sandbox.write(NAME, text)
    result = sandbox.run("show", env={})
    event(f"show: {result.code}")
    assert result.code in {os.EX_OK, os.EX_CONFIG}
    if result.code == os.EX_CONFIG:
        assert "QZ" not in result.err + result.out
    figures(1, "slips in relay.yaml: done or refused, and no password is shown")
