"""What to do if mail cannot leave: the line to change, its place, and that Postfix must read it. Pure.

A remedy that removes a parameter names each place: main.cf, services of master.cf that override it, postfix-main.cf.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dms_relay.checks.logins import listed
from dms_relay.model import MAPS
from dms_relay.postfix import master_cf

if TYPE_CHECKING:
    from collections.abc import Callable

    from dms_relay.checks.context import CheckContext
    from dms_relay.explain.document import LookupDocument, RouteDocument
    from dms_relay.explain.views import View

#: Parameters whose default sends mail; Debian's "Local only" sets the first two to ``error``.
_REMOVABLE = frozenset(
    {
        *("default_transport", "relay_transport", "inet_protocols", "smtp_bind_address", "smtp_bind_address6"),
        *("smtp_sasl_auth_enable", "smtp_dns_support_level", "disable_dns_lookups"),
    }
)
#: Services of every master.cf, with the program that they run.
_USUAL = frozenset({"smtp", "relay"})
_RELOAD = "then run postfix reload"
_UNKNOWN_LEVEL = " has an unknown TLS level"
#: A failure, and what to do; the groups are what the remedy names.
_CURES = (
    (r"defer_transports in (\S+) names (\S+), .*", r"remove \2 from defer_transports in \1"),
    (r"(\w+): the entry of (\S+) in .* is empty", r"write a value after \2 in that table, or remove that entry"),
    (r"(\w+): the policy's .*", r"correct that entry of \1"),
    (
        r"(\w+): .* unsupported dictionary type: (\S+)",
        r"write a type that postconf -m lists in place of \2, or remove that table from \1 in main.cf",
    ),
    (r"(\w+): .*", r"have Postfix read that table, or remove it from \1 in main.cf"),
    (r"(/.*) cannot be read: .*", r"write that file, or remove \1 from main.cf"),
    (r"smtp_tls_policy_maps has an unknown TLS level", "write encrypt in that table, or another level that exists"),
    (r"(\w+) has an unknown TLS level", r"set \1 to encrypt, or to another level that exists"),
    (r"implicit TLS .*", "set smtp_tls_security_level to encrypt"),
    (r"level fingerprint without .*", "name the fingerprint in smtp_tls_fingerprint_cert_match"),
)


def cure(context: CheckContext, view: View, failure: str, way: RouteDocument) -> str:
    """Return what to do about a failure of a route."""
    is_smtp = way["program"] in {"smtp", "lmtp"} or way["transport"] in _USUAL
    step = None if is_smtp else deciding(way)
    name = step["parameter"] if step else failure.partition(" = ")[0]
    if step and step["key"]:
        return f"remove the entry {step['key']} from its table in {name}; {_RELOAD}"
    if name in _REMOVABLE or (" = " in failure and re.fullmatch(r"lmtp_\w+", name)):
        return f"{removal(context, view, name, bool)}; {_RELOAD}"
    if failure.startswith("there is no service ") and way["transport"] in _USUAL:
        return f"add the line {way['transport']} unix - - n - - smtp to master.cf; {_RELOAD}"
    if (level := failure.removesuffix(_UNKNOWN_LEVEL)) != failure and _is_of_user_file(context, level):
        return f"set {level} in postfix-main.cf to encrypt, or to another level that exists; then run dms-relay apply"
    for pattern, remedy in _CURES:
        if match := re.fullmatch(pattern, failure, re.DOTALL):
            return f"{match.expand(remedy)}; {_RELOAD}"
    return "fix that"


def own_level(context: CheckContext) -> str:
    """Return how direct mail gets another TLS level than the relays."""
    if context.routing == MAPS:
        return "set RELAY_ROUTING=transports, which gives each relay its own level"
    file = "postfix-main.cf" if _is_applied(context, "smtp_tls_security_level") else "main.cf"
    return f"set smtp_tls_security_level = may in {file}: each relay keeps its own level"


def deciding(way: RouteDocument) -> LookupDocument | None:
    """Return the lookup that named the transport of a route; ``None`` if none did."""
    named = [step for step in way["lookups"] if (step["value"] or "").partition(":")[0] == way["transport"]]
    return named[-1] if named else None


def removal(context: CheckContext, view: View, name: str, is_meant: Callable[[str], bool]) -> str:
    """Return where to remove a parameter: each place with a matching value, except our own services."""
    services = [
        service
        for service, value in master_cf.overriding(view.master, name).items()
        if is_meant(value) and not service.startswith(master_cf.PREFIX)
    ]
    places = [f"from main.cf (postconf -X {name})"] if is_meant(view.values.get(name)) else []
    places += [f"from {listed(services)} in master.cf"] if services else []
    places += ["from postfix-main.cf"] if _is_applied(context, name) else []
    return f"remove {name} {' and '.join(filter(None, (', '.join(places[:-1]), *places[-1:])))}"


def _is_of_user_file(context: CheckContext, name: str) -> bool:
    """Return True if ``apply`` would write the value of postfix-main.cf over one that is corrected in main.cf."""
    return name in context.config.user_parameters or _is_applied(context, name)


def _is_applied(context: CheckContext, name: str) -> bool:
    """Return True if postfix-main.cf sets a parameter, and something applies that file here."""
    return name in context.user_file and (context.inputs.is_user_file_ours or context.inputs.is_user_file_last)
