"""Rules of postfix-main.cf: what it takes away from the other inputs."""

from __future__ import annotations

from tests.checks.given import DEFAULT, HOST, LOGIN, LOGINS, MAIN, RELAYMAP, SECRET, TRANSPORTS, Case, given

BY_SENDER = {LOGINS: f"@a.test u:{SECRET}\n"}
ROUTED = {RELAYMAP: "@a.test [r.test]\n"}
MANAGED = {"vhost": "a.test\n"}


def _main(*lines: str) -> dict[str, str]:
    return {MAIN: "".join(f"{line}\n" for line in lines)}


CASES = (
    Case(
        "user-file-not-applied",
        given(_main("message_size_limit = 1000", "relayhost = [own.test]"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "nothing applies this file here, so message_size_limit has no effect",
        # Each of them stands in place of what is set here.
        given(_main("relayhost = [own.test]", "smtp_tls_security_level = secure"), DEFAULT, LOGIN),
    ),
    Case(
        "user-file-not-applied",
        given(_main("smtp_sasl_password_maps = static:u:" + SECRET, "relayhost = [own.test]") | ROUTED, HOST),
        f"{MAIN}:1",
        "so smtp_sasl_password_maps, relayhost have no effect",
        given(_main("# relayhost = [own.test]") | ROUTED),
    ),
    Case(
        "user-file-not-applied",
        given({"postfix-master.cf": "#\nsmtp/unix/smtp_helo_name=a.test\n"}, DEFAULT, LOGIN),
        "postfix-master.cf:2",
        "so smtp/unix/smtp_helo_name has no effect",
        given({"postfix-master.cf": "# smtp/unix/smtp_helo_name=a.test\n"}, DEFAULT, LOGIN),
    ),
    Case(
        "user-file-undoes",
        given(_main("relayhost = [own.test]"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "relayhost overrides DEFAULT_RELAY_HOST",
        # It says the same, or there is nothing that it takes the place of.
        given(_main("relayhost = [r.test]:587"), DEFAULT, LOGIN),
    ),
    Case(
        "user-file-undoes",
        given({**_main("#", "relayhost ="), **MANAGED}, DEFAULT, LOGIN),
        f"{MAIN}:2",
        "relayhost overrides DEFAULT_RELAY_HOST",
        given({**_main("relayhost = [own.test]"), **MANAGED}, HOST, LOGIN),
    ),
    Case(
        "user-file-undoes",
        given(_main("sender_dependent_relayhost_maps = hash:/etc/own") | ROUTED, DEFAULT, LOGIN),
        f"{MAIN}:1",
        "postfix-relaymap.cf and RELAY_HOST have no effect",
        given(
            _main("sender_dependent_relayhost_maps = hash:/etc/own, texthash:/etc/postfix/relayhost_map") | ROUTED,
            DEFAULT,
            LOGIN,
        ),
    ),
    Case(
        "user-file-undoes",
        given(_main("smtp_sasl_password_maps = hash:/etc/own"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "the logins of the other inputs have no effect",
        # Nobody else names a login.
        given(_main("smtp_sasl_password_maps = hash:/etc/own"), DEFAULT),
    ),
    Case(
        "user-file-undoes",
        given(_main("smtp_sasl_auth_enable = no"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "no login is used at all",
        given(_main("smtp_sasl_auth_enable = yes"), DEFAULT, LOGIN),
    ),
    Case(
        "user-file-undoes",
        given(_main("smtp_sender_dependent_authentication = no") | BY_SENDER, DEFAULT),
        f"{MAIN}:1",
        "no login by sender is used",
        given(
            _main("smtp_sender_dependent_authentication = no") | {LOGINS: f"[r.test]:587 u:{SECRET}\n"},
            DEFAULT,
        ),
    ),
    Case(
        "user-file-undoes",
        given(_main("smtp_sasl_security_options = noanonymous, noplaintext"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "contains noplaintext",
        # Over TLS it is allowed.
        given(
            _main(
                "smtp_sasl_security_options = noanonymous, noplaintext", "smtp_sasl_tls_security_options = noanonymous"
            ),
            DEFAULT,
            LOGIN,
        ),
    ),
    Case(
        "cleartext-login",
        given(_main("smtp_tls_security_level = may"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "lets a login be sent without TLS",
        given(_main("smtp_tls_security_level = secure"), DEFAULT, LOGIN),
    ),
    Case(
        "cleartext-login",
        given(_main("smtp_tls_security_level ="), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "lets a login be sent without TLS",
        # A table of policies may say more for the relay; without a login there is nothing to protect.
        given(_main("smtp_tls_security_level = may", "smtp_tls_policy_maps = hash:/etc/own"), DEFAULT, LOGIN),
    ),
    Case(
        "cleartext-login",
        given(_main("smtp_tls_security_level = dane"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "lets a login be sent without TLS",
        given(_main("smtp_tls_security_level = may"), DEFAULT),
    ),
    Case(
        "cleartext-login",
        given(_main("smtp_tls_security_level = none"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "lets a login be sent without TLS",
        # No login is used at all.
        given(_main("smtp_tls_security_level = none", "smtp_sasl_auth_enable = no"), DEFAULT, LOGIN),
    ),
    Case(
        "mx-lookup-with-login",
        given(_main("smtp_sasl_auth_enable = yes"), {"DEFAULT_RELAY_HOST": "r.test"}, LOGIN),
        "env DEFAULT_RELAY_HOST",
        "the login is offered to every host",
        given(_main("smtp_sasl_auth_enable = no"), {"DEFAULT_RELAY_HOST": "r.test"}, LOGIN),
    ),
    Case(
        "login-for-strangers",
        given(_main(f"smtp_sasl_password_maps = static:u:{SECRET}") | MANAGED, HOST, LOGIN),
        f"{MAIN}:1",
        "offers the same login to every server",
        # All mail goes to the relay.
        given(_main(f"smtp_sasl_password_maps = static:u:{SECRET}"), DEFAULT, LOGIN),
    ),
    Case(
        "user-file-conflict",
        given(_main("relayhost = [own.test]"), DEFAULT, LOGIN, TRANSPORTS),
        f"{MAIN}:1",
        "needs it empty",
        given(_main("relayhost ="), DEFAULT, LOGIN, TRANSPORTS),
    ),
    Case(
        "user-file-conflict",
        given(_main("transport_maps = texthash:/etc/postfix/relay.d/recipient_transport"), DEFAULT, LOGIN),
        f"{MAIN}:1",
        "which does not exist with these inputs",
        given(_main("transport_maps = texthash:/etc/postfix/own"), DEFAULT, LOGIN),
    ),
)
