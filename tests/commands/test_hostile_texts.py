"""No text that comes from outside steers a terminal, or forges a line of the log: every command, with such texts everywhere.

What is shown escaped is the same text, and other scripts stay readable.
"""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

import pytest

from dms_relay.log import FORMATS, Log, printable
from tests.support.amounts import amount
from tests.support.console import said
from tests.support.sandbox import Result, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

#: What steers a terminal or hides: controls of both sets, DEL, line ends, turned direction, signs without width. Each by
#: itself, since where one is refused, another is let in.
SIGNS = {
    "escape": "\x1b]0;t\x07",
    "delete": "\x7f",
    "escape of eight bits": "\x9b31m",
    "next line": "\x85",
    "separators": "\u2028\u2029",
    "turned": "\u202e\u2066",
    "no width": "\u200b\ufeff\U000e0041",
    "line end": "\n2026-01-01T00:00:00.0Z [error    ] forged",
    "carriage return": "\r2026-01-01T00:00:00.0Z [error    ] forged",
}
ALL = "".join(SIGNS.values())
#: Those that a user name may have.
UNREFUSED = "".join(sign for sign in SIGNS.values() if "forged" not in sign)
#: All that may not reach a terminal; a tab and a line end are the form of our own texts.
HOSTILE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
DEFAULT = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
YAML = "version: 1\nrelays:\n  r: {host: r.test, login: {username: %s, password: p}}\ndefault: r\n"
COMMANDS = (
    ("apply",),
    ("plan",),
    ("show",),
    ("show", "--json"),
    ("list",),
    ("list", "--json"),
    ("explain", "a@a.test"),
    ("explain", "--json", "a@a.test", "b@b.test"),
    ("check",),
    ("check", "--json"),
    *(("complete", what) for what in ("domains", "relays", "tried", "mapped", "logins")),
    ("schema",),
    ("add-domain", "a.test", "relay.test"),
    ("exclude-domain", "c.test"),
    ("remove-auth", "a.test"),
)

READING = tuple(
    command for command in COMMANDS if command[0] not in {"schema", "add-domain", "exclude-domain", "remove-auth"}
)

Given = tuple[dict[str, str], dict[str, str]]


def quoted(text: str) -> str:
    """Return a text in quotes, as YAML reads it, with an escape for each sign that it does not take as it is."""
    return json.dumps(text)


def places(sign: str) -> dict[str, Given]:
    """Return files and environment, by the place where the sign stands."""
    login = {**DEFAULT, "RELAY_PASSWORD": "p"}
    return {
        "name of a variable": ({}, {**DEFAULT, f"RELAY_HOSTS{sign}": "x", f"RELAY_PASSWORD_FILE{sign}": "x"}),
        "value of a variable": ({}, {"DEFAULT_RELAY_HOST": f"[r{sign}]:587"}),
        "user name": ({}, {**login, "RELAY_USER": f"u{sign}"}),
        "named file": ({}, {**DEFAULT, "RELAY_USER": "u", "RELAY_PASSWORD__FILE": f"/none/{sign}"}),
        "level of the log": ({}, {**DEFAULT, "LOG_LEVEL": sign, "RELAY_ROUTING": sign}),
        "sender": ({"postfix-relaymap.cf": f"@a{sign}.test [r.test]:587\na{sign}@b.test r.test\n"}, {}),
        "local part": ({"postfix-relaymap.cf": f"a{sign}@b.test r.test\n"}, {}),
        "relay": ({"postfix-relaymap.cf": f"@a.test [r{sign}.test]:587\n"}, {}),
        "sender of a login": ({"postfix-sasl-password.cf": f"a{sign}@a.test u:p\n"}, DEFAULT),
        "key of a login": ({"postfix-sasl-password.cf": f"[r{sign}]:587 u:p\n"}, DEFAULT),
        "user of a login": ({"postfix-sasl-password.cf": f"@a.test u{sign}:p\n[r.test]:587 v{sign}:p\n"}, DEFAULT),
        "line of relay.env": ({"relay.env": f"RELAY_HOST{sign}=a\nDEFAULT_RELAY_HOST=r.test\nRELAY{sign}\n"}, {}),
        "key of relay.yaml": (
            {"relay.yaml": f"version: 1\nrelays: {{r: {{{quoted(sign)}: 1}}}}\n{quoted(sign)}: 1\n"},
            {},
        ),
        "relay in relay.yaml": ({"relay.yaml": f"version: 1\nrelays: {{{quoted(sign)}: {{host: r.test}}}}\n"}, {}),
        "user in relay.yaml": ({"relay.yaml": YAML % quoted(f"u{sign}")}, {"RELAY_ROUTING": "transports"}),
        "raw in relay.yaml": ({"relay.yaml": f"version: 1\nrelays: {{r: {{host: {sign}}}}}\n"}, {}),
        "default in relay.yaml": ({"relay.yaml": f"version: 1\ndefault: {quoted(sign)}\n"}, {}),
        "value of postfix-main.cf": (
            {"postfix-main.cf": f"smtp_helo_name = h{sign}\nsmtp_bind_address = {sign}\n"},
            DEFAULT,
        ),
        "relayhost of postfix-main.cf": ({"postfix-main.cf": f"relayhost = [r{sign}]\n"}, DEFAULT),
        "name of postfix-main.cf": ({"postfix-main.cf": f"a{sign} = b\nrelayhots{sign} = c\n{sign}\n"}, DEFAULT),
        "word of postfix-master.cf": ({"postfix-master.cf": f"smtp/unix/smtp_helo_name=h{sign}\n"}, DEFAULT),
        "line of postfix-master.cf": ({"postfix-master.cf": f"{sign}=1\nsmtp{sign}/unix/smtp_helo_name=1\n"}, DEFAULT),
        "managed domain": ({"vhost": f"a{sign}.test\n"}, {"RELAY_HOST": "r.test"}),
        "account": ({"postfix-accounts.cf": f"a{sign}@a{sign}.test|x\n"}, {"RELAY_HOST": "r.test"}),
        "alias": ({"postfix-virtual.cf": f"a@a{sign}.test b{sign}@b.test\n"}, {"RELAY_HOST": "r.test"}),
        "file name": ({f"postfix-relaymap.cf{sign}": "", f"relay.yml{sign}": "", f"Relay.yaml{sign}": ""}, DEFAULT),
    }


def run(sandbox: Sandbox, command: tuple[str, ...], given: Given) -> Result:
    """Run a command on what is given; what goes into no file name is written without it."""
    for name, text in given[0].items():
        sandbox.write(name, text)
    return sandbox.run(*command, env=given[1])


def assert_harmless(result: Result, command: tuple[str, ...]) -> None:
    """Nothing that steers a terminal is in the output, each line of the log is one of ours, and JSON is JSON."""
    assert not HOSTILE.search(result.out), result.out
    assert not HOSTILE.search(result.err), result.err
    assert [text for _, text in said(result) if text.startswith("forged")] == []
    assert not re.search(r"^\s*2026-01-01", result.out, re.MULTILINE)
    if "--json" in command and result.out:
        json.loads(result.out)


@pytest.mark.one_in(3)
@pytest.mark.soak
@pytest.mark.parametrize("place", places(""))
def test_every_command(tmp_path: Path, drawn: Random, place: str) -> None:
    """Wherever such a text stands, no command shows it as it is; in `make test`, some texts are drawn for each place."""
    for what, sign in drawn.sample(sorted(SIGNS.items()), min(amount(3, len(SIGNS)), len(SIGNS))):
        sandbox = Sandbox(tmp_path / what)
        sandbox.write("vhost", "a.test\n")
        for command in READING:
            assert_harmless(run(sandbox, command, places(sign)[place]), command)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_directory(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The names of the directories themselves are such texts too."""
    (tmp_path / "x").mkdir()
    sandbox = Sandbox(tmp_path / "x" / f"d{ALL}".replace("/", ""))
    assert_harmless(run(sandbox, command, ({"postfix-main.cf": "x\n", "relay.yaml": "version: 2\n"}, DEFAULT)), command)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["relayhost", "smtp_helo_name", "default_transport", "transport_maps"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_postfix_configuration(sandbox: Sandbox, command: tuple[str, ...], name: str) -> None:
    """What main.cf says by now is shown so as well."""
    sandbox.write_main_cf(f"{sandbox.main_cf.read_text('utf-8')}{name} = x{ALL}\n")
    assert_harmless(run(sandbox, command, ({}, DEFAULT)), command)


@pytest.mark.parametrize(
    "command",
    [
        ("add-domain", f"a{ALL}.test", f"r{ALL}"),
        ("add-auth", f"a{ALL}", f"u{ALL}", f"p{ALL}"),
        ("remove-domain", f"a{ALL}"),
        ("explain", f"a{ALL}@b.test"),
        ("test", f"r{ALL}"),
        ("test", "--send-to", f"a{ALL}"),
    ],
    ids=lambda command: command[0],
)
def test_arguments(sandbox: Sandbox, command: tuple[str, ...]) -> None:
    """An argument may come from a script that took it from somewhere."""
    assert_harmless(run(sandbox, command, ({}, DEFAULT)), command)


def test_test(sandbox: Sandbox) -> None:
    """The names of relays and users that are tried, at a port where nobody answers."""
    given = {"postfix-sasl-password.cf": f"@a.test u{UNREFUSED}:p\n", "postfix-relaymap.cf": "@a.test [127.0.0.1]:1\n"}
    for command in (("test",), ("test", "--json")):
        assert_harmless(run(sandbox, command, (given, {})), command)


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("write", ["event", "field"])
def test_log(style: str, write: str) -> None:
    """A line of the log is one line in each format; in JSON it holds the very text."""
    stream = io.StringIO()
    log = Log("info", style, stream)
    log.info(*([f"e{ALL}"] if write == "event" else ["e"]), **({"name": f"v{ALL}"} if write == "field" else {}))
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert not HOSTILE.search(text)
    if style == "json":
        assert ALL in "".join(map(str, json.loads(text).values()))


def test_json_is_lossless(sandbox: Sandbox) -> None:
    """A program that reads the document gets the very text."""
    result = run(sandbox, ("list", "--json"), places(UNREFUSED)["user of a login"])
    rows: list[dict[str, Any]] = json.loads(result.out)
    assert f"u{UNREFUSED}" in [login for row in rows for login in row["logins"]]


def test_a_bug_is_shown_harmless(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an unforeseen error says may hold such a text as well."""
    assert_bug(monkeypatch, lambda: sandbox.arguments("show"))


def assert_bug(monkeypatch: pytest.MonkeyPatch, words: Callable[[], list[str]]) -> None:
    """Run the program with a bug in it."""
    from dms_relay import cli  # noqa: PLC0415 -- its parts are replaced

    def fail(*_: object) -> int:
        raise RuntimeError(ALL)

    monkeypatch.setattr(cli, "main", fail)
    monkeypatch.setattr("sys.argv", ["dms-relay", *words()])
    err = io.StringIO()
    with redirect_stderr(err):
        assert cli._code("dms-relay", None) == 70  # noqa: SLF001 -- run() ends the process
    assert "this is a bug" in err.getvalue()
    assert not HOSTILE.search(err.getvalue())


@pytest.mark.parametrize("text", ["bücher.de", "日本", "почта", "Ελλάδα", "a b", "", "עברית", "x🎉"])
def test_other_scripts_are_readable(text: str) -> None:
    """What can be read is shown as it is."""
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1bb", "a\\x1bb"), ("\n", "\\n"), ("\u202e", "\\u202e"), ("\U000e0041", "\\U000e0041"), ("\udcff", "\\udcff")],
)
def test_escapes(text: str, shown: str) -> None:
    """What cannot be read is shown as Python would write it, so that it can be found in the input."""
    assert printable(text) == shown
    assert printable(shown) == shown
