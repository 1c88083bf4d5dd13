"""Walks through the remedies of docs/checks.md, The machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    SMTP,
    VHOST,
    YAML,
    R,
    Walk,
    apply,
    edit,
    printed,
    put,
    run,
    write,
)

if TYPE_CHECKING:
    from tests.running.walks import Deed
    from tests.running.walks.scene import Scene

ONE_DEFAULT = f"{RELAYS.partition('  s: ')[0]}default: r\n"
RESET = "run dms-relay apply to set it again; to keep the new value, write it into postfix-main.cf"
EITHER = "remove that entry from its table, or remove the route"
OWN = "[own.test]:587"
APPLY = "run dms-relay apply"
OF_BOUNCES = "; then run postfix reload; dms-relay explain '<>' shows the whole route"
OF_A = "; then run postfix reload; dms-relay explain 'someone@a.test' shows the whole route"
BIG = "".join(f"@d{n}.test user:{PASSWORD}\n" for n in range(10_000))
#: One line of Debian's dynamicmaps.cf(5).
TYPE = "{0}\tpostfix-{0}.so\tdict_{0}_open\tmkmap_{0}_open\n"
META = "meta_directory = {postfix}/meta\n"

NEW_SMTP = "smtp unix - - n - - smtp\n"


def types(*names: str) -> Deed:
    """Return the deed of installing the packages of some types of tables, and no others."""

    def do(scene: Scene) -> None:
        directory = scene.path("postfix/meta")
        directory.mkdir(exist_ok=True)
        (directory / "dynamicmaps.cf").write_text("".join(map(TYPE.format, names)))

    return do


def state(text: str | None) -> Deed:
    """Return the deed of writing what we remember, or of moving it away."""
    return write({"postfix/dms-relay.state.json": text})


def stays(remedy: str, main: str, follow: Deed, *, choice: str, leads_to: frozenset[str] = frozenset()) -> Walk:
    """Return the walk of mail of all senders that would not leave."""
    return Walk(
        "mail-does-not-leave",
        f"{remedy}{OF_BOUNCES}",
        env=FULL,
        follow=(follow, run("postfix reload")),
        arrives=ALL,
        choice=choice,
        main=main,
        leads_to=leads_to,
    )


def removable(name: str, value: str) -> Walk:
    """Return the walk of a parameter of main.cf that keeps all mail here; the command is printed."""
    command = f"postconf -X {name}"
    return stays(
        f"remove {name} from main.cf ({command})", f"{name} = {value}\n", printed(command), choice=f"{name} {value}"
    )


WALKS = (
    Walk(
        "machine-unreadable",
        "move the file away; Postfix keeps its present settings",
        env=FULL,
        follow=(state(None),),
        arrives=ALL,
        before=(apply, state("{")),
    ),
    Walk("apply-due", APPLY, env=FULL, follow=(printed("dms-relay apply"),), arrives=ALL),
    Walk(
        "apply-due",
        APPLY,
        AT_R,
        DEFAULT,
        (printed("dms-relay apply"),),
        ALL,
        choice="another's hand",
        before=(apply, write({"postfix/sasl_passwd": "x y:z\n"})),
    ),
    Walk(
        "parameter-changed",
        RESET,
        env=FULL,
        follow=(printed("dms-relay apply"),),
        arrives=ALL,
        choice="apply",
        before=(apply, run(f"postconf -e relayhost={OWN}")),
    ),
    Walk(
        "parameter-changed",
        RESET,
        env=FULL,
        follow=(write({MAIN: f"relayhost = {OWN}\n"}),),
        arrives={ANNA: "own.test"},
        choice="postfix-main.cf",
        before=(apply, run(f"postconf -e relayhost={OWN}")),
        leads_to=frozenset({"user-file-undoes", "relay-without-login"}),
    ),
    Walk(
        "parameter-left",
        "check it: before dms-relay it was not set",
        env=FULL,
        follow=(run("postconf -X relayhost"),),
        arrives={ANNA: "world.test"},
        before=(apply, run(f"postconf -e relayhost={OWN}"), put(**dict.fromkeys(FULL))),
    ),
    Walk(
        "table-changed",
        APPLY,
        env=FULL,
        follow=(printed("dms-relay apply"),),
        arrives=ALL,
        before=(apply, lambda scene: scene.path("postfix/sasl_passwd").chmod(0o644)),
    ),
    Walk(
        "routes-not-used",
        "remove default_transport from main.cf",
        env=FULL,
        follow=(run("postconf -X default_transport"),),
        arrives=ALL,
        main=f"default_transport = smtp:{OWN}\n",
    ),
    Walk(
        "routes-not-used",
        EITHER,
        env=FULL,
        follow=(edit("postfix/main.cf", f" *=smtp:{OWN}", ""), run("postfix reload")),
        arrives=ALL,
        choice="transport_maps",
        main=f"transport_maps = inline:{{ x.test=smtp:[x.test], *=smtp:{OWN} }}\n",
    ),
    *(
        Walk(
            "routes-not-used",
            EITHER,
            {RELAYMAP: "@a.test [r.test]:587\n@b.test [r.test]:587\n", LOGINS: R},
            DEFAULT,
            (deed, run("postfix reload")),
            {ANNA: arrives, BEN: "r.test user"},
            choice=choice,
            main=f"sender_dependent_default_transport_maps = inline:{{ @a.test=smtp:{OWN}, @c.test=smtp: }}\n",
        )
        for choice, deed, arrives in (
            ("the entry", edit("postfix/main.cf", f"@a.test=smtp:{OWN},", ""), "r.test user"),
            ("the route", write({RELAYMAP: "@b.test [r.test]:587\n"}), "own.test"),
        )
    ),
    *(
        Walk(
            "foreign-relayhost",
            "set DEFAULT_RELAY_HOST, or clear relayhost in main.cf",
            {VHOST: "a.test\n"},
            {**HOST, **LOGIN},
            (deed,),
            {ANNA: "r.test user", BEN: arrives},
            choice=choice,
            main=f"relayhost = {OWN}\n",
            leads_to=leads_to,
        )
        for choice, deed, arrives, leads_to in (
            ("DEFAULT_RELAY_HOST", put(**DEFAULT), "r.test user", frozenset({"two-default-relays"})),
            ("clear relayhost", run("postconf -e relayhost="), "world.test", DIRECT_TOO),
        )
    ),
    removable("default_transport", "error"),
    removable("default_transport", "error:no mail here"),
    removable("default_transport", "discard"),
    removable("default_transport", "nosuch"),
    stays(
        "remove smtp from defer_transports in main.cf",
        "defer_transports = local, smtp\n",
        run("postconf -e defer_transports=local"),
        choice="defer_transports",
    ),
    stays(
        "have Postfix read that table, or remove it from transport_maps in main.cf",
        "transport_maps = texthash:{postfix}/own\n",
        write({"postfix/own": "x.test smtp:\n"}),
        choice="the table",
    ),
    stays(
        "have Postfix read that table, or remove it from transport_maps in main.cf",
        "transport_maps = texthash:{postfix}/own\n",
        run("postconf -e transport_maps="),
        choice="without the table",
    ),
    stays(
        "write encrypt in that table, or another level that there is",
        "smtp_tls_policy_maps = inline:{ [r.test]:587=encrpyt }\n",
        edit("postfix/main.cf", "encrpyt", "encrypt"),
        choice="a level of a table",
    ),
    Walk(
        "mail-does-not-leave",
        f"remove the entry @a.test from its table in sender_dependent_default_transport_maps{OF_A}",
        {**A_TO_R, LOGINS: R},
        DEFAULT,
        (edit("postfix/main.cf", "@a.test=error,", ""), run("postfix reload")),
        ALL,
        main="sender_dependent_default_transport_maps = inline:{ @a.test=error, @c.test=smtp: }\n",
    ),
    Walk(
        "mail-does-not-leave",
        "remove relay_transport from main.cf (postconf -X relay_transport); then run postfix reload;"
        " dms-relay explain '<>' someone@inner.test shows the whole route",
        env=FULL,
        follow=(printed("postconf -X relay_transport"), run("postfix reload")),
        arrives={(ANNA, "x@inner.test"): "r.test user"},
        main="relay_domains = inner.test\nrelay_transport = error\n",
    ),
    Walk(
        "mail-does-not-leave",
        f"add the line smtp unix - - n - - smtp to master.cf{OF_BOUNCES}",
        env={"DEFAULT_RELAY_HOST": "{r.test}:587", **LOGIN},
        follow=(
            lambda scene: scene.write("postfix/master.cf", scene.path("postfix/master.cf").read_text() + NEW_SMTP),
            run("postfix reload"),
        ),
        arrives=ALL,
        before=(edit("postfix/master.cf", SMTP, ""),),
    ),
    Walk(
        "mail-does-not-leave",
        f"remove smtp_bind_address from smtp/unix in master.cf{OF_BOUNCES}",
        env={"DEFAULT_RELAY_HOST": "[192.0.2.1]:587", **LOGIN},
        follow=(edit("postfix/master.cf", "  -o smtp_bind_address=127.0.0.1\n", ""), run("postfix reload")),
        before=(edit("postfix/master.cf", SMTP, f"{SMTP}  -o smtp_bind_address=127.0.0.1\n"),),
        choice="a service",
    ),
    Walk(
        "mail-does-not-leave",
        f"remove smtp_bind_address from main.cf (postconf -X smtp_bind_address){OF_BOUNCES}",
        env={"DEFAULT_RELAY_HOST": "[192.0.2.1]:587", **LOGIN},
        follow=(printed("postconf -X smtp_bind_address"), run("postfix reload")),
        main="smtp_bind_address = 127.0.0.1\n",
    ),
    Walk(
        "mail-does-not-leave",
        f"remove inet_protocols from main.cf (postconf -X inet_protocols){OF_BOUNCES}",
        env={"DEFAULT_RELAY_HOST": "{r.test}:587", **LOGIN},
        follow=(printed("postconf -X inet_protocols"), run("postfix reload")),
        arrives=ALL,
        before=(edit("postfix/main.cf", "inet_protocols = ipv4\n", "inet_protocols = ipv6\n"),),
    ),
    *(
        Walk(
            "service-name-taken",
            "rename the relay, or remove the service",
            {YAML: ONE_DEFAULT},
            follow=(deed,),
            arrives=ALL,
            choice=choice,
            master="relay-r unix - - y - - smtp\n",
        )
        for choice, deed in (
            ("rename", write({YAML: ONE_DEFAULT.replace("  r: ", "  mine: ").replace("default: r", "default: mine")})),
            ("remove", edit("postfix/master.cf", "relay-r unix - - y - - smtp\n", "")),
        )
    ),
    *(
        Walk(
            "table-type-missing",
            "install postfix-cdb (Debian's name for it), or remove the setting",
            AT_R,
            {**DEFAULT, "RELAY_TABLES": "cdb"},
            (deed,),
            ALL,
            choice=choice,
            main=META,
            before=(types("lmdb"),),
        )
        for choice, deed in (("install", types("cdb", "lmdb")), ("remove", put(RELAY_TABLES=None)))
    ),
    *(
        Walk(
            "big-table-not-indexed",
            "install postfix-cdb or postfix-lmdb (Debian's names for them)",
            {LOGINS: R + BIG},
            DEFAULT,
            (types(name),),
            {"u@d9.test": "r.test user", BOUNCE: "r.test user"},
            choice=name,
            main=META,
            before=(types(),),
        )
        for name in ("cdb", "lmdb")
    ),
    Walk(
        "no-authorities",
        "install ca-certificates, and set smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt",
        {MAIN: "smtp_tls_security_level = secure\n", **AT_R},
        DEFAULT,
        (run("postconf -e smtp_tls_CAfile={ca}"),),
        ALL,
        before=(run("postconf -X smtp_tls_CAfile"),),
    ),
)
