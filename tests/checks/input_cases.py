"""Rules of inputs: where each fires, and where it must not."""

from __future__ import annotations

from tests.checks.given import (
    ACCOUNTS,
    DEFAULT,
    ENV_FILE,
    HOST,
    LOGIN,
    LOGINS,
    RELAYMAP,
    SECRET,
    TRANSPORTS,
    YAML,
    Case,
    given,
)

A_TO_R = {RELAYMAP: "@a.test [r.test]:587\n"}
AT_R = {LOGINS: f"[r.test]:587 u:{SECRET}\n"}
HEAD = "version: 1\nrelays:\n  r: {host: r.test, login: {username: u, password: p}}\n"
USED = f"{HEAD}default: r\n"
TWO = USED.replace("relays:\n", "relays:\n  s: {host: s.test}\n")

CASES = (
    # What is read.
    Case(
        "wrong-input",
        given({}, {"DEFAULT_RELAY_HOST": "[r.test"}),
        "env DEFAULT_RELAY_HOST",
        "closing bracket",
        given({}, DEFAULT),
    ),
    Case(
        "doubtful-input",
        given({RELAYMAP: " @a.test [r.test]:587\n"}),
        f"{RELAYMAP}:1",
        "indented",
        given({RELAYMAP: "@a.test [r.test]:587\n # a comment\n"}),
    ),
    Case(
        "unknown-setting",
        given({}, DEFAULT, {"RELAY_PASS": "x"}),
        "env RELAY_PASS",
        "is not a setting",
        given({}, DEFAULT, {"RELAY_PASSWORD": "x", "RELAYED": "x"}),
    ),
    Case(
        "unknown-setting",
        given({}, {"SMTP_SERVER": "r.test"}),
        "env SMTP_SERVER",
        "is not a setting",
        given({}, DEFAULT, {"SMTP_ONLY": "1"}),
    ),
    Case(
        "unknown-file",
        given({"relay.yml": "version: 1\n"}, DEFAULT),
        "relay.yml",
        "is not read",
        given({"relay.yaml.bak": "version: 1\n"}, DEFAULT),
    ),
    Case(
        "service-link",
        given({}, HOST, {"RELAY_PORT": "tcp://10.96.1.2:25"}),
        "env RELAY_PORT",
        "injected by Kubernetes",
        given({}, HOST, {"RELAY_PORT": "587", "KUBERNETES_PORT": "tcp://10.96.0.1:443"}),
    ),
    Case(
        "setting-without-effect",
        given({}, DEFAULT, {"RELAY_PORT": "587"}),
        "env RELAY_PORT",
        "without RELAY_HOST",
        given({}, HOST, {"RELAY_PORT": "587"}),
    ),
    Case(
        "setting-without-effect",
        given({}, DEFAULT, {"RELAY_TLS_LEVEL": "encrypt"}),
        "env RELAY_TLS_LEVEL",
        "RELAY_ROUTING=maps",
        given({}, DEFAULT, TRANSPORTS, {"RELAY_TLS_LEVEL": "encrypt"}),
    ),
    Case(
        "given-twice",
        given({RELAYMAP: "@a.test [r.test]\n@A.test [s.test]\n"}),
        f"{RELAYMAP}:2",
        f"{RELAYMAP}:1 comes first",
        given({RELAYMAP: "@a.test [r.test]\nme@a.test [s.test]\n"}),
    ),
    Case(
        "two-spellings",
        given({RELAYMAP: "@A.test [r.test]\n", "vhost": "a.test\n"}, HOST),
        "vhost:1",
        "as @A.test",
        given({**A_TO_R, "vhost": "a.test\n"}, HOST),
    ),
    # Logins.
    Case("no-login", given({}, DEFAULT), "env DEFAULT_RELAY_HOST", "no login is set", given({}, DEFAULT, LOGIN)),
    Case("no-login", given(A_TO_R), RELAYMAP, "no login is set", given({RELAYMAP: "@a.test\n"})),
    Case(
        "half-a-login",
        given({}, DEFAULT, {"RELAY_USER": "u"}),
        "env RELAY_USER",
        "without RELAY_PASSWORD",
        given({}, DEFAULT, LOGIN),
    ),
    Case(
        "login-without-relay",
        given({LOGINS: f"r.test:587 u:{SECRET}\n"}, DEFAULT),
        f"{LOGINS}:1",
        "[r.test]:587 differs in its brackets",
        # Postfix looks for the host's name alone as well.
        given({LOGINS: f"r.test u:{SECRET}\n"}, DEFAULT),
    ),
    Case(
        "login-without-relay",
        given({LOGINS: f"[r.test]:25 u:{SECRET}\n"}, DEFAULT, TRANSPORTS),
        f"{LOGINS}:1",
        "[r.test]:587 differs in its port",
        given(AT_R, DEFAULT, TRANSPORTS),
    ),
    Case(
        "login-without-relay",
        given({}, LOGIN),
        "env RELAY_USER",
        "nothing is configured",
        given({"vhost": "a.test\n"}, HOST, LOGIN),
    ),
    Case(
        "login-without-relay",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@b.test [r.test]\n"}, TRANSPORTS),
        f"{LOGINS}:1",
        "this sender has no relay",
        given({LOGINS: f"me+x@a.test u:{SECRET}\n", RELAYMAP: "me@a.test [r.test]\n"}, TRANSPORTS),
    ),
    Case(
        "relay-without-login",
        given({**AT_R, RELAYMAP: "@a.test [r.test]:587\n@b.test [s.test]\n"}),
        f"{RELAYMAP}:2",
        "mail of @b.test goes to [s.test] without a login",
        # A login by sender will do, and so will one by host.
        given(
            {
                LOGINS: f"[r.test]:587 u:{SECRET}\n@b.test v:{SECRET}\ns.test w:{SECRET}\n",
                RELAYMAP: "@a.test [r.test]:587\n@b.test [s.test]\n@c.test [s.test]:25\n",
            }
        ),
    ),
    Case(
        "relay-without-login",
        given({"vhost": "a.test\nb.test\n", LOGINS: f"@a.test u:{SECRET}\n"}, HOST, LOGIN, DEFAULT),
        "env RELAY_HOST",
        "mail of @b.test goes to [h.test]:25",
        given({"vhost": "a.test\n", LOGINS: f"@a.test u:{SECRET}\n"}, HOST, LOGIN, DEFAULT),
    ),
    Case(
        "relay-without-login",
        given({YAML: f"{TWO}senders: {{a.test: s}}\n"}),
        f"{YAML}:6:11",
        "mail of @a.test goes to [s.test]:587",
        # What a partner's own server takes wants no login.
        given({YAML: f"{TWO}recipients: {{x.test: s}}\n"}),
    ),
    Case(
        "relay-without-login",
        given({YAML: f"{TWO}senders: {{a.test: s}}\n"}),
        f"{YAML}:6:11",
        "without a login, while others have one",
        given({YAML: f"{TWO}senders: {{a.test: s}}\n".replace("host: s.test", "host: s.test, mx: true")}),
    ),
    Case(
        "relay-without-login",
        given({LOGINS: f"@a.test u:{SECRET}\n"}, DEFAULT),
        "env DEFAULT_RELAY_HOST",
        "mail of every other sender goes to [r.test]:587",
        # Where nobody has a login, another rule says so.
        given(A_TO_R),
    ),
    Case(
        "null-sender-without-login",
        given({LOGINS: f"@a.test u:{SECRET}\n"}, DEFAULT),
        "env DEFAULT_RELAY_HOST",
        "bounces (sender <>) go to [r.test]:587",
        given({LOGINS: f"@a.test u:{SECRET}\n"}, DEFAULT, LOGIN),
    ),
    Case(
        "null-sender-without-login",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@a.test [r.test]\n<> [r.test]\n"}),
        f"{RELAYMAP}:2",
        "go to [r.test] without a login",
        # By RELAY_HOST, which serves managed domains, no bounce goes.
        given({LOGINS: f"@a.test u:{SECRET}\n", "vhost": "a.test\n"}, HOST),
    ),
    Case(
        "env-login-overridden",
        given(AT_R, DEFAULT, LOGIN),
        "env RELAY_USER, env RELAY_PASSWORD",
        f"{LOGINS}:1 comes first",
        given({LOGINS: f"@a.test u:{SECRET}\n"}, DEFAULT, LOGIN),
    ),
    Case(
        "env-login-overridden",
        given({**AT_R, ENV_FILE: f"RELAY_USER=u\nRELAY_PASSWORD={SECRET}\n"}, DEFAULT, TRANSPORTS),
        f"{ENV_FILE}:1, {ENV_FILE}:2",
        f"{LOGINS}:1 comes first",
        given({LOGINS: f"[r.test]:587 u:{SECRET}\n[R.test]:587 u:{SECRET}\n"}, DEFAULT),
    ),
    Case(
        "env-login-overridden",
        given({LOGINS: f"R.test u:{SECRET}\n"}, DEFAULT, LOGIN),
        "env RELAY_USER, env RELAY_PASSWORD",
        f"Postfix finds R.test ({LOGINS}:1) first",
        # Without brackets, it looks for the nexthop as it is written.
        given({LOGINS: f"r.test u:{SECRET}\n"}, {"DEFAULT_RELAY_HOST": "r.test:587"}, LOGIN),
    ),
    Case(
        "comment-in-password",
        given({LOGINS: f"# ours\n[r.test]:587 u:{SECRET} # of ours\n"}, DEFAULT),
        f"{LOGINS}:2",
        "what looks like a comment is part of it",
        given({LOGINS: f"# ours\n[r.test]:587 u:{SECRET}#of ours\n"}, DEFAULT),
    ),
    Case(
        "packed-login",
        given({}, DEFAULT, {"RELAY_USER": "user", "RELAY_PASSWORD": f'"{SECRET}"'}),
        "env RELAY_PASSWORD",
        "has quotes around it",
        given({}, DEFAULT, {"RELAY_USER": "user", "RELAY_PASSWORD": f'"{SECRET}'}),
    ),
    Case(
        "packed-login",
        given({LOGINS: f"# ours\n[r.test]:587 u: {SECRET}\n"}, DEFAULT),
        f"{LOGINS}:2",
        "a space beside the colon",
        given({LOGINS: f"# ours\n[r.test]:587 u:{SECRET} x\n"}, DEFAULT),
    ),
    Case(
        "login-for-strangers",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@a.test\n", "vhost": "a.test\nb.test\n"}, HOST),
        f"{LOGINS}:1",
        "every server that receives the mail",
        given({LOGINS: f"@a.test u:{SECRET}\n", "vhost": "a.test\n"}, HOST),
    ),
    Case(
        "login-for-strangers",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@a.test DUNNO\n"}),
        f"{LOGINS}:1",
        "every server that receives the mail",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@a.test DUNNO\n"}, DEFAULT),
    ),
    Case(
        "login-for-strangers",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@b.test [r.test]\n"}),
        f"{LOGINS}:1",
        "every server that receives the mail",
        # Postfix is not to look logins up by sender.
        given(
            {
                LOGINS: f"@a.test u:{SECRET}\n",
                RELAYMAP: "@b.test [r.test]\n",
                "postfix-main.cf": "smtp_sender_dependent_authentication = no\n",
            }
        ),
    ),
    Case(
        "login-for-strangers",
        given({LOGINS: f"me+x@a.test u:{SECRET}\n", RELAYMAP: "me@b.test [r.test]\n"}),
        f"{LOGINS}:1",
        "this sender has no relay",
        # Its mail goes by the route of the address without the extension.
        given({LOGINS: f"me+x@a.test u:{SECRET}\n", RELAYMAP: "me@a.test [r.test]\n"}),
    ),
    Case(
        "login-at-other-relay",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@a.test [r.test]\nme@a.test [s.test]\n"}),
        f"{RELAYMAP}:2",
        "is also offered to [s.test]",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@a.test [r.test]\nme@a.test [r.test]:587\n"}),
    ),
    Case(
        "cleartext-login",
        given({YAML: USED.replace("login:", "tls: {level: may}, login:")}),
        f"{YAML}:3:3",
        "level may does not protect the login",
        given({YAML: USED.replace("login:", "tls: {level: may, allow_cleartext_login: true}, login:")}),
    ),
    Case(
        "cleartext-login",
        given({}, DEFAULT, LOGIN, TRANSPORTS, {"RELAY_TLS_LEVEL": "may"}),
        "env RELAY_TLS_LEVEL",
        "level may does not protect the login",
        given({}, DEFAULT, TRANSPORTS, {"RELAY_TLS_LEVEL": "may"}),
    ),
    # Routes.
    Case(
        "implicit-tls-port",
        given({}, {"DEFAULT_RELAY_HOST": "[r.test]:465"}, LOGIN),
        "env DEFAULT_RELAY_HOST",
        "[r.test]:465 needs implicit TLS",
        given({}, {"DEFAULT_RELAY_HOST": "[r.test]:465"}, LOGIN, TRANSPORTS),
    ),
    Case(
        "mx-lookup-with-login",
        given({}, {"DEFAULT_RELAY_HOST": "r.test:587"}, LOGIN),
        "env DEFAULT_RELAY_HOST",
        "r.test:587 has no brackets",
        given({}, DEFAULT, LOGIN),
    ),
    Case(
        "mx-lookup-with-login",
        given({LOGINS: f"@a.test u:{SECRET}\n", RELAYMAP: "@a.test r.test\n"}, TRANSPORTS),
        f"{RELAYMAP}:1",
        "r.test has no brackets",
        # relay.yaml says it in so many words.
        given({YAML: USED.replace("host: r.test", "host: r.test, mx: true")}),
    ),
    Case(
        "opt-out-without-effect",
        given({RELAYMAP: "@a.test\n"}, DEFAULT, LOGIN),
        f"{RELAYMAP}:1",
        "its mail still goes to DEFAULT_RELAY_HOST",
        given({RELAYMAP: "@a.test\n"}, DEFAULT, LOGIN, TRANSPORTS),
    ),
    Case(
        "opt-out-without-effect",
        given({RELAYMAP: "@x.test\n", "vhost": "a.test\n"}, HOST, LOGIN),
        f"{RELAYMAP}:1",
        "RELAY_HOST serves managed domains, and this is not one",
        given({RELAYMAP: "@A.test\n", "vhost": "a.test\n"}, HOST, LOGIN),
    ),
    Case(
        "opt-out-needs-tls",
        given({RELAYMAP: "@a.test\n", "vhost": "a.test\n"}, HOST, LOGIN),
        f"{RELAYMAP}:1",
        "smtp_tls_security_level = encrypt excludes servers without TLS",
        # Without a login we demand no TLS.
        given({RELAYMAP: "@a.test\n", "vhost": "a.test\n"}, HOST),
    ),
    Case(
        "opt-out-needs-tls",
        given({RELAYMAP: "@a.test\n", "vhost": "a.test\n", "postfix-main.cf": "relayhost =\n"}, HOST, LOGIN),
        f"{RELAYMAP}:1",
        "mail of @a.test goes directly",
        given(
            {RELAYMAP: "@a.test\n", "vhost": "a.test\n", "postfix-main.cf": "smtp_tls_security_level = may\n"},
            HOST,
            LOGIN,
        ),
    ),
    Case(
        "two-default-relays",
        given({"vhost": "a.test\n"}, HOST, DEFAULT),
        "env RELAY_HOST",
        "managed domains go to [h.test]:25, all other senders to [r.test]:587",
        given({"vhost": "a.test\n"}, HOST),
    ),
    Case(
        "two-default-relays",
        given({"vhost": "a.test\n"}, {"RELAY_HOST": "r.test"}, DEFAULT),
        "env RELAY_HOST",
        "managed domains go to [r.test]:25, all other senders to [r.test]:587",
        given({"vhost": "a.test\n"}, {"RELAY_PORT": "587"}, DEFAULT),
    ),
    Case(
        "two-default-relays",
        given({"vhost": "a.test\n"}, {"RELAY_HOST": "r.test", "RELAY_PORT": "587"}, DEFAULT),
        "env RELAY_HOST",
        "DEFAULT_RELAY_HOST is [r.test]:587 as well, so RELAY_HOST changes nothing",
        given({"vhost": "a.test\n"}, HOST),
    ),
    Case(
        "relay-host-unused",
        given({**A_TO_R, "vhost": "a.test\n"}, HOST, DEFAULT),
        "env RELAY_HOST",
        "RELAY_HOST is not used",
        given({**A_TO_R, "vhost": "a.test\nb.test\n"}, HOST, DEFAULT),
    ),
    Case(
        "no-managed-domain",
        given({}, HOST),
        "env RELAY_HOST",
        "there is no managed domain",
        given({ACCOUNTS: "me@a.test|x\n"}, HOST),
    ),
    Case(
        "relay-domain-not-managed",
        given({RELAYMAP: "@exmaple.test [r.test]\n", ACCOUNTS: "me@example.test|x\n"}),
        f"{RELAYMAP}:1",
        "this server does not manage the domain exmaple.test",
        # Where it is not known whom this server manages, nothing is said; nor of what lies above or below such a domain.
        given({RELAYMAP: "@exmaple.test [r.test]\n"}),
    ),
    Case(
        "relay-domain-not-managed",
        given({YAML: f"{USED}senders: {{x.test: r}}\n", "vhost": "a.test\n"}),
        f"{YAML}:5:11",
        "does not manage the domain x.test",
        given({RELAYMAP: "@b.a.test [r.test]\n@a.example.test [r.test]\n", "vhost": "a.test\nb.a.example.test\n"}),
    ),
    Case(
        "public-domain-is-local",
        given({"postfix-virtual.cf": "me@example.test x\nme@Gmail.com me@example.test\n"}, DEFAULT),
        "postfix-virtual.cf:2",
        "all mail to it stays here",
        given({"postfix-virtual.cf": "me@example.test me@gmail.com\n"}, DEFAULT),
    ),
    Case(
        "managed-domain-not-relayed",
        given({**A_TO_R, "vhost": "a.test\nb.test\nc.test\n"}),
        "vhost:2",
        "no relay is set for b.test and c.test",
        given({**A_TO_R, "vhost": "a.test\nb.test\n"}, DEFAULT),
    ),
    Case(
        "managed-domain-not-relayed",
        given({RELAYMAP: "@a.test [r.test]\n", "vhost": "a.test\nb.test\n"}, TRANSPORTS),
        "vhost:2",
        "no relay is set for b.test",
        given({RELAYMAP: "@a.test [r.test]\n@b.test\n", "vhost": "a.test\nb.test\n"}, TRANSPORTS),
    ),
    Case(
        "unused-relay",
        given({YAML: HEAD}),
        f"{YAML}:3:3",
        "relay r is not used",
        given({YAML: USED}),
    ),
    Case(
        "recipient-is-local",
        given({YAML: f"{USED}recipients: {{a.test: r}}\n", "vhost": "a.test\n"}),
        f"{YAML}:5:14",
        "is a domain of this server",
        given({YAML: f"{USED}recipients: {{b.test: r}}\n", "vhost": "a.test\n"}),
    ),
    Case(
        "recipient-is-local",
        given({YAML: f"{USED}recipients: {{localhost: r}}\n"}),
        YAML,
        "localhost is a local domain",
        given({YAML: f"{USED}recipients: {{x.localhost: r}}\n"}),
    ),
)
