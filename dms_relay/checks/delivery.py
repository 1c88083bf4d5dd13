"""Mail that would not leave: what Postfix would do with mail of the senders that the inputs name, after ``apply``.

Asks Postfix as ``dms-relay explain`` does. Silent where there is no master.cf.

Known limits: senders up to ``SENDERS_MAX``, each with a recipient that no table names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.checks.rules import Finding
from dms_relay.errors import PostfixError
from dms_relay.explain.report import route_document
from dms_relay.explain.views import view_after, view_now
from dms_relay.model import MAPS, NULL_SENDER, Origin
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.context import CheckContext
    from dms_relay.explain.document import RouteDocument
    from dms_relay.explain.views import View

#: Each sender costs a few Postfix processes, about 10 ms.
SENDERS_MAX = 20
_LEVEL = "smtp_tls_security_level"
_RECIPIENT = "someone@recipient.invalid"
_ANYBODY = "someone@sender.invalid"


def check_ways(context: CheckContext) -> Iterator[Finding]:
    """Yield each reason why mail stays in the queue or is returned, and each login that can be sent without TLS."""
    if context.machine is None or not context.config.enabled or not context.paths.master_cf.exists():
        return
    try:
        ways = list(_ways(context))
    except PostfixError:  # ``context`` reports it
        return
    failures: dict[str, str] = {}
    for sender, way in ways:
        if way["failure"]:
            failures.setdefault(way["failure"], sender or NULL_SENDER)
    for failure, sender in failures.items():
        text = f"mail of {sender} would not leave: {failure}"
        yield Finding(
            "mail-does-not-leave",
            Origin("main.cf"),
            text,
            f"fix that; dms-relay explain '{sender}' shows the whole route",
        )
    yield from dict.fromkeys(finding for _, way in ways for finding in _cleartext(context, way))


def _ways(context: CheckContext) -> Iterator[tuple[str, RouteDocument]]:
    """Yield each sender with the route of its mail."""
    view = _view(context)
    seen: dict[str, None] = {}
    for use in context.assignments:
        if len(seen) == SENDERS_MAX:
            return
        sender = _address(use.sender)
        if sender not in seen:
            seen[sender] = None
            yield sender, route_document(view, None, sender, _RECIPIENT)


def _view(context: CheckContext) -> View:
    postfix = Postfix(context.paths.postfix_dir)
    now = view_now(postfix)
    changes = context.machine.plan if context.machine else None
    return view_after(postfix, now, changes, context.paths) if changes and not changes.is_empty else now


def _address(key: str) -> str:
    """Return an address that a sender key matches."""
    if key in {"", NULL_SENDER}:
        return "" if key else _ANYBODY
    return f"someone{key}" if key.startswith("@") else key


def _cleartext(context: CheckContext, way: RouteDocument) -> Iterator[Finding]:
    """Find logins that the level does not protect; merging and ``user_file`` report those of the inputs."""
    if context.routing != MAPS or _LEVEL in context.config.user_parameters:
        return
    for hop in way["hops"]:
        tls, login = hop["tls"], hop["login"]
        if login and tls["level"] in CLEARTEXT_LEVELS:
            place = f"{tls['key']} in {tls['table']}" if tls["key"] else tls["parameter"]
            what = f"the login {login['username']} at {hop['nexthop']}"
            text = f"{what} can be sent without TLS: level {tls['level']} ({place})"
            yield Finding("cleartext-login", Origin("main.cf"), text, "set it to encrypt, or remove it")
