"""Walks through the remedies of docs/checks.md, The machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.running.walks import (
    ALL,
    ANNA,
    AT_R,
    BEN,
    BOB,
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
from tests.running.walks.scene import PATIENCE

if TYPE_CHECKING:
    from tests.running.walks import Deed
    from tests.running.walks.scene import Scene

ONE_DEFAULT = f"{RELAYS.partition('  s: ')[0]}default: r\n"
RESET = "run dms-relay apply to set it again; to keep the new value, write it into postfix-main.cf"
EITHER = "remove that entry from its table, or remove the route"
OWN = "[own.test]:587"
APPLY = "run dms-relay apply"
BIG = "".join(f"@d{n}.test user:{PASSWORD}\n" for n in range(10_000))
#: One line of Debian's dynamicmaps.cf(5).
TYPE = "{0}\tpostfix-{0}.so\tdict_{0}_open\tmkmap_{0}_open\n"
META = "meta_directory = {postfix}/meta\n"


def delivered(scene: Scene) -> None:
    """Have a message delivered, so that every daemon is there: one that starts with a damaged main.cf is missed a minute."""
    scene.postfix.send(ANNA, [BOB], "delivered")
    scene.testbed.ledger.wait_for(1, PATIENCE)


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


WALKS = (
    Walk(
        "machine-unreadable",
        "move the file away; Postfix keeps its present settings",
        env=FULL,
        follow=(state(None),),
        arrives=ALL,
        before=(apply, state("{")),
    ),
    Walk(
        "machine-unreadable",
        "run that program by hand, and fix what it reports",
        env=FULL,
        follow=(edit("postfix/main.cf", "\nrelayhost\n", "\n"),),
        arrives=ALL,
        before=(delivered, edit("postfix/main.cf", "\n", "\nrelayhost\n")),
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
        "reload-due",
        "run dms-relay apply, which reloads Postfix",
        env=FULL,
        follow=(printed("dms-relay apply"),),
        arrives=ALL,
        before=(apply, delivered, run("postconf -e mail_name=Other")),
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
        "parameter-left",
        "check it: before dms-relay it was set",
        env=FULL,
        follow=(run("postconf -e relayhost=[plain.test]:25"),),
        arrives={ANNA: "plain.test"},
        main="relayhost = [plain.test]:25\n",
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
            f"install postfix-{kind} (Debian's name for it), or remove the setting",
            AT_R,
            {**DEFAULT, "RELAY_TABLES": kind},
            (deed,),
            ALL,
            choice=f"{choice} {kind}",
            main=META,
            before=(types(*{"cdb", "lmdb"} - {kind}),),
        )
        for kind in ("cdb", "lmdb")
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
