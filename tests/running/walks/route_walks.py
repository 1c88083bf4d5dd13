"""Walks through the remedies of docs/checks.md, Routes: where relays and opt-outs stand."""

from __future__ import annotations

from tests.running.walks import (
    A_TO_R,
    ALL,
    ANNA,
    AT_R,
    BEN,
    BOB,
    BOUNCE,
    CARL,
    DEFAULT,
    DIRECT_TOO,
    FULL,
    HOST,
    LOGIN,
    LOGINS,
    PASSWORD,
    RELAYMAP,
    RELAYS,
    SMTP,
    TRANSPORTS,
    VHOST,
    YAML,
    Arrivals,
    R,
    S,
    Walk,
    edit,
    printed,
    put,
    run,
    write,
)

STARTTLS = "use the relay's port for STARTTLS, often 587, or set RELAY_ROUTING=transports"
EVERYWHERE = "and set RELAY_ROUTING=transports, which does that at ports 465 and 2465 only"
AT_465 = {"DEFAULT_RELAY_HOST": "[r.test]:465", **LOGIN}
OWN_LEVEL = "set RELAY_ROUTING=transports, which gives each relay its own level"
C_TO_R = "@c.test [r.test]:587\n"
A_OUT = {RELAYMAP: "@a.test\n", VHOST: "a.test\nb.test\n"}
BY_HOST = {**HOST, **LOGIN}
B_ONLY: Arrivals = {BEN: "r.test user", (ANNA, CARL): "plain.test"}
SENDERS = f"{RELAYS.partition('  s: ')[0]}senders: {{b.test: r, a.test: direct}}\n"
MAY = "set smtp_tls_security_level = may in main.cf: each relay keeps its own level"
WALKS = (
    Walk(
        "implicit-tls-port",
        STARTTLS,
        env=AT_465,
        follow=(put(**DEFAULT),),
        arrives=ALL,
        choice="587",
    ),
    Walk("implicit-tls-port", STARTTLS, env=AT_465, follow=(put(**TRANSPORTS),), arrives=ALL, choice="transports"),
    Walk(
        "implicit-tls-everywhere",
        f"remove smtp_tls_wrappermode from main.cf (postconf -X smtp_tls_wrappermode), {EVERYWHERE}",
        {RELAYMAP: "@b.test [r.test]:465\n"},
        FULL,
        (
            printed("postconf -X smtp_tls_wrappermode"),
            put(**TRANSPORTS),
            write({LOGINS: f"[r.test]:465 u:{PASSWORD}\n"}),
        ),
        {**ALL, BEN: "r.test u"},
        choice="main.cf",
        main="smtp_tls_wrappermode = yes\n",
    ),
    Walk(
        "implicit-tls-everywhere",
        f"remove smtp_tls_wrappermode from smtp/unix in master.cf, {EVERYWHERE}",
        env=FULL,
        follow=(edit("postfix/master.cf", "  -o smtp_tls_wrappermode=yes\n", ""), put(**TRANSPORTS)),
        arrives=ALL,
        choice="master.cf",
        before=(edit("postfix/master.cf", SMTP, f"{SMTP}  -o smtp_tls_wrappermode=yes\n"),),
    ),
    Walk(
        "mx-lookup-with-login",
        "write [r.test]:587",
        env={**LOGIN, "DEFAULT_RELAY_HOST": "r.test:587"},
        follow=(put(**DEFAULT),),
        arrives=ALL,
    ),
    Walk(
        "mx-lookup-with-login",
        "write [r.test]:587, also as the key of its login",
        {RELAYMAP: "@a.test r.test:587\n", LOGINS: f"r.test:587 user:{PASSWORD}\n"},
        TRANSPORTS,
        (write({**A_TO_R, **AT_R}),),
        {ANNA: "r.test user"},
    ),
    Walk(
        "opt-out-without-effect",
        "set RELAY_ROUTING=transports, which sends it directly",
        {RELAYMAP: "@a.test\n"},
        FULL,
        (put(**TRANSPORTS),),
        {BEN: "r.test user", ANNA: "world.test", (ANNA, CARL): "plain.test"},
    ),
    *(
        Walk(
            "opt-out-without-effect",
            "keep only one of the two lines",
            {RELAYMAP: f"@a.test\n@a.test [r.test]:587\n{C_TO_R}", LOGINS: R + S, VHOST: "a.test\nb.test\n"},
            {"RELAY_HOST": "s.test", "RELAY_PORT": "587", **routing},
            (write({RELAYMAP: kept + C_TO_R}),),
            {ANNA: arrives, BEN: "s.test s-user"},
            choice=f"{kept.strip()} {len(routing)}",
            leads_to=frozenset({"opt-out-needs-tls"} if "[" not in kept and not routing else ()),
        )
        for kept, arrives in (("@a.test\n", "world.test"), ("@a.test [r.test]:587\n", "r.test user"))
        for routing in ({}, TRANSPORTS)
    ),
    Walk(
        "opt-out-without-effect",
        "remove the line, or set RELAY_HOST",
        {RELAYMAP: "@a.test\n@b.test [r.test]:587\n", VHOST: "a.test\nb.test\n", **AT_R},
        follow=(write({RELAYMAP: "@b.test [r.test]:587\n"}),),
        arrives={BEN: "r.test user", ANNA: "world.test"},
        choice="remove",
        leads_to=frozenset({"managed-domain-not-relayed"}),
    ),
    Walk(
        "opt-out-without-effect",
        "remove the line, or set RELAY_HOST",
        {RELAYMAP: "@a.test\n", VHOST: "a.test\nb.test\n", **AT_R},
        follow=(put(**HOST),),
        arrives={BEN: "r.test user", ANNA: "world.test"},
        choice="RELAY_HOST",
        leads_to=DIRECT_TOO,
    ),
    Walk(
        "opt-out-without-effect",
        "remove the line, or check the spelling",
        {RELAYMAP: "@aa.test\n", VHOST: "a.test\nb.test\n"},
        BY_HOST,
        (write({RELAYMAP: "@a.test\n"}),),
        {BEN: "r.test user", ANNA: "world.test"},
        choice="spelling",
        leads_to=frozenset({"opt-out-needs-tls"}),
    ),
    Walk(
        "opt-out-without-effect",
        "remove the line, or check the spelling",
        {RELAYMAP: "@aa.test\n", VHOST: "a.test\nb.test\n"},
        BY_HOST,
        (write({RELAYMAP: ""}),),
        {BEN: "r.test user", ANNA: "r.test user"},
        choice="remove",
    ),
    Walk(
        "opt-out-without-effect",
        "clear relayhost in main.cf",
        A_OUT,
        BY_HOST,
        (run("postconf -e relayhost="),),
        {BEN: "r.test user", ANNA: "world.test"},
        main="relayhost = [own.test]:587\n",
        leads_to=DIRECT_TOO,
    ),
    Walk("opt-out-needs-tls", OWN_LEVEL, A_OUT, BY_HOST, (put(**TRANSPORTS),), B_ONLY, choice="an opt-out"),
    Walk(
        "opt-out-needs-tls",
        OWN_LEVEL,
        {VHOST: "b.test\n"},
        BY_HOST,
        (put(**TRANSPORTS),),
        {**B_ONLY, (BOUNCE, CARL): "plain.test", (ANNA, BOB): "world.test"},
        choice="everybody else",
    ),
    Walk(
        "opt-out-needs-tls",
        OWN_LEVEL,
        env=FULL,
        follow=(put(**TRANSPORTS),),
        arrives={ANNA: "r.test user", (ANNA, "x@inner.test"): "plain.test"},
        choice="transport_maps",
        main="transport_maps = inline:{ inner.test=relay:[plain.test]:25 }\n",
    ),
    *(
        Walk(
            "opt-out-needs-tls",
            MAY,
            {YAML: SENDERS},
            follow=(run("postconf -e smtp_tls_security_level=may"),),
            arrives=B_ONLY,
            choice=f"may in place of {level}",
            main=f"smtp_tls_security_level = {level}\n",
        )
        for level in ("encrypt", "secure")
    ),
    *(
        Walk(
            "two-default-relays",
            "keep only one of them, unless you want both",
            {VHOST: "a.test\n", LOGINS: f"{R}[h.test]:25 v:{PASSWORD}\n"},
            {**DEFAULT, "RELAY_HOST": "h.test"},
            (put(**dict.fromkeys([gone])),),
            {ANNA: arrives},
            choice=f"without {gone}",
            leads_to=leads_to,
        )
        for gone, arrives, leads_to in (
            ("RELAY_HOST", "r.test user", frozenset({"login-without-relay"})),
            ("DEFAULT_RELAY_HOST", "h.test v", frozenset({"login-without-relay", *DIRECT_TOO})),
        )
    ),
    Walk(
        "two-default-relays",
        "remove RELAY_HOST, unless you want both ports",
        {VHOST: "a.test\n"},
        {**FULL, "RELAY_HOST": "r.test"},
        (put(RELAY_HOST=None),),
        ALL,
    ),
    Walk(
        "two-default-relays",
        "remove RELAY_HOST",
        {VHOST: "a.test\n"},
        {**FULL, "RELAY_HOST": "r.test", "RELAY_PORT": "587"},
        (put(RELAY_HOST=None, RELAY_PORT=None),),
        ALL,
    ),
)
