"""The examples of the page that users read, and the recorded runs of the original: what is true of them, and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.checks.given import ACCOUNTS, LOGINS, RELAYMAP, SECRET, findings, write
from tests.support.sandbox import DATA

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

#: The two files, as docker-mailserver's page "Mail Forwarding | Relay Hosts" has them.
PAGE = {
    LOGINS: """\
@domain1.com        mailgun-user:secret
@domain2.com        sendgrid-user:secret

# NOTE: This must have an exact match with the relay host in `postfix-relaymap.cf`,
# `/etc/postfix/relayhost_map`, or the `DEFAULT_RELAY_HOST` ENV.
# NOTE: Not supported via our setup CLI, but valid config for Postfix.
[email-smtp.us-west-2.amazonaws.com]:2587 aws-user:secret
""",
    RELAYMAP: """\
@domain1.com        [smtp.mailgun.org]:587
@domain2.com        [smtp.sendgrid.net]:2525

# Opt-out of relaying:
@domain3.com
""",
    ACCOUNTS: "".join(f"me@domain{number}.com|hash\n" for number in range(1, 5)),
}
RELAY_HOST = {"RELAY_HOST": "smtp.relay-service.com"}
#: The login of Amazon SES matches no relay; the domain that is opted out, and all that no relay takes, needs TLS.
TRUE = [
    ("opt-out-needs-tls", "main.cf"),
    ("opt-out-needs-tls", f"{RELAYMAP}:5"),
    ("login-without-relay", f"{LOGINS}:7"),
]
DIRECTLY = ("mail-not-relayed", f"{RELAYMAP}:1")

CASES = json.loads((DATA / "relay-sh-cases.json").read_text("utf-8"))
FOUND = json.loads((DATA / "check-of-relay-sh-cases.json").read_text("utf-8"))


def found_on_page(sandbox: Sandbox, env: dict[str, str]) -> list[tuple[str, str]]:
    """Return what is found once the page's examples are applied."""
    sandbox.apply(**env)
    return [(finding.rule, str(finding.origin)) for finding in findings(sandbox, env)]


def test_login_in_the_file(sandbox: Sandbox) -> None:
    """With the login at ``RELAY_HOST`` in the file, this is true of the examples, and nothing else is said."""
    write(sandbox, {**PAGE, LOGINS: f"{PAGE[LOGINS]}[smtp.relay-service.com]:25 me:{SECRET}\n"})
    assert found_on_page(sandbox, RELAY_HOST) == [*TRUE, DIRECTLY]


def test_login_in_a_secret_file(sandbox: Sandbox) -> None:
    """The same with ``RELAY_USER`` and a file that holds the password."""
    write(sandbox, {**PAGE, "secret": SECRET})
    env = {**RELAY_HOST, "RELAY_USER": "me", "RELAY_PASSWORD__FILE": str(sandbox.config_dir / "secret")}
    assert found_on_page(sandbox, env) == [*TRUE, DIRECTLY]


def test_login_in_the_environment(sandbox: Sandbox) -> None:
    """The password in the environment is what the page itself calls a risk; that is worth a note."""
    write(sandbox, PAGE)
    env = {**RELAY_HOST, "RELAY_USER": "me", "RELAY_PASSWORD": SECRET}
    assert found_on_page(sandbox, env) == [*TRUE, ("secret-in-environment", "env RELAY_PASSWORD"), DIRECTLY]


def test_the_pages_default_relay(sandbox: Sandbox) -> None:
    """With the page's ``DEFAULT_RELAY_HOST`` in place of it, the opt-out has no effect, which the page says as well."""
    write(sandbox, {**PAGE, LOGINS: f"{PAGE[LOGINS]}[mail.relay-service.com]:25 me:{SECRET}\n"})
    expected = [("opt-out-without-effect", f"{RELAYMAP}:5"), ("login-without-relay", f"{LOGINS}:7")]
    assert found_on_page(sandbox, {"DEFAULT_RELAY_HOST": "[mail.relay-service.com]:25"}) == expected


def test_the_pages_ses_login_with_its_relay(sandbox: Sandbox) -> None:
    """Where Amazon SES is the relay that the login is for, its login is no finding."""
    write(sandbox, PAGE)
    env = {"RELAY_HOST": "email-smtp.us-west-2.amazonaws.com", "RELAY_PORT": "2587"}
    assert found_on_page(sandbox, env) == [*TRUE[:2], DIRECTLY]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_recorded_run(sandbox: Sandbox, case: dict[str, dict[str, str]]) -> None:
    """Each finding was looked at by hand, and is true of the inputs; none that is not is said."""
    write(sandbox, case["config"])
    if "vhost" in case:
        write(sandbox, {"vhost": str(case["vhost"])})
    sandbox.apply(**case["env"])
    found = findings(sandbox, case["env"])
    assert [f"{finding.severity} {finding.rule} {finding.origin}" for finding in found] == FOUND[str(case["name"])]


def test_every_recorded_run_is_there() -> None:
    """No run is left out."""
    assert FOUND.keys() == {case["name"] for case in CASES}
