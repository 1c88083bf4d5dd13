"""Rules of access tokens, and of passwords where a service wants tokens."""

from __future__ import annotations

from tests.checks.given import LOGINS, RELAYMAP, SECRET, YAML, Case, given

_AT = "version: 1\nrelays:\n  r: {{host: {}, login: {{username: u, password: {}}}}}\ndefault: r\n"
#: An app password as Google shows it, which is none.
APP_PASSWORD = "abcd efgh ijkl mnop"

CASES = (
    Case(
        "password-login-ends",
        given({YAML: _AT.format("smtp.office365.com", SECRET)}),
        f"{YAML}:3:40",
        "turns passwords for SMTP off by default at the end of December 2026",
        given({YAML: _AT.format("smtp.office365.com.test", SECRET)}),
    ),
    Case(
        "password-login-ends",
        given({RELAYMAP: "@a.test [SMTP.Gmail.com]:587\n", LOGINS: f"@a.test me@gmail.com:{SECRET}\n"}),
        f"{LOGINS}:1",
        "only an app password or an access token",
        given({RELAYMAP: "@a.test [smtp.gmail.com]:587\n", LOGINS: f"@a.test me@gmail.com:{APP_PASSWORD}\n"}),
    ),
    Case(
        "password-login-ends",
        given(
            {"vhost": "a.test\n"},
            {"RELAY_HOST": "smtp-mail.outlook.com", "RELAY_USER": "u", "RELAY_PASSWORD": SECRET, "RELAY_PORT": "587"},
        ),
        "env RELAY_USER, env RELAY_PASSWORD",
        "takes no passwords for SMTP since September 2024",
        # Mail goes there, but no login does.
        given({"vhost": "a.test\n"}, {"RELAY_HOST": "smtp-mail.outlook.com", "RELAY_PORT": "587"}),
    ),
)
