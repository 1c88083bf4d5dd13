"""Walks through the remedies of docs/checks.md, The machine: what keeps mail from leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.running.walks import (
    A_TO_R,
    ALL,
    ANNA,
    DEFAULT,
    FULL,
    LOGIN,
    LOGINS,
    SMTP,
    R,
    Walk,
    edit,
    printed,
    run,
    write,
)

if TYPE_CHECKING:
    from tests.running.walks import Deed

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


WALKS = (
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
)
