"""Rules of what Postfix would do with mail: whether it leaves, and whether a login is protected on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.given import DEFAULT, LOGIN, RELAYMAP, TRANSPORTS, Case, given
from tests.support.machine import MASTER_CF
from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dms_relay.checks.rules import Finding
    from tests.checks.given import Run
    from tests.support.sandbox import Sandbox

ROUTE = {RELAYMAP: "@a.test [r.test]:587\n"}
FULL = {**DEFAULT, **LOGIN}
NO_SMTP = "relay unix - - n - - smtp\n"


def postfix(files: Mapping[str, str], *envs: Mapping[str, str], services: str = MASTER_CF, more: str = "") -> Run:
    """Return what is found with these services, and with ``more`` in main.cf."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        (sandbox.postfix_dir / "master.cf").write_text(services)
        sandbox.write_main_cf(BASE_MAIN_CF + more)
        return given(files, *envs)(sandbox)

    return run


RULE = "mail-does-not-leave"
LOOP = "relay-is-this-server"
OWN_NAME = "myhostname = mail.own.test\n"
CASES = (
    Case(
        LOOP,
        postfix({}, {"DEFAULT_RELAY_HOST": "[127.0.0.1]:25"}, LOGIN),
        "env DEFAULT_RELAY_HOST",
        "[127.0.0.1]:25 is this server itself, so its mail comes back: its address 127.0.0.1 is this server's own",
        postfix({}, {"DEFAULT_RELAY_HOST": "[127.0.0.1]:1025"}, LOGIN),
    ),
    Case(
        LOOP,
        postfix({}, {"DEFAULT_RELAY_HOST": "[127.0.0.1]:25"}, LOGIN, more="inet_interfaces = localhost\n"),
        "env DEFAULT_RELAY_HOST",
        "[127.0.0.1]:25 is this server itself, so its mail comes back: its address 127.0.0.1 is this server's own",
        postfix({}, {"DEFAULT_RELAY_HOST": "[127.0.0.2]:25"}, LOGIN, more="inet_interfaces = localhost\n"),
    ),
    Case(
        LOOP,
        postfix({RELAYMAP: "@a.test [localhost]\n"}, LOGIN),
        "postfix-relaymap.cf:1",
        "[localhost] is this server itself, so its mail comes back: its address",
        postfix({RELAYMAP: "@a.test [localhost]:587\n"}, LOGIN),
    ),
    Case(
        LOOP,
        postfix({}, {"DEFAULT_RELAY_HOST": "[MAIL.own.test]:25", **TRANSPORTS}, LOGIN, more=OWN_NAME),
        "env DEFAULT_RELAY_HOST",
        "[MAIL.own.test]:25 is this server itself, so its mail comes back: it has the name of this server (myhostname)",
        postfix({}, {"DEFAULT_RELAY_HOST": "[mail.own.test]:587", **TRANSPORTS}, LOGIN, more=OWN_NAME),
    ),
    Case(
        LOOP,
        postfix(
            {},
            {"DEFAULT_RELAY_HOST": "[127.0.0.1]:587"},
            LOGIN,
            services=f"{MASTER_CF}submission inet n - n - - smtpd\n",
        ),
        "env DEFAULT_RELAY_HOST",
        "[127.0.0.1]:587 is this server itself",
        postfix(
            {},
            {"DEFAULT_RELAY_HOST": "[127.0.0.1]:25"},
            LOGIN,
            more="inet_interfaces = 192.0.2.1\n",
        ),
    ),
    Case(
        LOOP,
        postfix({}, {"DEFAULT_RELAY_HOST": "[192.0.2.9]"}, LOGIN, more="proxy_interfaces = 192.0.2.9\n"),
        "env DEFAULT_RELAY_HOST",
        "its address 192.0.2.9 is this server's own",
        postfix({}, {"DEFAULT_RELAY_HOST": "[192.0.2.8]"}, LOGIN, more="proxy_interfaces = 192.0.2.9\n"),
    ),
    Case(
        RULE,
        postfix(ROUTE, services=NO_SMTP),
        "main.cf",
        "mail of someone@a.test would not leave: there is no service smtp in master.cf",
        postfix(ROUTE),
    ),
    Case(
        RULE,
        postfix(ROUTE, FULL, more="transport_maps = texthash:/no/such\n"),
        "main.cf",
        "mail of someone@a.test would not leave: transport_maps: texthash:/no/such: postmap -q failed",
        postfix(ROUTE, FULL, more="transport_maps = inline:{x.test=smtp:}\n"),
    ),
    Case(
        RULE,
        postfix({}, DEFAULT, more="defer_transports = smtp\n"),
        "main.cf",
        "mail of <> would not leave: defer_transports in main.cf names smtp, so Postfix does not use it",
        postfix({}, DEFAULT, more="defer_transports = relay\n"),
    ),
    Case(
        "cleartext-login",
        postfix({}, FULL, more="smtp_tls_policy_maps = inline:{[r.test]:587=may}\n"),
        "main.cf",
        "the login user at [r.test]:587 can be sent without TLS: level may ([r.test]:587 in inline:{[r.test]:587=may})",
        postfix({}, FULL, more="smtp_tls_policy_maps = inline:{[r.test]:587=secure}\n"),
    ),
    Case(
        "cleartext-login",
        postfix({}, FULL, services="smtp unix - - n - - smtp\n -o smtp_tls_security_level=none\n"),
        "main.cf",
        "the login user at [r.test]:587 can be sent without TLS: level none (smtp_tls_security_level)",
        postfix({}, FULL),
    ),
)
