"""Walks through the remedies of docs/checks.md, Inputs."""

from __future__ import annotations

from tests.running.walks import (
    ALL,
    ANNA,
    AT_R,
    BOUNCE,
    DEFAULT,
    DIRECT_TOO,
    FULL,
    HOST,
    IN_ENVIRONMENT,
    LOGIN,
    LOGINS,
    PASSWORD,
    RELAYMAP,
    TRANSPORTS,
    VHOST,
    YAML,
    Walk,
    put,
    rename,
    write,
)

BOTH = f"[r.test]:587 user:{PASSWORD}\n[s.test]:587 s-user:{PASSWORD}\n"
FILE = (
    "version: 1\nrelays:\n  r: {host: r.test, tls: {ca_file: '{ca}'},"
    f" login: {{username: user, password: {PASSWORD}}}}}\ndefault: r\n"
)
WALKS = (
    Walk(
        "wrong-input",
        "write [host]:port",
        env={"DEFAULT_RELAY_HOST": "[r.test", **LOGIN},
        follow=(put(DEFAULT_RELAY_HOST="[r.test]:587"),),
        arrives=ALL,
    ),
    Walk(
        "wrong-input",
        "write [r.test]:587",
        env={"DEFAULT_RELAY_HOST": "[r.test:587", **LOGIN},
        follow=(put(DEFAULT_RELAY_HOST="[r.test]:587"),),
        arrives=ALL,
    ),
    Walk(
        "wrong-input",
        "write user:password after the key",
        {LOGINS: f"[r.test]:587 {PASSWORD}\n"},
        DEFAULT,
        (write(AT_R),),
        ALL,
    ),
    Walk(
        "doubtful-input",
        "begin it in the first column",
        {RELAYMAP: " @a.test [r.test]:587\n", **AT_R},
        follow=(write({RELAYMAP: "@a.test [r.test]:587\n"}),),
        arrives={ANNA: "r.test user"},
    ),
    Walk(
        "unknown-setting",
        "set RELAY_PASSWORD",
        env={**DEFAULT, "RELAY_USER": "user", "RELAY_PASS": PASSWORD},
        follow=(put(RELAY_PASS=None, RELAY_PASSWORD=PASSWORD),),
        arrives=ALL,
        leads_to=IN_ENVIRONMENT,
    ),
    Walk(
        "unknown-setting",
        "set DEFAULT_RELAY_HOST or RELAY_HOST",
        env={"SMTP_SERVER": "r.test", **LOGIN},
        follow=(put(SMTP_SERVER=None, **DEFAULT),),
        arrives=ALL,
    ),
    Walk(
        "unknown-setting",
        "set DEFAULT_RELAY_HOST or RELAY_HOST",
        {VHOST: "a.test\n"},
        {"SMTP_SERVER": "r.test", **LOGIN},
        (put(SMTP_SERVER=None, **HOST),),
        {ANNA: "r.test user"},
        choice="RELAY_HOST",
        leads_to=DIRECT_TOO,
    ),
    Walk(
        "unknown-setting",
        "set DEFAULT_RELAY_HOST or RELAY_HOST; or run dms-relay import --from juanluisbaptiste,"
        " which takes all variables of that image over",
        env={"SMTP_SERVER": "r.test", "SERVER_HOSTNAME": "mail.a.test", **LOGIN},
        follow=(put(SMTP_SERVER=None, SERVER_HOSTNAME=None, **DEFAULT),),
        arrives=ALL,
    ),
    Walk("unknown-file", "rename it to relay.yaml", {"relay.yml": FILE}, {}, (rename("relay.yml", YAML),), ALL),
    Walk(
        "unknown-file",
        "move what is needed from it to relay.yaml, and remove it",
        {"relay.yml": FILE, YAML: FILE.replace("user,", "u,")},
        {},
        (write({YAML: FILE, "relay.yml": None}),),
        ALL,
    ),
    Walk(
        "service-link",
        "write enableServiceLinks: false in the pod's spec (Docker: a network instead of --link), or rename the service",
        env={**FULL, "RELAY_PORT": "tcp://10.96.1.2:25", "RELAY_SERVICE_HOST": "10.96.1.2"},
        follow=(put(RELAY_PORT=None, RELAY_SERVICE_HOST=None),),
        arrives=ALL,
        choice="enableServiceLinks",
    ),
    Walk(
        "service-link",
        "write enableServiceLinks: false in the pod's spec (Docker: a network instead of --link), or rename the service",
        env={**FULL, "RELAY_PORT": "tcp://10.96.1.2:25"},
        follow=(put(RELAY_PORT=None, OUTGOING_PORT="tcp://10.96.1.2:25"),),
        arrives=ALL,
        choice="rename",
    ),
    Walk(
        "setting-without-effect",
        "set RELAY_HOST, or remove RELAY_PORT",
        {VHOST: "a.test\n"},
        {**LOGIN, "RELAY_PORT": "587"},
        (put(RELAY_HOST="r.test"),),
        {ANNA: "r.test user"},
        choice="RELAY_HOST",
        leads_to=DIRECT_TOO,
    ),
    Walk(
        "setting-without-effect",
        "set RELAY_HOST, or remove RELAY_PORT",
        env={**FULL, "RELAY_PORT": "587"},
        follow=(put(RELAY_PORT=None),),
        arrives=ALL,
        choice="remove RELAY_PORT",
    ),
    Walk(
        "setting-without-effect",
        "set RELAY_ROUTING=transports",
        env={**FULL, "RELAY_TLS_LEVEL": "encrypt"},
        follow=(put(**TRANSPORTS),),
        arrives=ALL,
    ),
    *(
        Walk(
            "given-twice",
            "keep only one of them",
            {RELAYMAP: "@a.test [r.test]:587\n@A.test [s.test]:587\n", LOGINS: BOTH},
            DEFAULT,
            (write({RELAYMAP: line}),),
            {ANNA: arrives},
            choice=f"keep {line.strip()}",
        )
        for line, arrives in (
            ("@a.test [r.test]:587\n", "r.test user"),
            ("@A.test [s.test]:587\n", "s.test s-user"),
        )
    ),
    Walk(
        "given-twice",
        "keep only one of them; the login of a sender has @domain or user@domain as its key",
        {LOGINS: f"[r.test]:587 u:{PASSWORD}\n[r.test]:587 user:{PASSWORD}\n"},
        DEFAULT,
        (write({LOGINS: f"@a.test u:{PASSWORD}\n[r.test]:587 user:{PASSWORD}\n"}),),
        {ANNA: "r.test u", BOUNCE: "r.test user"},
    ),
    Walk(
        "two-spellings",
        "write the domain in one spelling",
        {RELAYMAP: "@A.test [s.test]:587\n", VHOST: "a.test\n", LOGINS: BOTH},
        HOST,
        (write({RELAYMAP: "@a.test [s.test]:587\n"}),),
        {ANNA: "s.test s-user"},
    ),
)
