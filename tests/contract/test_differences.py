"""Where this project differs from relay.sh on purpose, row by row of the contract: what is read.

What is written, and when, is in ``test_differences_writing.py``. ``Box.table`` fails on any warning of Postfix's, so a
key that stands twice would be seen.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level, said

if TYPE_CHECKING:
    from tests.support.sandbox import Result, Sandbox

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}
KEEP = "keep only one of them"
WRONG = ("error", "wrong inputs, nothing was changed")


BY_SENDER = "keep only one of them; the login of a sender has @domain or user@domain as its key"


def refused(result: Result, *errors: str) -> bool:
    """Return True if the run was refused with exactly these errors."""
    wanted = [WRONG, *(("error", error) for error in errors)]
    return result.code == os.EX_CONFIG and [line for line in said(result) if line[0] == "error"] == wanted


def test_same_key_twice_in_the_relaymap(sandbox: Sandbox) -> None:
    """A key that stands twice, letter case ignored: the earlier line stands, the warning names both places."""
    sandbox.write(
        RELAYMAP, "@a.test [one.test]:587\n@b.test [b.test]\n@A.test [two.test]:587\n@a.test [one.test]:587\n"
    )
    result = sandbox.apply(**LOGIN, DEFAULT_RELAY_HOST="d.test")
    assert sandbox.table("relayhost_map") == {"@a.test": "[one.test]:587", "@b.test": "[b.test]"}
    assert of_level(result, "warn") == [
        f"{RELAYMAP}:3: this mapping of @A.test is ignored, because {RELAYMAP}:1 comes first -- keep only one of them",
        f"{RELAYMAP}:4: this mapping of @a.test is ignored, because {RELAYMAP}:1 comes first -- keep only one of them",
    ]


def test_same_key_twice_in_the_logins(sandbox: Sandbox) -> None:
    """A login by sender or by nexthop that stands twice: the earlier line stands."""
    sandbox.write(RELAYMAP, "@a.test [R.test]:587\n")
    sandbox.write(LOGINS, "@a.test one:1\n[r.test]:587 two:2\n[R.test]:587 three:3\n@A.TEST four:4\n")
    result = sandbox.apply()
    assert sandbox.table("sasl_passwd") == {"@a.test": "one:1", "[r.test]:587": "two:2"}
    assert of_level(result, "warn") == [
        f"{LOGINS}:3: this login for [R.test]:587 is ignored, because {LOGINS}:2 comes first -- {BY_SENDER}",
        f"{LOGINS}:4: this login for @A.TEST is ignored, because {LOGINS}:1 comes first -- keep only one of them",
    ]


def test_same_key_in_the_environment_and_in_the_file(sandbox: Sandbox) -> None:
    """The login of the environment for a nexthop that the file has too: the file stands."""
    sandbox.write(LOGINS, "[R.test]:587 file:1\n")
    result = sandbox.apply(**LOGIN, RELAY_USER__FILE="/unused", DEFAULT_RELAY_HOST="[r.test]:587")
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "file:1"}
    assert of_level(result, "warn") == [
        (
            "env RELAY_USER, env RELAY_PASSWORD: this login for [r.test]:587 is ignored, "
            f"because {LOGINS}:1 comes first -- {KEEP}"
        ),
        "env RELAY_USER__FILE: has no effect, because RELAY_USER is set -- keep only one of them",
    ]


def test_same_key_mapped_and_managed_in_another_spelling(sandbox: Sandbox) -> None:
    """``@Example.com`` mapped and ``example.com`` managed is one domain: the mapping stands."""
    sandbox.write(RELAYMAP, "@Example.com [map.test]:587\n")
    sandbox.write("vhost", "other.test\nexample.com\n")
    result = sandbox.apply(**LOGIN, RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {"@example.com": "[map.test]:587", "@other.test": "[r.test]:25"}
    assert of_level(result, "warn") == [
        (
            f"vhost:2: domain example.com is mapped at {RELAYMAP}:1 as @Example.com; "
            "that mapping applies to both spellings -- write the domain in one spelling"
        )
    ]


def test_last_line_without_a_line_end(sandbox: Sandbox) -> None:
    """A relaymap without a final line end is read as it is meant, and never written to."""
    text = "@a.test [map.test]:587"
    path = sandbox.write(RELAYMAP, text)
    sandbox.write("vhost", "b.test")
    before = path.stat()
    sandbox.apply(RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {"@a.test": "[map.test]:587", "@b.test": "[r.test]:25"}
    assert path.read_text() == text
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_indented_entry(sandbox: Sandbox) -> None:
    """An indented line is an entry of its own, with a warning; Postfix would take it for a continuation."""
    sandbox.write(RELAYMAP, "@a.test [a.test]\n  @b.test [b.test]\n\t# an indented comment\n")
    sandbox.write(LOGINS, "@a.test a:1\n\t@b.test b:2\n")
    result = sandbox.apply()
    assert sandbox.table("relayhost_map") == {"@a.test": "[a.test]", "@b.test": "[b.test]"}
    assert sandbox.table("sasl_passwd") == {"@a.test": "a:1", "@b.test": "b:2"}
    assert of_level(result, "warn") == [
        f"{RELAYMAP}:2: the line is indented -- begin it in the first column",
        f"{LOGINS}:2: the line is indented -- begin it in the first column",
    ]


def test_letter_case_of_domains(sandbox: Sandbox) -> None:
    """Domains are compared without case: an opt-out of ``@example.com`` holds for the managed ``Example.com``."""
    sandbox.write(RELAYMAP, "@example.com\n@BÜCHER.test\n")
    sandbox.write("vhost", "Example.com\nbücher.test\nc.test\n")
    sandbox.apply(RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {"@c.test": "[r.test]:25"}


def test_dot_in_a_domain_is_no_pattern(sandbox: Sandbox) -> None:
    """``@axb.com`` maps that domain, and ``a.b.com`` goes by ``RELAY_HOST`` like any other."""
    sandbox.write(RELAYMAP, "@axb.com [map.test]\n@cxd.com\n")
    sandbox.write("vhost", "a.b.com\nc.d.com\n")
    sandbox.apply(RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {
        "@axb.com": "[map.test]",
        "@a.b.com": "[r.test]:25",
        "@c.d.com": "[r.test]:25",
    }


def test_brackets_around_relay_host(sandbox: Sandbox) -> None:
    """Brackets in ``RELAY_HOST`` are taken off: there is one pair in the end, in the route and in the login's key."""
    sandbox.write("vhost", "a.test\n")
    sandbox.apply(**LOGIN, RELAY_HOST="[smtp.example.com]", RELAY_PORT="587")
    assert sandbox.table("relayhost_map") == {"@a.test": "[smtp.example.com]:587"}
    assert sandbox.table("sasl_passwd") == {"[smtp.example.com]:587": "user:s3cret"}


@pytest.mark.parametrize("value", ["smtp.example.com:587", "[smtp.example.com]:587"])
def test_port_in_relay_host(sandbox: Sandbox, value: str) -> None:
    """A port in ``RELAY_HOST`` is an error that says where to put it."""
    error = f'env RELAY_HOST: host "{value}" contains a port -- set RELAY_HOST=smtp.example.com and RELAY_PORT=587'
    assert refused(sandbox.run("apply", env={"RELAY_HOST": value}), error)


@pytest.mark.parametrize(("value", "shown"), [("abc", ""), ("0", ' "0"'), ("70000", ' "70000"')])
def test_relay_port_that_is_no_port(sandbox: Sandbox, value: str, shown: str) -> None:
    """``RELAY_PORT`` is a number from 1 to 65535."""
    error = f"env RELAY_PORT: port{shown} is not a number from 1 to 65535 -- write the relay's port, such as 587"
    assert refused(sandbox.run("apply", env={"RELAY_HOST": "r.test", "RELAY_PORT": value}), error)


@pytest.mark.parametrize("value", ["[r.test]:587 # note", "# note", "#note", "[r.test]:587, [s.test] # note"])
def test_comment_after_the_nexthop(sandbox: Sandbox, value: str) -> None:
    """A comment behind the key or the nexthop is an error that says where comments stand."""
    sandbox.write(RELAYMAP, f"@a.test {value}\n")
    error = f"{RELAYMAP}:1: a comment follows the nexthop -- write comments on separate lines"
    assert refused(sandbox.run("apply"), error)


@pytest.mark.parametrize("value", ["[r.test]:587 note", "r.test s.test", "[r.test] [s.test]:25 s.test"])
def test_text_after_the_nexthop(sandbox: Sandbox, value: str) -> None:
    """After a blank alone, only what has brackets or a port is a further nexthop."""
    sandbox.write(RELAYMAP, f"@a.test {value}\n")
    text = "text after the nexthop -- write comments on separate lines; separate nexthops with commas"
    assert refused(sandbox.run("apply"), f"{RELAYMAP}:1: {text}")


@pytest.mark.parametrize("value", ["[r.test]:587 [s.test]", "r.test s.test:25", "r.test, s.test", "r.test ,\ts.test"])
def test_second_nexthop(sandbox: Sandbox, value: str) -> None:
    """After a comma any nexthop may follow, after a blank one with brackets or a port; all stays as written."""
    sandbox.write(RELAYMAP, f"@a.test {value}\n")
    sandbox.apply()
    assert sandbox.table("relayhost_map") == {"@a.test": value}


@pytest.mark.parametrize("password", ["s3cret\n", "s3\ncret", "s3cret\r", " s3cret", "s3cret\t"])
@pytest.mark.parametrize("source", ["environment", "secret file", "relay.env"])
def test_password_that_no_table_can_carry(sandbox: Sandbox, password: str, source: str) -> None:
    """A line end or an outer blank in a password is an error wherever it comes from, and the value is not shown."""
    env = {"DEFAULT_RELAY_HOST": "r.test", "RELAY_USER": "user"}
    if source == "environment":
        env["RELAY_PASSWORD"] = password
    elif source == "secret file":
        # Only the final line end is taken off.
        env["RELAY_PASSWORD__FILE"] = str(sandbox.write("secret", f"{password}\r\n"))
    else:
        quoted = password.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
        sandbox.write("relay.env", f'RELAY_PASSWORD="{quoted}"\n')
    result = sandbox.run("apply", env=env)
    assert result.code == os.EX_CONFIG
    assert "s3" not in result.err


def test_colon_in_a_user_name(sandbox: Sandbox) -> None:
    """A colon in ``RELAY_USER`` is an error; in the file, the first colon ends the user name, as for Postfix."""
    sandbox.write(LOGINS, "[r.test] user:s3:cret\n")
    error = (
        "env RELAY_USER: the user name contains a colon, "
        "where Postfix ends it -- write only the user name; if the colon belongs to it, use another login"
    )
    env = {"DEFAULT_RELAY_HOST": "[r.test]", "RELAY_PASSWORD": "s3cret"}
    assert refused(sandbox.run("apply", env={**env, "RELAY_USER": "us:er"}), error)
    sandbox.apply(DEFAULT_RELAY_HOST="[r.test]")
    assert sandbox.table("sasl_passwd") == {"[r.test]": "user:s3:cret"}


@pytest.mark.parametrize("name", [RELAYMAP, LOGINS, "relay.env", "vhost", "postfix-main.cf"])
def test_octets_that_are_not_utf8(sandbox: Sandbox, name: str) -> None:
    """Bytes that are not UTF-8 are an error anywhere, in a comment too; the line is named, not shown."""
    sandbox.write(name, b"\n# f\xfcr s3cret\n")
    assert refused(
        sandbox.run("apply", env={"RELAY_HOST": "r.test"}), f"{name}:2: is not UTF-8 -- save the file as UTF-8"
    )


def test_login_without_a_colon_and_login_key_alone(sandbox: Sandbox) -> None:
    """A login without a colon, and a login key alone, are errors."""
    sandbox.write(LOGINS, "@a.test s3cret\n@b.test\n")
    assert refused(
        sandbox.run("apply"),
        f"{LOGINS}:1: the login has no colon -- write user:password after the key",
        f"{LOGINS}:2: the line has only one field -- write a key and a login: @domain user:password",
    )


def test_mapping_without_effect(sandbox: Sandbox) -> None:
    """A mapping whose key has no ``@``, and an address alone, have no effect and are warned of."""
    sandbox.write(RELAYMAP, "a.test [r.test]\na.test\nuser@a.test\n")
    sandbox.write("vhost", "a.test\n")
    result = sandbox.apply(**LOGIN, RELAY_HOST="r.test")
    assert sandbox.table("relayhost_map") == {"@a.test": "[r.test]:25"}
    assert of_level(result, "warn") == [
        f"{RELAYMAP}:1: the key has no @, so the line has no effect -- write @domain or user@domain",
        f"{RELAYMAP}:2: the key has no @, so the line has no effect -- write @domain or user@domain",
        f"{RELAYMAP}:3: an address without a nexthop has no effect -- only a domain can opt out: @domain",
    ]
