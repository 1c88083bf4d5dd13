"""Walks through the remedies of docs/checks.md, The machine: what keeps mail from leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.running.walks import (
    A_TO_R,
    ALL,
    ANNA,
    BOUNCE,
    DEFAULT,
    FULL,
    LOGIN,
    LOGINS,
    MAIN,
    PASSWORD,
    SMTP,
    R,
    Walk,
    apply,
    edit,
    printed,
    run,
    write,
)

if TYPE_CHECKING:
    from tests.running.walks import Deed
    from tests.running.walks.scene import Scene

OF_BOUNCES = "; then run postfix reload; dms-relay explain '<>' shows the whole route"
OF_A = "; then run postfix reload; dms-relay explain 'someone@a.test' shows the whole route"
NEW_SMTP = "smtp unix - - n - - smtp\n"


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


def said_by_apply(remedy: str, main: str, *follow: Deed, choice: str = "") -> Walk:
    """Return the walk of what ``apply`` says of mail that would not leave."""
    return Walk(
        "mail-does-not-leave",
        remedy,
        env=FULL,
        follow=(*follow, run("postfix reload")),
        arrives=ALL,
        choice=f"apply {choice}",
        main=main,
        is_said_by_apply=True,
    )


def unlogged(remedy: str, main: str, follow: Deed, *, choice: str) -> Walk:
    """Return the walk of a relay that wants no login, so that protection is the operator's own."""
    return Walk(
        "mail-does-not-leave",
        f"{remedy}{OF_BOUNCES}",
        env={"DEFAULT_RELAY_HOST": "[own.test]:587"},
        follow=(follow, run("postfix reload")),
        arrives={ANNA: "own.test", BOUNCE: "own.test"},
        choice=choice,
        main=main,
    )


def fingerprint(scene: Scene) -> None:
    """Name the fingerprint of a relay's certificate."""
    scene.run(f"postconf -e smtp_tls_fingerprint_cert_match={scene.testbed.relays['own.test'].fingerprint}")


NO_DEFERRAL = (
    "remove smtp from defer_transports in main.cf, or add the line smtp unix - - n - - smtp to master.cf; "
    "then run postfix reload"
)
LEVEL_OF_FILE = (
    "set smtp_tls_security_level in postfix-main.cf to encrypt, or to another level that exists; then run dms-relay apply;"
    " dms-relay explain '<>' shows the whole route"
)
OWN_LOGIN = f"""
smtp_tls_wrappermode = yes
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_password_maps = inline:{{ {{[r.test]:465=user:{PASSWORD}}} }}
"""
WALKS = (
    said_by_apply(
        "remove default_transport from main.cf: postconf -X default_transport, then postfix reload",
        "default_transport = error\n",
        printed("postconf -X default_transport"),
    ),
    said_by_apply(
        NO_DEFERRAL, "defer_transports = smtp\n", run("postconf -e defer_transports="), choice="defer_transports"
    ),
    unlogged(
        "remove smtp_sasl_auth_enable from main.cf (postconf -X smtp_sasl_auth_enable)",
        "smtp_sasl_auth_enable = yes\n",
        printed("postconf -X smtp_sasl_auth_enable"),
        choice="smtp_sasl_auth_enable",
    ),
    unlogged(
        "set smtp_tls_security_level to encrypt, or to another level that exists",
        "smtp_tls_security_level = encrpyt\n",
        run("postconf -e smtp_tls_security_level=encrypt"),
        choice="a level",
    ),
    unlogged(
        "name the fingerprint in smtp_tls_fingerprint_cert_match",
        "smtp_tls_security_level = fingerprint\nsmtp_tls_fingerprint_digest = sha256\n",
        fingerprint,
        choice="a fingerprint",
    ),
    unlogged(
        "write that file, or remove /no/such from main.cf",
        "mydestination = /no/such\n",
        run("postconf -e mydestination="),
        choice="a file",
    ),
    Walk(
        "mail-does-not-leave",
        f"set smtp_tls_security_level to encrypt{OF_BOUNCES}",
        env={"DEFAULT_RELAY_HOST": "[r.test]:465"},
        follow=(run("postconf -e smtp_tls_security_level=encrypt"), run("postfix reload")),
        arrives=ALL,
        choice="implicit TLS",
        main=OWN_LOGIN,
    ),
    stays(
        "correct that entry of smtp_tls_policy_maps",
        "smtp_tls_policy_maps = inline:{ {[r.test]:587=encrypt macth=r.test} }\n",
        edit("postfix/main.cf", " macth=r.test", ""),
        choice="a policy",
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
        write({"postfix/own": "x.test :\n"}),
        choice="the table",
    ),
    stays(
        "have Postfix read that table, or remove it from transport_maps in main.cf",
        "transport_maps = texthash:{postfix}/own\n",
        run("postconf -e transport_maps="),
        choice="without the table",
    ),
    Walk(
        "mail-does-not-leave",
        LEVEL_OF_FILE,
        {MAIN: "smtp_tls_security_level = encrpyt\n"},
        FULL,
        (edit(MAIN, "encrpyt", "encrypt"),),
        ALL,
        choice="a level of postfix-main.cf",
        before=(apply,),
    ),
    *(
        stays(
            "write a type that postconf -m lists in place of hahs, or remove that table from transport_maps in main.cf",
            "transport_maps = hahs:{postfix}/own\n",
            deed,
            choice=choice,
        )
        for choice, deed in (
            ("another type", run("postconf -e 'transport_maps=inline:{x.test=:}'")),
            ("without the type", run("postconf -e transport_maps=")),
        )
    ),
    stays(
        "write encrypt in that table, or another level that exists",
        "smtp_tls_policy_maps = inline:{ [r.test]:587=encrpyt }\n",
        edit("postfix/main.cf", "encrpyt", "encrypt"),
        choice="a level of a table",
    ),
    Walk(
        "mail-does-not-leave",
        f"write a value after @a.test in that table, or remove that entry{OF_A}",
        {**A_TO_R, LOGINS: R},
        DEFAULT,
        (edit("postfix/main.cf", "{@a.test= }, ", ""), run("postfix reload")),
        ALL,
        main="sender_dependent_default_transport_maps = inline:{ {@a.test= }, @c.test=smtp: }\n",
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
)
