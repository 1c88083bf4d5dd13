"""Walks through the remedies of docs/checks.md, Logins: which login is used."""

from __future__ import annotations

from tests.running.walks import (
    A_TO_R,
    ALL,
    ANNA,
    AT_R,
    BEN,
    BOUNCE,
    DEFAULT,
    DIRECT_TOO,
    FULL,
    HOST,
    LOGIN,
    LOGINS,
    MAIN,
    PASSWORD,
    RELAYMAP,
    RELAYS,
    TRANSPORTS,
    VHOST,
    WITH_LOGIN,
    YAML,
    R,
    S,
    Walk,
    put,
    write,
)

SECRET_FILE = {"RELAY_USER": "user", "RELAY_PASSWORD__FILE": "{config}/secret"}
ADD_S = "add [s.test]:587 and its login to postfix-sasl-password.cf"
ADD_R = "add [r.test]:587 and its login to postfix-sasl-password.cf"
WALKS = (
    Walk(
        "no-login",
        "set RELAY_USER and RELAY_PASSWORD__FILE, or write postfix-sasl-password.cf",
        {"secret": f"{PASSWORD}\n"},
        DEFAULT,
        (put(**SECRET_FILE),),
        ALL,
        choice="RELAY_PASSWORD__FILE",
    ),
    Walk(
        "no-login",
        "set RELAY_USER and RELAY_PASSWORD__FILE, or write postfix-sasl-password.cf",
        env=DEFAULT,
        follow=(write(AT_R),),
        arrives=ALL,
        choice=LOGINS,
    ),
    Walk(
        "no-login",
        "set RELAY_USER and RELAY_PASSWORD__FILE, or write postfix-sasl-password.cf",
        A_TO_R,
        follow=(write(AT_R),),
        arrives={ANNA: "r.test user"},
        choice="with a relaymap",
        leads_to=frozenset({"opt-out-needs-tls"}),
    ),
    Walk(
        "half-a-login",
        "set RELAY_PASSWORD__FILE",
        {"secret": PASSWORD},
        {**DEFAULT, "RELAY_USER": "user"},
        (put(RELAY_PASSWORD__FILE="{config}/secret"),),
        ALL,
    ),
    Walk(
        "half-a-login",
        "set RELAY_USER",
        env={**DEFAULT, "RELAY_PASSWORD": PASSWORD},
        follow=(put(RELAY_USER="user"),),
        arrives=ALL,
    ),
    Walk(
        "login-without-relay",
        "write [r.test]:587 as the key",
        {LOGINS: f"r.test:587 user:{PASSWORD}\n"},
        DEFAULT,
        (write(AT_R),),
        ALL,
    ),
    Walk(
        "login-without-relay",
        "write [r.test]:587 as the key",
        {LOGINS: f"[r.test]:25 user:{PASSWORD}\n"},
        {**DEFAULT, **TRANSPORTS},
        (write(AT_R),),
        ALL,
        choice="transports",
    ),
    Walk(
        "login-without-relay",
        "remove one of the two lines",
        {LOGINS: f"{R}r.test:587 u:{PASSWORD}\n"},
        DEFAULT,
        (write(AT_R),),
        ALL,
    ),
    Walk(
        "login-without-relay",
        "write @a.test if you mean the senders of that domain",
        {LOGINS: f"{R}a.test u:{PASSWORD}\n", **A_TO_R},
        DEFAULT,
        (write({LOGINS: f"{R}@a.test u:{PASSWORD}\n"}),),
        {ANNA: "r.test u", BOUNCE: "r.test user"},
    ),
    Walk(
        "login-without-relay",
        "write the key exactly like the nexthop, with brackets and port",
        {LOGINS: f"[elsewhere.test]:2 user:{PASSWORD}\n"},
        DEFAULT,
        (write(AT_R),),
        ALL,
    ),
    *(
        Walk(
            "login-without-relay",
            "set DEFAULT_RELAY_HOST or RELAY_HOST, or write postfix-relaymap.cf",
            {VHOST: "a.test\n"},
            LOGIN,
            (put(**relay),),
            {ANNA: "r.test user"},
            choice=" and ".join(relay),
            leads_to=leads_to,
        )
        for relay, leads_to in ((DEFAULT, frozenset[str]()), (HOST, DIRECT_TOO))
    ),
    Walk(
        "login-without-relay",
        "set DEFAULT_RELAY_HOST or RELAY_HOST, or write postfix-relaymap.cf",
        AT_R,
        follow=(write(A_TO_R),),
        arrives={ANNA: "r.test user"},
        choice=RELAYMAP,
        leads_to=DIRECT_TOO,
    ),
    *(
        Walk(
            "login-without-relay",
            "set DEFAULT_RELAY_HOST or RELAY_HOST",
            {RELAYMAP: "@a.test [s.test]:587\n", LOGINS: S, VHOST: "b.test\na.test\n"},
            LOGIN,
            (put(**relay),),
            {ANNA: "s.test s-user", BEN: "r.test user"},
            choice=" and ".join(relay),
        )
        for relay in (DEFAULT, HOST)
    ),
    Walk(
        "login-without-relay",
        "map the sender, or remove the login",
        {LOGINS: f"{R}@b.test u:{PASSWORD}\n", **A_TO_R},
        TRANSPORTS,
        (write({RELAYMAP: f"{A_TO_R[RELAYMAP]}@b.test [r.test]:587\n"}),),
        {ANNA: "r.test user", BEN: "r.test u"},
        choice="map the sender",
    ),
    Walk(
        "login-without-relay",
        "map the sender, or remove the login",
        {LOGINS: f"{R}@b.test u:{PASSWORD}\n", **A_TO_R},
        TRANSPORTS,
        (write(AT_R),),
        {ANNA: "r.test user", BEN: "world.test"},
        choice="remove the login",
    ),
    *(
        Walk(
            "relay-without-login",
            ADD_S,
            {LOGINS: R, RELAYMAP: "@b.test [s.test]:587\n"},
            {**DEFAULT, **routing},
            (write({LOGINS: R + S}),),
            {**ALL, BEN: "s.test s-user"},
            choice=f"{len(routing)} routing",
        )
        for routing in ({}, TRANSPORTS)
    ),
    Walk(
        "relay-without-login",
        "give relay s a login in relay.yaml",
        {YAML: f"{RELAYS}default: r\nsenders: {{b.test: s}}\n"},
        follow=(write({YAML: f"{WITH_LOGIN}default: r\nsenders: {{b.test: s}}\n"}),),
        arrives={**ALL, BEN: "s.test s-user"},
    ),
    *(
        Walk(
            "null-sender-without-login",
            ADD_R,
            {LOGINS: f"@a.test u:{PASSWORD}\n"},
            {**DEFAULT, **routing},
            (write({LOGINS: f"@a.test u:{PASSWORD}\n{R}"}),),
            {ANNA: "r.test u", BOUNCE: "r.test user"},
            choice=f"{len(routing)} routing",
        )
        for routing in ({}, TRANSPORTS)
    ),
    Walk(
        "null-sender-without-login",
        "give relay s a login in relay.yaml",
        {
            YAML: f"{RELAYS}default: s\nsenders: {{a.test: r, b.test: {{relay: s,"
            f" login: {{username: u, password: {PASSWORD}}}}}}}\n"
        },
        follow=(
            write(
                {
                    YAML: f"{WITH_LOGIN}default: s\nsenders: {{a.test: r, b.test: {{relay: s,"
                    f" login: {{username: u, password: {PASSWORD}}}}}}}\n"
                }
            ),
        ),
        arrives={ANNA: "r.test user", BEN: "s.test u", BOUNCE: "s.test s-user"},
    ),
    *(
        Walk(
            "env-login-overridden",
            "keep only one of them",
            {LOGINS: f"{key} u:{PASSWORD}\n"},
            FULL,
            (deed,),
            dict.fromkeys(ALL, f"r.test {user}"),
            choice=f"{key}, the login of {user}",
        )
        for key in ("[r.test]:587", "r.test")
        for user, deed in (
            ("u", put(RELAY_USER=None, RELAY_PASSWORD=None)),
            ("user", write({LOGINS: None})),
        )
    ),
    Walk(
        "login-for-strangers",
        "map the sender in postfix-relaymap.cf, or remove the login",
        {LOGINS: f"{R}@b.test u:{PASSWORD}\n", **A_TO_R},
        follow=(write({RELAYMAP: f"{A_TO_R[RELAYMAP]}@b.test [r.test]:587\n"}),),
        arrives={BEN: "r.test u", ANNA: "r.test user"},
        choice="map the sender",
    ),
    Walk(
        "login-for-strangers",
        "map the sender in postfix-relaymap.cf, or remove the login",
        {LOGINS: f"{R}@b.test u:{PASSWORD}\n", **A_TO_R},
        follow=(write(AT_R),),
        arrives={BEN: "world.test", ANNA: "r.test user"},
        choice="remove the login",
    ),
    Walk(
        "login-for-strangers",
        "remove the line, and add the login with its relay to postfix-sasl-password.cf",
        {MAIN: f"smtp_sasl_password_maps = static:user:{PASSWORD}\n", **A_TO_R, LOGINS: S},
        follow=(write({MAIN: None, LOGINS: R}),),
        arrives={ANNA: "r.test user", BEN: "world.test"},
    ),
    Walk(
        "login-at-other-relay",
        "give ben@a.test its own login, or set RELAY_ROUTING=transports",
        {LOGINS: f"@a.test u:{PASSWORD}\n{S}", RELAYMAP: "@a.test [r.test]:587\nben@a.test [s.test]:587\n"},
        follow=(write({LOGINS: f"@a.test u:{PASSWORD}\n{S}ben@a.test s-user:{PASSWORD}\n"}),),
        arrives={ANNA: "r.test u", "ben@a.test": "s.test s-user"},
        choice="own login",
    ),
    Walk(
        "login-at-other-relay",
        "give ben@a.test its own login, or set RELAY_ROUTING=transports",
        {LOGINS: f"@a.test u:{PASSWORD}\n{S}", RELAYMAP: "@a.test [r.test]:587\nben@a.test [s.test]:587\n"},
        follow=(put(**TRANSPORTS),),
        arrives={ANNA: "r.test u", "ben@a.test": "s.test s-user"},
        choice="transports",
    ),
)
