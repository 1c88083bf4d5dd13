"""Walks through the remedies of docs/checks.md, Routes: senders that are rewritten first."""

from __future__ import annotations

import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING

from tests.running.walks import (
    A_TO_R,
    ANNA,
    BEN,
    LOGINS,
    PASSWORD,
    RELAYMAP,
    WITH_LOGIN,
    YAML,
    R,
    Walk,
    edit,
    run,
    write,
)

if TYPE_CHECKING:
    from tests.running.walks import Deed
    from tests.running.walks.scene import Scene

SRS = "SRS0=x=a.test=anna@srs.test"
NO_ENTRY = "remove that entry, or give @srs.test the same relay and login"
MASQUERADE = "remove the domain from masquerade_domains, or give @a.test the same relay and login"
ADDED = f"{A_TO_R[RELAYMAP]}@srs.test [r.test]:587\n"
EXCLUDED = (
    "exclude your own domains from SRS (in docker-mailserver: SRS_EXCLUDE_DOMAINS=a.test), "
    "or give @srs.test the same relay and login"
)


class Daemon(ThreadingTCPServer):
    """Answers as PostSRSd 1 does (tcp_table(5)), with an address of ``srs.test`` for all domains but some."""

    daemon_threads = True
    block_on_close = False  # cleanup(8) keeps its connection for a while
    excluded: frozenset[str]


class _Answer(StreamRequestHandler):
    server: Daemon

    def handle(self) -> None:
        for line in self.rfile:
            user, _, domain = line.decode().removeprefix("get").strip().partition("@")
            is_left = not domain or self.server.excluded & {domain, "*"}
            self.wfile.write(b"500 no\n" if is_left else f"200 SRS0=x={domain}={user}@srs.test\n".encode())


def daemon(*excluded: str, parameter: str = "sender_canonical_maps") -> Deed:
    """Return the deed of starting an SRS daemon that leaves some domains (``*``: all) alone; it is asked from now on."""

    def do(scene: Scene) -> None:
        server = scene.daemons.enter_context(Daemon(("127.0.0.1", 0), _Answer))
        server.excluded = frozenset(excluded)
        scene.daemons.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        scene.run(f"postconf -e {parameter}=tcp:127.0.0.1:{server.server_address[1]}")

    return do


WALKS = (
    *(
        Walk(
            "sender-rewritten",
            NO_ENTRY,
            {**A_TO_R, LOGINS: login},
            follow=(deed,),
            arrives={ANNA: f"r.test {user}"},
            choice=choice,
            main=f"sender_canonical_maps = inline:{{ anna@a.test={SRS} }}\n",
        )
        for choice, login, user, deed in (
            ("take it away", R, "user", run("postconf -X sender_canonical_maps")),
            ("the same relay", R, "user", write({RELAYMAP: ADDED})),
            (
                "the same login",
                f"@a.test u:{PASSWORD}\n",
                "u",
                write({RELAYMAP: ADDED, LOGINS: f"@a.test u:{PASSWORD}\n@srs.test u:{PASSWORD}\n"}),
            ),
        )
    ),
    Walk(
        "sender-rewritten",
        NO_ENTRY,
        {YAML: f"{WITH_LOGIN}default: s\nsenders: {{a.test: r}}\n"},
        follow=(write({YAML: f"{WITH_LOGIN}default: s\nsenders: {{a.test: r, srs.test: r}}\n"}),),
        arrives={ANNA: "r.test user", BEN: "s.test s-user"},
        choice="in relay.yaml",
        main=f"canonical_maps = inline:{{ anna@a.test={SRS} }}\n",
    ),
    *(
        Walk(
            "sender-rewritten",
            MASQUERADE,
            {RELAYMAP: "@sub.a.test [r.test]:587\n", LOGINS: R},
            follow=(deed,),
            arrives={"anna@sub.a.test": "r.test user"},
            choice=choice,
            main="masquerade_domains = a.test\n",
        )
        for choice, deed in (
            ("take it out", run("postconf -e masquerade_domains=")),
            ("the same relay", write({RELAYMAP: "@sub.a.test [r.test]:587\n@a.test [r.test]:587\n"})),
        )
    ),
    *(
        Walk(
            "sender-rewritten",
            EXCLUDED,
            {**A_TO_R, LOGINS: R},
            follow=(deed,),
            arrives={ANNA: "r.test user"},
            choice=choice,
            before=(daemon("srs.test"),),
        )
        for choice, deed in (
            ("SRS_EXCLUDE_DOMAINS", daemon("srs.test", "a.test")),
            ("a relay for the SRS domain", write({RELAYMAP: ADDED})),
        )
    ),
    Walk(
        "sender-rewritten",
        "start the daemon that answers for that table, then run dms-relay check again",
        {**A_TO_R, LOGINS: R},
        follow=(daemon("srs.test", "a.test"),),
        arrives={ANNA: "r.test user"},
        before=(daemon(), lambda scene: scene.daemons.close()),
        is_long=True,  # postmap(1) asks ten times, a second apart
    ),
    *(
        Walk(
            "sender-rewritten",
            "have Postfix read that table, or remove it from sender_canonical_maps in main.cf",
            {**A_TO_R, LOGINS: R},
            follow=(deed,),
            arrives={ANNA: "r.test user"},
            choice=choice,
            main="sender_canonical_maps = texthash:{postfix}/senders\n",
        )
        for choice, deed in (
            ("the table", write({"postfix/senders": "nobody@c.test x@b.test\n"})),
            ("without the table", run("postconf -e sender_canonical_maps=")),
        )
    ),
    Walk(
        "sender-rewritten",
        "remove one of these entries from sender_canonical_maps",
        {**A_TO_R, LOGINS: R},
        follow=(edit("postfix/main.cf", ", @a.test=@b.test", ""),),
        arrives={ANNA: "r.test user"},
        main="sender_canonical_maps = inline:{ @b.test=@a.test, @a.test=@b.test }\n",
    ),
)
