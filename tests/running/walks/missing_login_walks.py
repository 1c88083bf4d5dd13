"""Walks through the remedies of docs/checks.md, Logins: who has none, and what is taken as part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.running.walks import (
    A_TO_R,
    ALL,
    ANNA,
    AT_R,
    BEN,
    BOB,
    BOUNCE,
    DEFAULT,
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
    edit,
    put,
    write,
)
from tests.running.walks.rewriting_walks import daemon

if TYPE_CHECKING:
    from tests.running.walks import Arrivals, Deed
    from tests.running.walks.scene import Scene

SECRET_FILE = {"RELAY_USER": "user", "RELAY_PASSWORD__FILE": "{config}/secret"}
ONLY_S = "version: 1\nrelays:\n  s: {host: s.test, tls: {ca_file: '{ca}'}}\ndefault: s\n"
FROM_FILE = "login: {username: s-user, password_file: '{config}/secret'}"
AT_S: Arrivals = {BEN: "s.test s-user"}
#: Where RELAY_HOST serves nobody: there is no domain, or each has a relay of its own; and where that mail goes.
SERVES_NOBODY: tuple[tuple[dict[str, str], Arrivals], ...] = (
    ({}, {}),
    ({VHOST: "b.test\n", RELAYMAP: "@b.test [s.test]:587\n", LOGINS: S}, AT_S),
)
ADD_S = "add [s.test]:587 and its login to postfix-sasl-password.cf"
ADD_R = "add [r.test]:587 and its login to postfix-sasl-password.cf"


def explained(sender: str, nexthop: str) -> Deed:
    """Return the deed of asking where a sender's mail goes, and with which login; it must be that of a nexthop."""

    def do(scene: Scene) -> None:
        scene.run("dms-relay apply")
        said = scene.run(f"dms-relay explain '{sender}' {BOB}")
        assert f"by nexthop {nexthop} " in said, said

    return do


WALKS = (
    *(
        Walk(
            "relay-without-login",
            "add [r.test]:25 and its login to postfix-sasl-password.cf, or remove RELAY_HOST: both name the same host",
            {VHOST: "a.test\n"},
            {**FULL, "RELAY_HOST": "r.test"},
            (deed,),
            ALL,
            choice=choice,
            is_said_by_apply=True,
        )
        for choice, deed in (
            ("add [r.test]:25", write({LOGINS: f"[r.test]:25 user:{PASSWORD}\n"})),
            ("remove RELAY_HOST", put(RELAY_HOST=None)),
        )
    ),
    Walk(
        "login-without-relay",
        "run dms-relay explain SENDER RECIPIENT to see if the login is used; if it is not, remove it",
        {LOGINS: f"{R}{S}"},
        DEFAULT,
        (explained(ANNA, "[r.test]:587"), explained(BOUNCE, "[r.test]:587"), write({LOGINS: R})),
        ALL,
        before=(daemon("*", parameter="transport_maps"),),
    ),
    *(
        Walk(
            "login-without-relay",
            "move the login to its relay in relay.yaml (login), and remove RELAY_USER and RELAY_PASSWORD",
            {YAML: ONLY_S, "secret": f"{PASSWORD}\n"},
            {**env, "RELAY_USER": "s-user", "RELAY_PASSWORD": PASSWORD},
            (edit(YAML, "s: {", f"s: {{{FROM_FILE}, "), put(RELAY_USER=None, RELAY_PASSWORD=None)),
            {ANNA: "s.test s-user", BOUNCE: "s.test s-user"},
            choice=f"relay.yaml, {''.join(env) or 'no relay in the environment'}",
        )
        for env in (DEFAULT, HOST, {})
    ),
    *(
        Walk(
            "login-without-relay",
            "set DEFAULT_RELAY_HOST=[r.test]:587 in place of RELAY_HOST and RELAY_PORT, or remove the login",
            files,
            {**HOST, **LOGIN, **TRANSPORTS},
            (deed,),
            arrives,
            choice=f"{choice}, {''.join(files) or 'no domains'}",
        )
        for files, elsewhere in SERVES_NOBODY
        for choice, deed, arrives in (
            ("set it", put(RELAY_HOST=None, RELAY_PORT=None, **DEFAULT), {**ALL, **elsewhere}),
            ("remove the login", put(RELAY_USER=None, RELAY_PASSWORD=None), {ANNA: "world.test", **elsewhere}),
        )
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
