"""What ``list`` shows: each sender that the inputs speak of, with its relay, its login and where they stand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
SECRET = "s3cret-P4ss"
DEFAULT = {"DEFAULT_RELAY_HOST": "[d.test]:587"}
HOST = {"RELAY_HOST": "h.test", "RELAY_PORT": "2525"}
LOGIN = {"RELAY_USER": "env-user", "RELAY_PASSWORD": SECRET}
#: Sender, relay, logins, origins; a relay with ``!`` before it is that of a sender that is opted out.
Row = tuple[str | None, str | None, list[str], list[str]]


@dataclass(frozen=True)
class Case:
    """Inputs, and the rows that come of them."""

    name: str
    rows: list[Row]
    env: dict[str, str] = field(default_factory=dict)
    relaymap: str | None = None
    logins: str | None = None
    vhost: str = ""


CASES = (
    Case("nothing", []),
    Case(
        "a mapping with a login by nexthop",
        [("@a.test", "[r.test]:587", ["u"], [f"{RELAYMAP}:1", f"{LOGINS}:1"])],
        relaymap="@a.test [r.test]:587\n",
        logins=f"[r.test]:587 u:{SECRET}\n",
    ),
    Case(
        "a login by sender goes before",
        [
            ("@a.test", "[r.test]:587", ["a"], [f"{RELAYMAP}:1", f"{LOGINS}:2"]),
            ("u@a.test", "[s.test]", ["a"], [f"{RELAYMAP}:2", f"{LOGINS}:2"]),
            ("@b.test", "[r.test]:587", ["r"], [f"{RELAYMAP}:3", f"{LOGINS}:1"]),
        ],
        relaymap="@a.test [r.test]:587\nu@a.test [s.test]\n@b.test [r.test]:587\n",
        logins=f"[r.test]:587 r:{SECRET}\n@a.test a:{SECRET}\n",
    ),
    Case(
        "a login of an address without a route of its own",
        [
            ("@a.test", "[r.test]:587", [], [f"{RELAYMAP}:1"]),
            ("u@a.test", "[r.test]:587", ["u"], [f"{RELAYMAP}:1", f"{LOGINS}:1"]),
            ("@b.test", None, ["b"], [f"{LOGINS}:2"]),
        ],
        relaymap="@a.test [r.test]:587\n",
        logins=f"u@a.test u:{SECRET}\n@b.test b:{SECRET}\n",
    ),
    Case(
        "the page: RELAY_HOST, an opt-out, the login of ENV",
        [
            ("@a.test", "[r.test]:587", ["r"], [f"{RELAYMAP}:1", f"{LOGINS}:1"]),
            ("@c.test", "[h.test]:2525", ["env-user"], ["env RELAY_HOST", "env RELAY_USER, env RELAY_PASSWORD"]),
            ("@b.test", "!", [], [f"{RELAYMAP}:2"]),
        ],
        env=HOST | LOGIN,
        relaymap="@a.test [r.test]:587\n@b.test\n",
        logins=f"@a.test r:{SECRET}\n",
        vhost="a.test\nb.test\nc.test\n",
    ),
    Case(
        "an opt-out that DEFAULT_RELAY_HOST takes back",
        [
            (
                "@b.test",
                "![d.test]:587",
                ["env-user"],
                [f"{RELAYMAP}:1", "env DEFAULT_RELAY_HOST", "env RELAY_USER, env RELAY_PASSWORD"],
            ),
            ("*", "[d.test]:587", ["env-user"], ["env DEFAULT_RELAY_HOST", "env RELAY_USER, env RELAY_PASSWORD"]),
        ],
        env=DEFAULT | LOGIN,
        relaymap="@b.test\n",
    ),
    Case(
        "bounces have no login of their own",
        [("<>", "[r.test]:587", ["r"], [f"{RELAYMAP}:1", f"{LOGINS}:1"])],
        relaymap="<> [r.test]:587\n",
        logins=f"[r.test]:587 r:{SECRET}\n",
    ),
    Case(
        "several relays, each with its login; one by its host alone; one that is not used",
        [
            ("@a.test", "[r.test]:587, [s.test]", ["r", "s"], [f"{RELAYMAP}:1", f"{LOGINS}:1", f"{LOGINS}:2"]),
            (None, "[t.test]:25", ["t"], [f"{LOGINS}:3"]),
        ],
        relaymap="@a.test [r.test]:587, [s.test]\n",
        logins=f"[R.test]:587 r:{SECRET}\ns.test s:{SECRET}\n[t.test]:25 t:{SECRET}\n",
    ),
    Case(
        "without brackets the host is found by an MX lookup, and its login unknown here",
        [("*", "r.test:587", [], ["env DEFAULT_RELAY_HOST"]), (None, "r.test", ["r"], [f"{LOGINS}:1"])],
        env={"DEFAULT_RELAY_HOST": "r.test:587"},
        logins=f"r.test r:{SECRET}\n",
    ),
    Case(
        "DUNNO, and an opted-out domain with a login of one address",
        [
            ("@a.test", "[d.test]:587", ["d"], ["env DEFAULT_RELAY_HOST", f"{LOGINS}:1"]),
            ("@b.test", "![d.test]:587", ["d"], [f"{RELAYMAP}:2", "env DEFAULT_RELAY_HOST", f"{LOGINS}:1"]),
            ("u@b.test", "![d.test]:587", ["u"], [f"{RELAYMAP}:2", "env DEFAULT_RELAY_HOST", f"{LOGINS}:2"]),
            ("*", "[d.test]:587", ["d"], ["env DEFAULT_RELAY_HOST", f"{LOGINS}:1"]),
        ],
        env=DEFAULT,
        relaymap="@a.test DUNNO\n@b.test\n",
        logins=f"[d.test]:587 d:{SECRET}\nu@b.test u:{SECRET}\n",
    ),
    Case(
        "logins without any relay",
        [("@a.test", None, ["a"], [f"{LOGINS}:1"]), (None, "[r.test]:25", ["********"], [f"{LOGINS}:2"])],
        logins=f"@a.test a:{SECRET}\n[r.test]:25 {SECRET}:{SECRET}\n",
    ),
)


def prepare(sandbox: Sandbox, case: Case) -> None:
    """Write the inputs."""
    for name, text in ((RELAYMAP, case.relaymap), (LOGINS, case.logins), ("vhost", case.vhost)):
        if text is not None:
            sandbox.write(name, text)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_json(sandbox: Sandbox, case: Case) -> None:
    """``--json``: an array of objects, one for each row; no password anywhere."""
    prepare(sandbox, case)
    result = sandbox.run("list", "--json", env=case.env)
    assert result.code == 0, result.err
    assert json.loads(result.out) == [
        {
            "sender": sender,
            "relay": (relay or "").removeprefix("!") or None,
            "excluded": (relay or "").startswith("!"),
            "logins": logins,
            "origins": origins,
        }
        for sender, relay, logins, origins in case.rows
    ]
    assert SECRET not in result.out + result.err


@pytest.mark.parametrize("case", CASES[1:], ids=[case.name for case in CASES[1:]])
def test_table(sandbox: Sandbox, case: Case) -> None:
    """A table: a line of titles, and a line for each row, in columns."""
    prepare(sandbox, case)
    result = sandbox.run("list", env=case.env)
    title, *lines = result.out.splitlines()
    assert title.split() == ["SENDER", "RELAY", "LOGIN", "ORIGIN"]
    starts = [title.index(word) for word in title.split()]
    columns = [*zip(starts, [*starts[1:], None], strict=True)]
    found = [tuple(line[start:end].strip() for start, end in columns) for line in lines]
    assert found == [
        (sender or "-", (relay or "-").removeprefix("!") or "excluded", ", ".join(logins) or "-", ", ".join(origins))
        for sender, relay, logins, origins in case.rows
    ]
    assert SECRET not in result.out + result.err


def test_nothing(sandbox: Sandbox) -> None:
    """Where nothing is set, it says so."""
    assert sandbox.run("list").out == "no relay and no login is set\n"


def test_warnings_and_errors_are_said(sandbox: Sandbox) -> None:
    """Warnings of the inputs come on standard error; with errors there is no list."""
    sandbox.write(RELAYMAP, "@a.test\n")
    result = sandbox.run("list")
    assert of_level(result, "warn")[1].startswith(f"{RELAYMAP}:1: the opt-out of @a.test has no effect")
    sandbox.write(RELAYMAP, "@a.test [r.test\n")
    result = sandbox.run("list")
    assert (result.code, result.out) == (78, "")


def test_an_operators_own_relayhost(sandbox: Sandbox) -> None:
    """A ``relayhost`` in ``postfix-main.cf`` stands for every other sender, whatever is in it."""
    sandbox.write(LOGINS, f"[o.test]:25 o:{SECRET}\n")
    for value, rows in {
        "[o.test]:25": [("*", "[o.test]:25", "o")],
        "": [("-", "[o.test]:25", "o")],
        "[o": None,
    }.items():
        sandbox.write("postfix-main.cf", f"relayhost = {value}\n")
        result = sandbox.run("list", "--json", env=DEFAULT)
        assert result.code == 0, result.err
        if rows:
            found = [(row["sender"] or "-", row["relay"], *row["logins"]) for row in json.loads(result.out)]
            assert found == rows


def test_an_operators_own_lookups(sandbox: Sandbox) -> None:
    """Where ``postfix-main.cf`` sets what the table is made of, a warning says that it is not looked into."""
    sandbox.write("postfix-main.cf", "smtp_sasl_auth_enable = no\n")
    sandbox.write(LOGINS, f"[o.test]:25 o:{SECRET}\n")
    result = sandbox.run("list", env=DEFAULT)
    assert of_level(result, "warn")[-1] == (
        "postfix-main.cf:1: smtp_sasl_auth_enable is set, so this list may be wrong -- run dms-relay explain for a sender"
    )


def test_nothing_is_written(sandbox: Sandbox) -> None:
    """It reads the inputs only, and needs no Postfix."""
    sandbox.write(RELAYMAP, "@a.test [r.test]\n")
    sandbox.main_cf.unlink()
    before = sandbox.snapshot()
    assert sandbox.run("list").code == 0
    assert sandbox.snapshot() == before
