"""The variables of other images, and of docker-mailserver's older versions: each is named, with what to write here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

EITHER = "DEFAULT_RELAY_HOST or RELAY_HOST"
PORT = "RELAY_PORT, or write the port into DEFAULT_RELAY_HOST"
BOTH = "RELAY_USER and RELAY_PASSWORD"
FILE = "them in postfix-sasl-password.cf: nexthop user:password"
TLS = "RELAY_TLS_LEVEL, with RELAY_ROUTING=transports"
GMAIL = "DEFAULT_RELAY_HOST=[smtp.gmail.com]:587 and"
OTHERS = {
    "SMTP_SERVER": EITHER,
    "SMTP_HOST": EITHER,
    "SMARTHOST": EITHER,
    "SMARTHOST_ADDRESS": EITHER,
    "MTP_RELAY": EITHER,
    "EXT_RELAY_HOST": EITHER,
    "SMF_RELAYHOST": EITHER,
    "AWS_SES_HOST": EITHER,
    "SMTP_PORT": PORT,
    "SMTP_SERVER_PORT": PORT,
    "AWS_SES_PORT": PORT,
    "SMTP_USERNAME": "RELAY_USER",
    "SMTP_LOGIN": "RELAY_USER",
    "SASL_USER": "RELAY_USER",
    "SMTP_PASSWORD": "RELAY_PASSWORD",
    "MTP_PASS": "RELAY_PASSWORD",
    "SMTP_PASSWORD_FILE": "RELAY_PASSWORD__FILE",
    "GMAIL_USER": f"{GMAIL} RELAY_USER",
    "GMAIL_PASSWORD": f"{GMAIL} RELAY_PASSWORD",
    "SES_REGION": "DEFAULT_RELAY_HOST=[email-smtp.REGION.amazonaws.com]:587",
    "AWS_SES_USERPASS": BOTH,
    "SMF_RELAYAUTH": BOTH,
    "RELAYHOST_AUTH": BOTH,
    "SASL_PASSWD": FILE,
    "RELAYHOST_PASSWORDMAP": FILE,
    "SMTP_SASL_PASSWORD_MAPS": FILE,
    "SENDER_DEPENDENT_RELAYHOST_MAPS": "it in postfix-relaymap.cf: @domain nexthop",
    "RELAYHOST_TLS_LEVEL": TLS,
    "RELAY_USE_TLS": TLS,
    "SMTP_TLS": TLS,
    "POSTFIX_smtp_tls_security_level": "smtp_tls_security_level in postfix-main.cf",
    "POSTFIX_relayhost": EITHER,
}


@pytest.mark.parametrize(("name", "meant"), OTHERS.items())
def test_other_image(sandbox: Sandbox, name: str, meant: str) -> None:
    """What to write here is said, the value never."""
    result = sandbox.apply(**{name: "s3cret"})
    assert of_level(result, "warn") == [f"env {name}: {name} is not a setting and has no effect -- set {meant}"]
    assert "s3cret" not in result.err


def test_a_variable_that_relay_yaml_names(sandbox: Sandbox) -> None:
    """What ``password_env`` names is in use, whatever its name is."""
    login = "login: {username: u, password_env: SMTP_PASSWORD}"
    sandbox.write(
        "relay.yaml", f"version: 1\nrelays:\n  r: {{host: r.test, tls: {{level: encrypt}}, {login}}}\ndefault: r\n"
    )
    for name in ("SMTP_PASSWORD", "SMTP_PASSWORD__FILE"):
        value = "s3cret" if name == "SMTP_PASSWORD" else str(sandbox.write("secret", "s3cret"))
        result = sandbox.run("show", env={name: value})
        assert (result.code, "SMTP_PASSWORD" in result.err) == (0, False)


def test_beside_what_is_meant(sandbox: Sandbox) -> None:
    """Where what is meant is set, the variable may be another program's: that is a note, and no warning for ever."""
    result = sandbox.apply(DEFAULT_RELAY_HOST="[r.test]:25", RELAY_USER="u", RELAY_PASSWORD="p", SMTP_HOST="mail")
    assert of_level(result, "warn") == []
    assert "SMTP_HOST is not a setting and has no effect" in "".join(of_level(result, "info"))


@pytest.mark.parametrize(
    ("env", "source"),
    [
        ({"RELAYHOST": "[r.test]:587", "RELAYHOST_USERNAME": "u", "RELAYHOST_PASSWORD": "s3cret"}, "bokysan"),
        ({"RELAYHOST": "[r.test]:587", "ALLOWED_SENDER_DOMAINS": "a.test"}, "bokysan"),
        ({"SMTP_SERVER": "r.test", "SERVER_HOSTNAME": "mail.a.test"}, "juanluisbaptiste"),
    ],
)
def test_an_image_that_can_be_imported(sandbox: Sandbox, env: dict[str, str], source: str) -> None:
    """Its relay's variable names ``dms-relay import``, which then takes these variables."""
    result = sandbox.apply(**env)
    remedy = f"; or run dms-relay import --from {source}, which takes all variables of that image over"
    first, *others = (line for line in of_level(result, "warn") if "is not a setting" in line)
    assert first.endswith(f"set {EITHER}{remedy}")
    assert not any("import" in line for line in others)
    done = sandbox.run("import", "--from", source, env=env)
    assert (done.code, "host: r.test" in done.out) == (0, True)
