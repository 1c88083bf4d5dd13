"""A login is taken character for character; what is hardly part of it is a note, which shows no part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.model import Login
from dms_relay.sources.packing import packing
from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

RELAY = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
SECRET = "s3cret-P4ss"
QUOTES = "has quotes around it, which are taken as part of"
NAME, REFERENCE = "begins with the name of a setting", "looks like a reference to a variable, which is not expanded"
PATH, COMMENT = "looks like the path of a file, which is not read", "what looks like a comment is part of it"
BOTH, SPACE, ODD = "begins with the user name and a colon", "has a space beside the colon", "a no-break space"
PASSWORDS = {
    f'"{SECRET}"': QUOTES,
    f"'{SECRET}'": QUOTES,
    f"RELAY_PASSWORD={SECRET}": NAME,
    f"export SMTP_PASSWORD={SECRET}": NAME,
    f"password: {SECRET}": NAME,
    f'"PASSWORD={SECRET}"': NAME,
    "${SMTP_PASSWORD}": REFERENCE,
    "$RELAY_PASSWORD": REFERENCE,
    "${SMTP_PASSWORD:-x}": REFERENCE,
    "$(cat /run/secrets/relay)": REFERENCE,
    "{{ .Values.relay.password }}": REFERENCE,
    "%SMTP_PASSWORD%": REFERENCE,
    '"${SMTP_PASSWORD}"': REFERENCE,
    "/run/secrets/relay_password": PATH,
    f"{SECRET} # of ours": COMMENT,
    f"me:{SECRET}": BOTH,
    f"abcd\u00a0{SECRET}": ODD,
    f"\ufeff{SECRET}": ODD,
}
#: Passwords as services make them, and as people do.
GOOD = (
    *(
        "abcd efgh ijkl mnop",
        "BHx9/aZ+q0w=",
        "/Ab3dEfGhIjKlMnOpQrStUvWxYz0123456789abcdEFG",
        "SG.abc_def.ghi-jkl",
        "$ecret",
        "a#b",
    ),
    *(
        "#1",
        "pa:ss",
        "100%",
        "%41%42",
        "{a}",
        "a'b",
        '"a',
        "key-0123456789",
        "x=y",
        "$x",
        "p\u00e4ss",
        "\u5bc6\u7801",
    ),
)


@pytest.mark.parametrize("password", GOOD)
def test_good(password: str) -> None:
    """Whatever characters a password has, nothing is said of one that carries no packing."""
    assert list(packing(Login("apikey", password))) == []


@pytest.mark.parametrize(("password", "text"), PASSWORDS.items())
def test_environment(sandbox: Sandbox, password: str, text: str) -> None:
    """Of ``RELAY_PASSWORD`` and of a secret file; it is no warning, and the password is used as it is."""
    result = sandbox.apply(**RELAY, RELAY_USER="me", RELAY_PASSWORD=password)
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": f"me:{password}"}
    assert text in said(result.err, "env RELAY_PASSWORD: ")
    assert (of_level(result, "warn"), SECRET in result.err) == ([], False)
    file = sandbox.write("secret", f"{password}\n")
    if not password.startswith("\ufeff"):  # refused: it begins the file
        result = sandbox.run("plan", env={**RELAY, "RELAY_USER": "me", "RELAY_PASSWORD__FILE": str(file)})
        assert text in said(result.err, "env RELAY_PASSWORD__FILE: ")


def said(err: str, begin: str) -> str:
    """Return what is said of a place."""
    return "\n".join(line.partition(begin)[2] for line in err.splitlines() if begin in line)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (f'"me:{SECRET}"', "the login has quotes around it"),
        (f"'me:{SECRET}'", "the login has quotes around it"),
        (f'me:"{SECRET}"', f"the password {QUOTES}"),
        (f'"me":{SECRET}', f"the user name {QUOTES}"),
        (f"me: {SECRET}", SPACE),
        (f"me :{SECRET}", SPACE),
        ("me:${SMTP_PASSWORD}", f"the password {REFERENCE}"),
        ("${SMTP_USER}:x", f"the user name {REFERENCE}"),
        (f"RELAY_USER=me:{SECRET}", f"the user name {NAME}"),
        (f"me:me:{SECRET}", BOTH),
        (f"me:{SECRET} # ours", COMMENT),
    ],
)
def test_file_of_logins(sandbox: Sandbox, value: str, text: str) -> None:
    """Of a line of ``postfix-sasl-password.cf``, which Postfix gets as it is."""
    sandbox.write("postfix-sasl-password.cf", f"# ours\n[r.test]:587 {value}\n")
    result = sandbox.apply(**RELAY)
    assert text in said(result.err, "postfix-sasl-password.cf:2: ")
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": value}
    assert (of_level(result, "warn"), SECRET in result.err) == ([], False)


@pytest.mark.parametrize(("password", "text"), PASSWORDS.items())
def test_relay_yaml(sandbox: Sandbox, password: str, text: str) -> None:
    """Of a relay's login and of a sender's, wherever the password stands."""
    file = sandbox.write("secret", password)
    relay = "r: {host: r.test, tls: {level: encrypt}, login: {username: me, password_env: PW}}"
    sender = f"a.test: {{relay: r, login: {{username: me, password_file: {file}}}}}"
    if password.startswith("\ufeff"):
        sender = "a.test: r"
    sandbox.write("relay.yaml", f"version: 1\nrelays:\n  {relay}\ndefault: r\nsenders:\n  {sender}\n")
    result = sandbox.run("show", env={"PW": password})
    assert result.code == 0
    assert text in said(result.err, "relay.yaml:3:")
    assert password.startswith("\ufeff") or text in said(result.err, "relay.yaml:6:")


def test_many_logins(sandbox: Sandbox) -> None:
    """``apply`` looks at the first lines of a long file only, ``check`` at all of them."""
    lines = [f"@d{number}.test me: {SECRET}\n" for number in range(1100)]
    sandbox.write("postfix-sasl-password.cf", "".join(lines))
    assert sandbox.apply(**RELAY).err.count(SPACE) == 1000
    assert sandbox.run("check", env=RELAY).out.count(SPACE) == 1100
