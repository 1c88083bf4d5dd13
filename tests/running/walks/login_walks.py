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
    HOST,
    LOGIN,
    LOGINS,
    PASSWORD,
    RELAYMAP,
    TRANSPORTS,
    VHOST,
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
)
