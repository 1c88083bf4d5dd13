"""Walks through the remedies of docs/checks.md, Routes: whose mail is relayed."""

from __future__ import annotations

from tests.running.walks import (
    A_TO_R,
    ACCOUNTS,
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
    RELAYMAP,
    RELAYS,
    TRANSPORTS,
    VHOST,
    VIRTUAL,
    WITH_LOGIN,
    YAML,
    Arrivals,
    R,
    Walk,
    apply,
    edit,
    put,
    write,
)

BY_HOST = {**HOST, **LOGIN}
ONE = RELAYS.partition("  s: ")[0]
BOTH: Arrivals = {ANNA: "r.test user", BEN: "r.test user"}
ELSEWHERE = "carl@elsewhere.test"
DEFAULT_TOO = "set DEFAULT_RELAY_HOST (relay.yaml: default), unless you want that"
NEAR = "write a.test, if you mean that; for mail to aa.test, write it under recipients in relay.yaml"
FAR = "check the spelling, and postfix-accounts.cf; for mail to inner.test, write it under recipients in relay.yaml"
TO_INNER = (ANNA, "x@inner.test")
EACH: Arrivals = {ANNA: "r.test user", BEN: "s.test s-user"}
A_ONLY: Arrivals = {ANNA: "r.test user"}
INNER: Arrivals = {TO_INNER: "r.test user"}
LOOP = "write the host of your relay service"
USE_IT = "make it the default, add it to a sender, or remove it"
WALKS = (
    *(
        Walk(
            "no-managed-domain",
            "remove RELAY_HOST, or add an account to postfix-accounts.cf",
            AT_R,
            {**DEFAULT, **HOST},
            (deed,),
            ALL,
            choice=choice,
            leads_to=leads_to,
        )
        for choice, deed, leads_to in (
            ("RELAY_HOST", put(RELAY_HOST=None, RELAY_PORT=None), frozenset[str]()),
            ("an account beside", write({ACCOUNTS: "anna@a.test|x\n"}), frozenset({"two-default-relays"})),
        )
    ),
    Walk(
        "relay-host-unused",
        "remove it, unless you plan to add domains",
        {**A_TO_R, VHOST: "a.test\n", LOGINS: R},
        {**DEFAULT, "RELAY_HOST": "s.test"},
        (put(RELAY_HOST=None),),
        ALL,
    ),
    *(
        Walk(
            "no-managed-domain",
            "set DEFAULT_RELAY_HOST, or add an account to postfix-accounts.cf",
            AT_R,
            HOST,
            (deed,),
            {ANNA: "r.test user"},
            choice=choice,
            leads_to=leads_to,
        )
        for choice, deed, leads_to in (
            ("DEFAULT_RELAY_HOST", put(RELAY_HOST=None, RELAY_PORT=None, **DEFAULT), frozenset[str]()),
            ("an account", write({ACCOUNTS: "anna@a.test|x\n"}), DIRECT_TOO),
        )
    ),
    Walk(
        "relay-domain-not-managed",
        NEAR,
        {RELAYMAP: "@aa.test [r.test]:587\n", VHOST: "a.test\n", LOGINS: R},
        follow=(write(A_TO_R),),
        arrives={ANNA: "r.test user"},
        choice="the near name",
    ),
    Walk(
        "relay-domain-not-managed",
        NEAR,
        {RELAYMAP: "@aa.test [r.test]:587\n", VHOST: "a.test\n", LOGINS: R},
        follow=(write({RELAYMAP: None, LOGINS: None, YAML: f"{ONE}recipients: {{aa.test: r}}\n"}),),
        arrives={(ANNA, "x@aa.test"): "r.test user", ANNA: "world.test"},
        choice="mail to it",
    ),
    Walk(
        "relay-domain-not-managed",
        FAR,
        {YAML: f"{ONE}senders: {{inner.test: r}}\n", VHOST: "a.test\n"},
        follow=(write({YAML: f"{ONE}recipients: {{inner.test: r}}\n"}),),
        arrives={TO_INNER: "r.test user", ANNA: "world.test"},
        choice="mail to it",
    ),
    Walk(
        "relay-domain-not-managed",
        FAR,
        {YAML: f"{ONE}default: r\nsenders: {{inner.test: r}}\n", ACCOUNTS: "anna@a.test|x\n"},
        follow=(write({ACCOUNTS: "anna@a.test|x\nanna@inner.test|x\n"}),),
        arrives={"anna@inner.test": "r.test user"},
        choice="postfix-accounts.cf",
    ),
    Walk(
        "public-domain-is-local",
        "remove the address or alias in gmail.com; a forward to it needs it on the right side only",
        {VIRTUAL: "me@a.test x\nme@gmail.com me@a.test\n"},
        FULL,
        (write({VIRTUAL: "me@a.test me@gmail.com\n"}),),
        {(ANNA, "friend@gmail.com"): "r.test user"},
    ),
    *(
        Walk(
            "managed-domain-not-relayed",
            "set a relay, unless you want that",
            {**A_TO_R, VHOST: "a.test\nb.test\n", LOGINS: R},
            routing,
            (write({RELAYMAP: f"{A_TO_R[RELAYMAP]}@b.test [r.test]:587\n"}),),
            BOTH,
            choice=f"{len(routing)} routing",
        )
        for routing in ({}, TRANSPORTS)
    ),
    Walk(
        "mail-not-relayed",
        DEFAULT_TOO,
        {VHOST: "a.test\n"},
        BY_HOST,
        (put(RELAY_HOST=None, RELAY_PORT=None, **DEFAULT),),
        {**ALL, ELSEWHERE: "r.test user"},
        choice="DEFAULT_RELAY_HOST",
    ),
    Walk(
        "mail-not-relayed",
        DEFAULT_TOO,
        {**A_TO_R, LOGINS: R},
        follow=(put(**DEFAULT),),
        arrives={**ALL, ELSEWHERE: "r.test user"},
        choice="beside a relaymap",
    ),
    *(
        Walk(
            "mail-not-relayed",
            DEFAULT_TOO,
            {YAML: f"{ONE}senders: {{a.test: r}}\n"},
            follow=(write({YAML: f"{ONE}default: {default}\nsenders: {{a.test: r}}\n"}),),
            arrives={ANNA: "r.test user", BOUNCE: arrives, ELSEWHERE: arrives},
            choice=f"default: {default}",
        )
        for default, arrives in (("r", "r.test user"), ("direct", "world.test"))
    ),
    *(
        Walk(
            "relay-is-this-server",
            LOOP,
            env={"DEFAULT_RELAY_HOST": wrong, **LOGIN},
            follow=(put(**DEFAULT),),
            arrives=ALL,
            choice=wrong,
        )
        for wrong in ("[127.0.0.1]", "[mail.testbed.test]:25")
    ),
    Walk(
        "new-sender-not-relayed",
        "fix the inputs",
        {VHOST: "a.test\n"},
        BY_HOST,
        (write({RELAYMAP: "@x.test [r.test]:587\n"}),),
        {BEN: "r.test user", "u@x.test": "r.test user"},
        before=(apply, write({VHOST: "a.test\nb.test\n", RELAYMAP: "@x.test [r.test:587\n"})),
        leads_to=frozenset({"relay-domain-not-managed", *DIRECT_TOO}),
    ),
    Walk(
        "table-domains-not-relayed",
        "set DEFAULT_RELAY_HOST, which serves every sender",
        {VHOST: "a.test\n"},
        BY_HOST,
        (put(RELAY_HOST=None, RELAY_PORT=None, **DEFAULT),),
        {**ALL, "carl@table.test": "r.test user"},
        main="virtual_mailbox_domains = {postfix}/vhost, inline:{ table.test=x }\n",
    ),
    *(
        Walk(
            "unused-relay",
            USE_IT,
            {YAML: f"{WITH_LOGIN}senders: {{a.test: r}}\n"},
            follow=(write({YAML: text}),),
            arrives=arrives,
            choice=choice,
        )
        for choice, text, arrives in (
            (
                "default",
                f"{WITH_LOGIN}default: s\nsenders: {{a.test: r}}\n",
                EACH,
            ),
            (
                "a sender",
                f"{WITH_LOGIN}senders: {{a.test: r, b.test: s}}\n",
                EACH,
            ),
            ("remove", f"{ONE}senders: {{a.test: r}}\n", A_ONLY),
        )
    ),
    Walk(
        "recipient-is-local",
        "remove the line",
        {YAML: f"{ONE}default: r\nrecipients: {{a.test: r}}\n", VHOST: "a.test\n"},
        follow=(write({YAML: f"{ONE}default: r\n"}),),
        arrives=ALL,
    ),
    *(
        Walk(
            "recipient-is-local",
            "remove the line, or remove the domain from main.cf",
            {YAML: f"{ONE}recipients: {{inner.test: r}}\n"},
            follow=(deed,),
            arrives=arrives,
            choice=choice,
            main="mydestination = inner.test\n",
        )
        for choice, deed, arrives in (
            ("the line", write({YAML: f"{ONE}default: r\n"}), ALL),
            ("the domain", edit("postfix/main.cf", "mydestination = inner.test\n", ""), INNER),
        )
    ),
)
