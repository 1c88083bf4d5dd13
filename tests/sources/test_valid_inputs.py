"""What is right is taken as it is meant, however it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
RELAY = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
ODD_PASSWORDS = [
    "gu6J3d$10$0)/K",
    "${HOME}$x$$",
    "#begins",
    "with # inside",
    "with  two blanks",
    "with\ttab",
    "'single'",
    '"double"',
    "back\\slash\\n\\1&",
    "c:o:l:o:n:s:",
    "[brackets]:587",
    "comma,",
    "ünï😀",
    "no-break\u00a0space",
    "\u00a0",
    "=equals=",
    "`$(reboot)`",
    "%s{0}",
    "x" * 4000,
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", " \t\n", "\t\r\n"])
def test_line_ends_and_outer_blanks(sandbox: Sandbox, line_end: str) -> None:
    """In every file: LF or CRLF, blanks at the end of a line, any run of blanks between fields, comments, empty lines."""
    lines = {
        RELAYMAP: ["# x", "", "@a.test \t [a.test]:587", "   ", "\t # x", "@b.test"],
        LOGINS: ["@a.test\tuser:pass word", "#", "[r.test]:587  \tu:p"],
        "vhost": ["# x", "a.test", "", "b.test", "c.test"],
        "relay.env": ["# x", "", "RELAY_USER=user", "RELAY_PASSWORD='p'"],
        "postfix-main.cf": ["# x", "smtp_tls_security_level =", "  may"],
    }
    for name, text in lines.items():
        sandbox.write(name, "".join(f"{line}{line_end}" for line in text))
    result = sandbox.apply(RELAY_HOST="r.test", RELAY_PORT="587")
    assert sandbox.table("relayhost_map") == {"@a.test": "[a.test]:587", "@c.test": "[r.test]:587"}
    assert sandbox.table("sasl_passwd") == {"@a.test": "user:pass word", "[r.test]:587": "u:p"}
    assert sandbox.postconf_n()["smtp_tls_security_level"] == "may"
    assert [line.partition(":")[0] for line in of_level(result, "warn")] == ["relay.env"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\t\n"])
def test_accounts_and_aliases(sandbox: Sandbox, line_end: str) -> None:
    """Without ``vhost``, the managed domains are those of accounts and aliases; an alias without a domain does not count."""
    accounts = ["# x", "a@a.test|{SHA512-CRYPT}$6$x|y", " b@b.test|x", "c@a.test|x"]
    aliases = ["alias@c.test a@a.test, b@b.test", "@d.test\ta@a.test", "root a@e.test", "", "postmaster root"]
    sandbox.write("postfix-accounts.cf", line_end.join(accounts))
    sandbox.write("postfix-virtual.cf", line_end.join(aliases) + line_end)
    sandbox.apply(RELAY_HOST="r.test")
    assert sorted(sandbox.table("relayhost_map") or {}) == ["@a.test", "@b.test", "@c.test", "@d.test"]


def test_an_empty_vhost_is_an_answer(sandbox: Sandbox) -> None:
    """Where ``vhost`` is there, it is the list, also when it is empty."""
    sandbox.write("vhost", "")
    sandbox.write("postfix-accounts.cf", "a@a.test|x\n")
    sandbox.apply(RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {}


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_odd_passwords(sandbox: Sandbox, password: str) -> None:
    """A password reaches Postfix character for character: from the environment, a file, relay.env and the list of logins."""
    wanted = {"[r.test]:587": f"user:{password}"}
    env = {**RELAY, "RELAY_USER": "user"}
    sandbox.apply(**env, RELAY_PASSWORD=password)
    assert sandbox.table("sasl_passwd") == wanted
    path = sandbox.write("secret", f"{password}\n")
    sandbox.apply(**env, RELAY_PASSWORD__FILE=str(path))
    assert sandbox.table("sasl_passwd") == wanted
    quoted = password.replace("\\", "\\\\").replace("'", "\\'")
    sandbox.write("relay.env", f"RELAY_PASSWORD='{quoted}'\n")
    sandbox.apply(**env)
    assert sandbox.table("sasl_passwd") == wanted
    sandbox.write(LOGINS, f"[r.test]:587 user:{password}\n")
    sandbox.apply(**RELAY)
    assert sandbox.table("sasl_passwd") == wanted


@pytest.mark.parametrize(
    ("content", "value"), [("x", "x"), ("x\n", "x"), ("x\r\n", "x"), ("x y", "x y"), ("\u00a0x\n", "\u00a0x")]
)
def test_secret_file(sandbox: Sandbox, content: str, value: str) -> None:
    """Of a secret file only the final line end is taken off."""
    path = sandbox.write("secret", content)
    sandbox.apply(**RELAY, RELAY_USER="user", RELAY_PASSWORD__FILE=str(path))
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": f"user:{value}"}


def test_relay_port_without_relay_host(sandbox: Sandbox) -> None:
    """``RELAY_PORT`` counts only with ``RELAY_HOST``: 25 says nothing."""
    assert "RELAY_PORT has no effect" in sandbox.apply(**RELAY, RELAY_PORT="587").err
    assert "RELAY_PORT" not in sandbox.apply(**RELAY, RELAY_PORT="25").err


def test_login_keyed_by_the_host_of_a_relay(sandbox: Sandbox) -> None:
    """Postfix looks a login up by the relay's host name as well (smtp_sasl_glue.c), so such a key is in use: no warning."""
    sandbox.write("postfix-sasl-password.cf", "r.test u:1\nS.test u:2\n")
    result = sandbox.apply(DEFAULT_RELAY_HOST="[r.test]:587", RELAY_HOST="s.test")
    assert "the login is not used" not in result.err
    assert "has no login" not in result.err


def test_strongest_source_first(sandbox: Sandbox) -> None:
    """The environment goes before a file that it names, and both before relay.env; what is empty is not set."""
    path = sandbox.write("secret", "from-file\n")
    env_file = f"RELAY_USER=from-env-file\nRELAY_PASSWORD=from-env-file\nRELAY_PASSWORD__FILE={path}\n"
    sandbox.write("relay.env", env_file)
    result = sandbox.apply(**RELAY, RELAY_USER="", RELAY_PASSWORD="")
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "from-env-file:from-env-file"}
    assert of_level(result, "warn") == [
        "relay.env:3: has no effect, because RELAY_PASSWORD is set -- keep only one of them"
    ]
    sandbox.apply(**RELAY, RELAY_USER="user", RELAY_PASSWORD__FILE=str(path))
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "user:from-file"}
    sandbox.apply(**RELAY, RELAY_USER="user", RELAY_PASSWORD="from-env", RELAY_PASSWORD_FILE=str(path))
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "user:from-env"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("RELAY_PASSWORD=p", "p"),
        ("export RELAY_PASSWORD = p", "p"),
        ("RELAY_PASSWORD='$HOME ${HOME}'", "$HOME ${HOME}"),
        ('RELAY_PASSWORD="${HOME} # \\" x"', '${HOME} # " x'),
        ("RELAY_PASSWORD=$HOME", "$HOME"),
        ("RELAY_PASSWORD=a#b", "a#b"),
        ("RELAY_PASSWORD='p' # a comment", "p"),
    ],
)
def test_relay_env(sandbox: Sandbox, line: str, value: str) -> None:
    """The syntax of python-dotenv, without expansion."""
    sandbox.write("relay.env", f"{line}\n")
    result = sandbox.apply(**RELAY, RELAY_USER="user")
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": f"user:{value}"}
    assert of_level(result, "warn") == []


def test_null_sender_and_addresses(sandbox: Sandbox) -> None:
    """The null sender and single addresses may be mapped; an address does not count as its domain."""
    sandbox.write(RELAYMAP, "<> [null.test]\nuser+ext@A.test [a.test]\n*@a.test [x.test]\nb.test c.test\n")
    sandbox.write("vhost", "a.test\n")
    sandbox.apply(RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {
        "<>": "[null.test]",
        "user+ext@a.test": "[a.test]",
        "*@a.test": "[x.test]",
        "@a.test": "[r.test]:25",
    }


def test_links_are_followed(sandbox: Sandbox) -> None:
    """An input may be a link, as Kubernetes mounts them; ``/dev/null`` is an empty file."""
    sandbox.write("real", "@a.test [a.test]\n")
    (sandbox.config_dir / RELAYMAP).symlink_to("real")
    (sandbox.config_dir / LOGINS).symlink_to("/dev/null")
    sandbox.apply()
    assert sandbox.table("relayhost_map") == {"@a.test": "[a.test]"}
    assert sandbox.table("sasl_passwd") == {}
