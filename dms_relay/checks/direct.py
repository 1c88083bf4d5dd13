"""Mail that goes directly: who is relayed and who is not, and the mail that main.cf's TLS level then blocks.

``RELAY_ROUTING=maps`` sets ``smtp_tls_security_level``, which applies to all mail: to senders without a relay, and to a
content filter or an inner host that smtp(8) passes mail to. With transports an operator may have set it. Asks Postfix as
``dms-relay explain`` does.

Known limits: does not test if a filter offers TLS; skips tables that cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.checks.cures import own_level
from dms_relay.checks.logins import listed
from dms_relay.checks.lookups import EVERYBODY, RECIPIENTS, transports_of
from dms_relay.checks.rules import Finding
from dms_relay.errors import PostfixError
from dms_relay.explain.client import PROGRAMS, hops
from dms_relay.explain.tables import LookupFailedError
from dms_relay.model import Origin
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.postfix import master_cf
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.context import CheckContext
    from dms_relay.explain.views import View

_LEVEL = "smtp_tls_security_level"
_FILTER = "content_filter"
_ENVELOPE = ("", "someone@recipient.invalid")
_EVERYBODY_ELSE = "every other sender, bounces (<>) and forwards among them,"


def check_direct(context: CheckContext) -> Iterator[Finding]:
    """Yield who is relayed and who is not, and the mail that a TLS level for all mail keeps from leaving."""
    if context.machine is None or not context.config.enabled:
        return
    is_mandatory = context.after(_LEVEL) not in CLEARTEXT_LEVELS | {""}
    yield from _not_relayed(context, is_mandatory=is_mandatory)
    view = context.machine.view
    if is_mandatory and view:
        try:
            yield from _handed_on(context, view)
        except (PostfixError, LookupFailedError):  # ``context`` and ``delivery`` report it
            return


def _not_relayed(context: CheckContext, *, is_mandatory: bool) -> Iterator[Finding]:
    relayed = [use for use in context.assignments if use.nexthop and not use.recipient and "@" in use.sender]
    transports = context.config.transports
    if not relayed or context.has_default or context.after("relayhost") or (transports and transports.default):
        return
    origin = relayed[0].origin or Origin("main.cf")
    named = listed(use.sender for use in relayed)
    text = f"mail of {named} is relayed; mail of {_EVERYBODY_ELSE} goes directly"
    yield Finding(
        "mail-not-relayed", origin, text, "set DEFAULT_RELAY_HOST (relay.yaml: default), unless you want that"
    )
    if is_mandatory:
        why = f"{_LEVEL} = {context.after(_LEVEL)} excludes servers without TLS"
        text = f"mail of {_EVERYBODY_ELSE} goes directly, and {why}"
        yield Finding("opt-out-needs-tls", Origin("main.cf"), text, own_level(context))


def _handed_on(context: CheckContext, view: View) -> Iterator[Finding]:
    """Find filters and hosts of ``transport_maps`` to which the level for relays applies as well."""
    filters = {"main.cf": view.values.get(_FILTER), **master_cf.overriding(view.master, _FILTER)}
    found = {f"{_FILTER} = {value} ({where})": value for where, value in filters.items() if value}
    tables = view.of_resolver.values.get(RECIPIENTS)
    for key, value in transports_of(Postfix(context.paths.postfix_dir), tables):
        transport, _, nexthop = value.partition(":")
        domain = nexthop or key.rpartition("@")[2].lstrip(f".{EVERYBODY}")
        if transport and domain and not transport.startswith(master_cf.PREFIX):
            found[f"{RECIPIENTS}: {key} {value}"] = f"{transport}:{domain}"
    kept = [what for what, value in found.items() if _needs_tls(view, value)]
    if kept:
        level = f"{_LEVEL} = {context.after(_LEVEL)}"
        text = f"mail waits if the next server has no TLS, which {level} requires: {listed(kept)}"
        yield Finding("opt-out-needs-tls", Origin("main.cf"), text, own_level(context))


def _needs_tls(view: View, value: str) -> bool:
    """Return True if the level of main.cf decides about a transport and its nexthop, and requires TLS."""
    transport, _, nexthop = value.partition(":")
    service = view.service(transport)
    if service is None or service[0] not in PROGRAMS or not nexthop:
        return False
    demands = [hop.demand for hop in hops(view, service, _ENVELOPE, nexthop)]
    return any(d.level not in CLEARTEXT_LEVELS and d.parameter == _LEVEL and not d.match for d in demands)
