"""Walks through remedies of what an operator set in master.cf for single services, or in main.cf for smtp(8)."""

from __future__ import annotations

from tests.running.walks import A_TO_R, ALL, ANNA, FULL, LOGINS, R, Walk, edit, printed, run

_RELOAD = run("postfix reload")
_REWRITE, _QUEUE_MANAGER = "trivial-rewrite\n", "       qmgr\n"

WALKS = (
    # The private Postfix has its relays' names from the system's resolver.
    Walk(
        "no-mx-lookup",
        "remove smtp_dns_support_level from main.cf (postconf -X smtp_dns_support_level); then run postfix reload",
        {**A_TO_R, LOGINS: R},
        follow=(printed("postconf -X smtp_dns_support_level"), _RELOAD),
        arrives={ANNA: "r.test user"},
    ),
    Walk(
        "routes-not-used",
        "remove relayhost from that service (rewrite unix) in master.cf; then run postfix reload",
        env=FULL,
        before=(edit("postfix/master.cf", _REWRITE, f"{_REWRITE}  -o relayhost=[own.test]:587\n"),),
        follow=(edit("postfix/master.cf", "  -o relayhost=[own.test]:587\n", ""), _RELOAD),
        arrives=ALL,
    ),
    Walk(
        "mail-does-not-leave",
        "remove smtp from defer_transports in master.cf; then run postfix reload; "
        "dms-relay explain '<>' shows the whole route",
        env=FULL,
        before=(edit("postfix/master.cf", _QUEUE_MANAGER, f"{_QUEUE_MANAGER}  -o defer_transports=smtp\n"),),
        follow=(edit("postfix/master.cf", "  -o defer_transports=smtp\n", ""), _RELOAD),
        arrives=ALL,
    ),
)
