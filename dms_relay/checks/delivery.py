"""Mail that would not leave: what Postfix would do after ``apply`` with mail of the senders in the inputs.

Asks Postfix as ``dms-relay explain`` does. Silent if there is no master.cf.

Known limits: at most ``SENDERS_MAX`` senders, each with a recipient that no table names, and as many domains of
``relay_domains``; not those in tables that ask a server. Looks up names as this program sees them, not as in the chroot
of smtp(8).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from dms_relay.checks.cures import cure, deciding, removal
from dms_relay.checks.lookups import domains_of
from dms_relay.checks.rules import Finding
from dms_relay.errors import PostfixError
from dms_relay.explain.client import PROGRAMS
from dms_relay.explain.reach import address_of, bound
from dms_relay.explain.report import route_document
from dms_relay.model import MAPS, NULL_SENDER, Origin
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.postfix import master_cf
from dms_relay.postfix.main_cf import is_yes
from dms_relay.postfix.name_lookups import dns_off
from dms_relay.postfix.own_places import look_up
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.context import CheckContext
    from dms_relay.explain.document import RouteDocument
    from dms_relay.explain.views import View

#: The ports of SMTP and of submission with STARTTLS, and those that relay services have beside them.
_STARTTLS_PORTS = frozenset({"25", "smtp", "587", "submission", "2525", "2587"})
#: Each sender costs a few Postfix processes, about 10 ms.
SENDERS_MAX = 20
_LEVEL = "smtp_tls_security_level"
_CLEARTEXT_REMEDY = (
    "set it to encrypt; if the relay has no TLS, write it in relay.yaml, with allow_cleartext_login: true"
)
_RECIPIENT = "someone@recipient.invalid"
_ANYBODY = "someone@sender.invalid"


def check_ways(context: CheckContext) -> Iterator[Finding]:
    """Yield each reason why mail stays in the queue or is returned, and each login that can be sent without TLS."""
    view = context.machine.view if context.machine else None
    if view is None or not context.config.enabled:
        return
    try:
        ways = list(_ways(context, view))
        to_relayed = list(_to_relay_domains(context, view))
    except PostfixError:  # ``context`` reports it
        return
    failures: dict[str, tuple[str, str, RouteDocument]] = {}
    failure: str | None
    for sender, way in ways:
        shown = sender or NULL_SENDER
        if failure := way["failure"] or _elsewhere(context, sender, way) or _unreachable(view, way):
            failures.setdefault(failure, (f"of {shown}", f"'{shown}'", way))
    for recipient, way in to_relayed:
        if failure := way["failure"]:
            failures.setdefault(failure, (f"to {recipient}", f"'{NULL_SENDER}' {recipient}", way))
    for failure, (whose, words, way) in failures.items():
        text = f"mail {whose} would not leave: {failure}"
        remedy = f"{cure(context, view, failure, way)}; dms-relay explain {words} shows the whole route"
        yield Finding("mail-does-not-leave", Origin("main.cf"), text, remedy)
    yield from _direct(context, view, ways)
    yield from _implicit(context, view, ways)
    yield from dict.fromkeys(finding for _, way in ways for finding in _cleartext(context, way))


def _elsewhere(context: CheckContext, sender: str, way: RouteDocument) -> str:
    """Return that a program takes mail meant for a relay, and does not pass it on; empty if none does."""
    program = way["program"]
    is_relayed = any(
        use.nexthop and not use.recipient and _address(use.sender) == sender for use in context.assignments
    )
    if program is None or program in PROGRAMS or not is_relayed:
        return ""
    step = deciding(way)
    name = step["parameter"] if step else "a transport"
    return f"{name} = {way['transport']} hands it to {program}(8), and not to a relay"


def _unreachable(view: View, way: RouteDocument) -> str:
    """Return why smtp(8) reaches no host of a relay, if that depends on the kind of lookup of its name."""
    service = view.service(way["transport"] or "")
    names = {hop["host"] for hop in way["hops"] if address_of(hop["host"]) is None and not hop["mail_exchangers"]}
    if service is None or not names:
        return ""
    program, values = service
    local, off = bound(values, program), "" if way["is_direct"] else dns_off(values.get)
    domains = {hop["host"].casefold() for hop in way["hops"] if not hop["nexthop"].startswith("[")}
    if not local and not (off and domains):
        return ""
    found = look_up(names)
    here = {name for name, addresses in found.items() if any(ip_address(one).is_loopback for one in addresses)}
    if local and not {name.casefold() for name in names} <= here:
        return local
    lost = sorted(domains & {name.casefold() for name in names} - found.keys())
    return f"{off} makes Postfix look up no MX hosts, and {lost[0]} has no address" if off and lost else ""


def _to_relay_domains(context: CheckContext, view: View) -> Iterator[tuple[str, RouteDocument]]:
    """Yield the route of mail to each domain of ``relay_domains``, which ``relay_transport`` decides."""
    values = view.of_resolver.values
    own = values.words("mydestination")
    postfix = Postfix(context.paths.postfix_dir)
    words = (word for word in values.words("relay_domains") if word not in own and not word.startswith("!"))
    names = dict.fromkeys(name for word in words for name in domains_of(postfix, word))
    for name in [*names][:SENDERS_MAX]:
        recipient = f"someone@{name}"
        yield recipient, route_document(view, None, "", recipient)


def _direct(context: CheckContext, view: View, ways: list[tuple[str, RouteDocument]]) -> Iterator[Finding]:
    """Find mail that goes directly to a host of the recipient's domain, whatever its MX records say."""
    direct = {way["transport"] or "" for _, way in ways if way["program"] == "smtp" and way["is_direct"]}
    services = filter(None, map(view.service, sorted(direct)))
    if off := next(filter(None, (dns_off(values.get) for _, values in services)), ""):
        name, _, value = off.partition(" = ")
        text = f"{off} makes Postfix look up no MX hosts, so mail that goes directly misses its servers, or is returned"
        remedy = f"{removal(context, view, name, lambda other: other == value)}; then run postfix reload"
        yield Finding("no-mx-lookup", Origin("main.cf"), text, remedy)


def _implicit(context: CheckContext, view: View, ways: list[tuple[str, RouteDocument]]) -> Iterator[Finding]:
    """Find implicit TLS at a port where servers start without TLS; our own services have what their relay needs."""
    found: dict[str, str] = {}
    for sender, way in ways:
        is_ours = (way["transport"] or "").startswith(master_cf.PREFIX)
        for hop in () if is_ours or way["failure"] else way["hops"]:
            if hop["tls"]["mode"] == "implicit" and hop["port"] in _STARTTLS_PORTS:
                what = f"to {hop['nexthop']}" if not way["is_direct"] else "that goes directly"
                found.setdefault(what, sender or NULL_SENDER)
    if found:
        text = f"smtp_tls_wrappermode = yes begins with TLS at every server, so mail {' and mail '.join(found)} waits"
        away = removal(context, view, "smtp_tls_wrappermode", is_yes)
        remedy = f"{away}, and set RELAY_ROUTING=transports, which does that at ports 465 and 2465 only"
        yield Finding("implicit-tls-everywhere", Origin("main.cf"), text, remedy)


def _ways(context: CheckContext, view: View) -> Iterator[tuple[str, RouteDocument]]:
    """Yield each sender with the route of its mail, and last all other senders."""
    senders: dict[str, None] = {}
    for use in context.assignments:
        if len(senders) == SENDERS_MAX:
            break
        senders[_address(use.sender)] = None
    if 0 < len(senders) < SENDERS_MAX:
        senders |= {"": None, _ANYBODY: None}
    view.tables.expect(senders)
    for sender in senders:
        yield sender, route_document(view, None, sender, _RECIPIENT)


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
            yield Finding("cleartext-login", Origin("main.cf"), text, _CLEARTEXT_REMEDY)
