"""Rules of an operator's own main.cf and master.cf that keep mail from the relays it is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.given import DEFAULT, LOGIN, LOGINS, RELAYMAP, SECRET, TRANSPORTS, YAML, Case
from tests.checks.way_cases import postfix
from tests.support.machine import MASTER_CF

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.checks.rules import Finding
    from tests.checks.given import Run
    from tests.support.sandbox import Sandbox

LEAVES, TLS = "mail-does-not-leave", "implicit-tls-everywhere"
FULL = {**DEFAULT, **LOGIN}
ROUTE = {RELAYMAP: "@a.test [r.test]:587\n"}
SERVICES = f"{MASTER_CF}error unix - - n - - error\ndiscard unix - - n - - discard\nlocal unix - n n - - local\n"
TWO = {RELAYMAP: "@one.test [h.test]:2525\n"}
AMAVIS = f"{MASTER_CF}smtp-amavis unix - - n - 2 smtp\nfree unix - - n - - smtp\n -o smtp_tls_security_level=none\n"
WRAPPED = "smtp_tls_wrappermode = yes\n"
FILE = {YAML: "version: 1\nrelays: {r: {host: r.test}}\nsenders: {a.test: r, b.test: direct}\n"}
RECIPIENTS_TO = {YAML: "version: 1\nrelays: {r: {host: r.test}}\ndefault: r\nrecipients: {p.test: r}\n"}
INNER = "relay_transport = error\ntransport_maps = inline:{ first.test=relay: }\n"
ALL_MAPPED = (
    "relay_transport = error\ntransport_maps = inline:{ first.test=relay:, inner.test=relay:, .inner.test=relay: }\n"
)


def with_domains(run: Run) -> Run:
    """Return the same where the operator has domains in a table and in a file."""

    def do(sandbox: Sandbox) -> Iterable[Finding]:
        (sandbox.postfix_dir / "domains.map").write_text("inner.test x\n")
        (sandbox.postfix_dir / "domains.list").write_text("# Ours.\ninner.test\n")
        return run(sandbox)

    return do


CASES = (
    # Debian's "Local only" set-up.
    Case(
        LEAVES,
        postfix({}, FULL, services=SERVICES, more="default_transport = error\n"),
        "main.cf",
        "mail of <> would not leave: default_transport = error delivers no mail",
        # Such a relay has a transport of its own, which comes before it.
        postfix({}, FULL, TRANSPORTS, services=SERVICES, more="default_transport = error\n"),
    ),
    Case(
        LEAVES,
        postfix({}, FULL, services=SERVICES, more="default_transport = error:no mail here\n"),
        "main.cf",
        "would not leave: no mail here",
        postfix({}, FULL, services=SERVICES, more="default_transport = smtp\n"),
    ),
    Case(
        LEAVES,
        postfix(ROUTE, services=SERVICES, more="default_transport = discard\n"),
        "main.cf",
        "mail of someone@a.test would not leave: default_transport = discard hands it to discard(8)",
        postfix(ROUTE, services=SERVICES, more="default_transport = relay\n"),
    ),
    Case(
        LEAVES,
        postfix({}, FULL, services=SERVICES, more="default_transport = nosuch\n"),
        "main.cf",
        "there is no service nosuch in master.cf",
        postfix({}, FULL, TRANSPORTS, services=SERVICES, more="default_transport = nosuch\n"),
    ),
    Case(
        LEAVES,
        postfix(
            ROUTE,
            services=SERVICES,
            more="sender_dependent_default_transport_maps = inline:{ @a.test=error }\n",
        ),
        "main.cf",
        "sender_dependent_default_transport_maps = error (@a.test in inline:{ @a.test=error }) delivers no mail",
        postfix(
            ROUTE,
            services=SERVICES,
            more="sender_dependent_default_transport_maps = inline:{ @b.test=error }\n",
        ),
    ),
    Case(
        LEAVES,
        postfix({}, FULL, services=SERVICES, more="relay_domains = inner.test\nrelay_transport = error\n"),
        "main.cf",
        "mail to someone@inner.test would not leave: relay_transport = error delivers no mail",
        # Nobody's mail goes by it.
        postfix({}, FULL, services=SERVICES, more="relay_domains =\nrelay_transport = error\n"),
    ),
    Case(
        LEAVES,
        postfix({}, {"DEFAULT_RELAY_HOST": "[192.0.2.1]:587"}, LOGIN, more="inet_protocols = ipv6\n"),
        "main.cf",
        "inet_protocols = ipv6 excludes the address 192.0.2.1",
        postfix({}, {"DEFAULT_RELAY_HOST": "[192.0.2.1]:587"}, LOGIN, more="inet_protocols = ipv4\n"),
    ),
    Case(
        LEAVES,
        postfix(
            {}, {"DEFAULT_RELAY_HOST": "[IPv6:2001:db8::1]:587"}, LOGIN, TRANSPORTS, more="inet_protocols = ipv4\n"
        ),
        "main.cf",
        "inet_protocols = ipv4 excludes the address IPv6:2001:db8::1",
        postfix({}, {"DEFAULT_RELAY_HOST": "[IPv6:2001:db8::1]:587"}, LOGIN, TRANSPORTS, more="inet_protocols = all\n"),
    ),
    Case(
        LEAVES,
        postfix({}, {"DEFAULT_RELAY_HOST": "[192.0.2.1]:587"}, LOGIN, more="smtp_bind_address = 127.0.0.1\n"),
        "main.cf",
        "smtp_bind_address = 127.0.0.1 reaches only this machine",
        postfix({}, {"DEFAULT_RELAY_HOST": "[127.0.0.9]:587"}, LOGIN, more="smtp_bind_address = 127.0.0.1\n"),
    ),
    Case(
        LEAVES,
        postfix({}, FULL, TRANSPORTS, more="smtp_bind_address = 127.0.0.1\n"),
        "main.cf",
        "smtp_bind_address = 127.0.0.1 reaches only this machine",
        postfix({}, {"DEFAULT_RELAY_HOST": "[localhost]:587"}, LOGIN, more="smtp_bind_address = 127.0.0.1\n"),
    ),
    # Implicit TLS for all of Postfix, as docker-mailserver's own pages have it for port 465.
    Case(
        TLS,
        postfix({}, FULL, more=WRAPPED),
        "main.cf",
        "begins with TLS at every server, so mail to [r.test]:587 waits",
        postfix({}, {"DEFAULT_RELAY_HOST": "[r.test]:2465"}, LOGIN, more=WRAPPED),
    ),
    Case(
        TLS,
        postfix({RELAYMAP: "@a.test [r.test]:465\n"}, LOGIN, more=f"{WRAPPED}smtp_tls_security_level = encrypt\n"),
        "main.cf",
        "so mail that goes directly waits",
        postfix({RELAYMAP: "@a.test [r.test]:465\n"}, LOGIN, TRANSPORTS),
    ),
    Case(
        TLS,
        postfix(FILE, more=f"{WRAPPED}smtp_tls_security_level = encrypt\n"),
        "main.cf",
        "so mail that goes directly waits",
        postfix(FILE),
    ),
    Case(
        TLS,
        postfix({}, FULL, services="smtp unix - - n - - smtp\n -o smtp_tls_wrappermode=yes\n"),
        "main.cf",
        "so mail to [r.test]:587 waits",
        postfix({}, FULL, services="smtp unix - - n - - smtp\n -o smtp_tls_wrappermode=no\n", more=WRAPPED),
    ),
    # The second port that Amazon SES and Resend have for it.
    Case(
        "implicit-tls-port",
        postfix({RELAYMAP: "@a.test [r.test]:2465\n"}, LOGIN),
        f"{RELAYMAP}:1",
        "[r.test]:2465 needs implicit TLS",
        postfix({RELAYMAP: "@a.test [r.test]:2465\n"}, LOGIN, TRANSPORTS),
    ),
    # Logins for nexthops that main.cf names itself.
    *(
        Case(
            "login-without-relay",
            postfix({**TWO, LOGINS: f"[h.test]:587 me:{SECRET}\n"}, more=more.replace("h.test", "other.test")),
            f"{LOGINS}:1",
            "[h.test]:2525 differs in its port",
            postfix({**TWO, LOGINS: f"[h.test]:587 me:{SECRET}\n"}, more=more),
        )
        for more in (
            "transport_maps = inline:{blocked.test=relay:[h.test]:587}\n",
            "transport_maps = inline:{ {blocked.test = relay:[h.test]:587} }\n",
            "transport_maps = inline:{ {* = smtp:[x.test], [h.test]:587} }\n",
            "sender_dependent_default_transport_maps = static:{smtp:[h.test]:587}\n",
            "relay_transport = relay:[h.test]:587\n",
            "smtp_fallback_relay = [h.test]:587\n",
            "relayhost = [h.test]:587\n",
        )
    ),
    Case(
        "login-without-relay",
        postfix({**TWO, LOGINS: f"[h.test]:587 me:{SECRET}\n"}, more="transport_maps = ldap:/etc/postfix/ldap.cf\n"),
        f"{LOGINS}:1",
        "transport_maps = ldap:/etc/postfix/ldap.cf cannot be read here",
        postfix({**TWO, LOGINS: f"[h.test]:2525 me:{SECRET}\n"}, more="transport_maps = ldap:/etc/postfix/ldap.cf\n"),
    ),
    *(
        Case(
            "routes-not-used",
            postfix(ROUTE, more=f"transport_maps = {table}\n"),
            "main.cf",
            "transport_maps sends all mail to smtp:[own.test] (*)",
            postfix(ROUTE, more="transport_maps = inline:{ {x.test = smtp:[own.test]} }\n"),
        )
        for table in ("inline:{*=smtp:[own.test]}", "inline:{ {* = smtp:[own.test]} }", "static:{smtp:[own.test]}")
    ),
    # Every domain of ``relay_domains``, wherever it is written.
    *(
        Case(
            LEAVES,
            with_domains(postfix({}, FULL, services=SERVICES, more=f"relay_domains = {domains}\n{INNER}")),
            "main.cf",
            "mail to someone@inner.test would not leave: relay_transport = error delivers no mail",
            with_domains(postfix({}, FULL, services=SERVICES, more=f"relay_domains = {domains}\n{ALL_MAPPED}")),
        )
        for domains in (
            "first.test, inner.test",
            "inline:{ inner.test=x }",
            "texthash:$config_directory/domains.map",
            "$config_directory/domains.list",
        )
    ),
    # Without the DNS.
    *(
        Case(
            "no-mx-lookup",
            postfix(ROUTE, more=f"{setting}\n"),
            "main.cf",
            f"{setting} makes Postfix look up no MX hosts, so mail that goes directly misses its servers, or is returned",
            postfix({}, DEFAULT, more=f"{setting}\n"),
        )
        for setting in ("disable_dns_lookups = yes", "smtp_dns_support_level = disabled")
    ),
    Case(
        LEAVES,
        postfix({}, {"DEFAULT_RELAY_HOST": "nowhere.invalid:587"}, LOGIN, more="disable_dns_lookups = yes\n"),
        "main.cf",
        "disable_dns_lookups = yes makes Postfix look up no MX hosts, and nowhere.invalid has no address",
        postfix({}, {"DEFAULT_RELAY_HOST": "localhost:587"}, LOGIN, more="disable_dns_lookups = yes\n"),
    ),
    # Who is relayed and who is not; and what the level of TLS for relays does to the rest.
    Case(
        "mail-not-relayed",
        postfix({RELAYMAP: "@a.test [r.test]:587\nu@b.test [r.test]:587\n"}),
        f"{RELAYMAP}:1",
        "mail of @a.test and u@b.test is relayed; mail of every other sender, bounces (<>) and forwards among them, goes",
        postfix(ROUTE, DEFAULT),
    ),
    Case(
        "mail-not-relayed",
        postfix({"vhost": "a.test\n"}, {"RELAY_HOST": "r.test"}),
        "env RELAY_HOST",
        "mail of @a.test is relayed; mail of every other sender",
        postfix({"vhost": "a.test\n"}, {"RELAY_HOST": "r.test"}, more="relayhost = [own.test]\n"),
    ),
    Case(
        "mail-not-relayed",
        postfix(FILE),
        f"{YAML}:3:11",
        "mail of @a.test is relayed",
        postfix({YAML: FILE[YAML] + "default: direct\n"}),
    ),
    Case(
        "opt-out-needs-tls",
        postfix(ROUTE, LOGIN, {"RELAY_HOST": "h.test"}),
        "main.cf",
        "bounces (<>) and forwards among them, goes directly, and smtp_tls_security_level = encrypt excludes servers",
        postfix(ROUTE, LOGIN, {"RELAY_HOST": "h.test"}, TRANSPORTS),
    ),
    *(
        Case(
            "opt-out-needs-tls",
            postfix({}, FULL, more=more, services=AMAVIS),
            "main.cf",
            f"requires: {said}",
            postfix({}, FULL, TRANSPORTS, more=more, services=AMAVIS),
        )
        for more, said in (
            ("content_filter = smtp:[127.0.0.1]:10024\n", "content_filter = smtp:[127.0.0.1]:10024 (main.cf)"),
            ("content_filter = smtp-amavis:[127.0.0.1]:10024\n", "content_filter = smtp-amavis:"),
            ("transport_maps = inline:{in.test=relay:[10.0.0.1]}\n", "transport_maps: in.test relay:[10.0.0.1]"),
        )
    ),
    Case(
        "opt-out-needs-tls",
        postfix({}, FULL, more="transport_maps = inline:{in.test=smtp:}\n"),
        "main.cf",
        "requires: transport_maps: in.test smtp:",
        postfix({}, FULL, more="transport_maps = inline:{in.test=:}\n"),
    ),
    # Recipients of relay.yaml stand in a table of ours, each relay with a level of its own.
    Case(
        "opt-out-needs-tls",
        postfix(RECIPIENTS_TO, more="smtp_tls_security_level = encrypt\ncontent_filter = smtp:[127.0.0.1]:10024\n"),
        "main.cf",
        "requires: content_filter = smtp:[127.0.0.1]:10024 (main.cf)",
        postfix(RECIPIENTS_TO, more="smtp_tls_security_level = encrypt\n"),
    ),
    # Senders whose domains only a table knows.
    Case(
        "opt-out-needs-tls",
        postfix(
            {},
            {"RELAY_HOST": "r.test"},
            LOGIN,
            more="virtual_mailbox_domains = ldap:/etc/postfix/ldap.cf\n",
        ),
        "main.cf",
        "mail of senders of domains of ldap:/etc/postfix/ldap.cf goes directly, and smtp_tls_security_level = encrypt",
        postfix(
            {},
            {"RELAY_HOST": "r.test"},
            LOGIN,
            TRANSPORTS,
            more="virtual_mailbox_domains = ldap:/etc/postfix/ldap.cf\n",
        ),
    ),
    Case(
        "opt-out-needs-tls",
        postfix(
            {},
            FULL,
            more="content_filter = free:[127.0.0.1]:10024\n",
            services=AMAVIS.replace("free", "other") + "free unix - - n - - smtp\n",
        ),
        "main.cf",
        "content_filter = free:[127.0.0.1]:10024",
        postfix({}, FULL, more="content_filter = free:[127.0.0.1]:10024\n", services=AMAVIS),
    ),
)
