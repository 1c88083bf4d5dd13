"""Puts the route of a message into words, and into a document for programs (``document``). Never a password."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from dms_relay.explain.client import PROGRAMS, hops
from dms_relay.explain.rewriting import FOLLOWED, RECIPIENT, SENDER, NotFollowedError, Rewriting
from dms_relay.explain.routing import ERROR, RETRY, resolve
from dms_relay.explain.tables import LookupFailedError
from dms_relay.postfix import master_cf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.explain.client import Hop, Offer, TlsDemand
    from dms_relay.explain.document import (
        EntryDocument,
        HopDocument,
        LoginDocument,
        LookupDocument,
        RouteDocument,
        TlsDocument,
    )
    from dms_relay.explain.origins import Origins
    from dms_relay.explain.routing import Resolution, Step
    from dms_relay.explain.tables import Match
    from dms_relay.explain.views import View

#: Parameters that change an envelope before the queue manager sees it; not followed here (cleanup(8),
#: ADDRESS_REWRITING_README).
_REWRITING = ("virtual_alias_maps", "smtpd_milters", "non_smtpd_milters")
_FILTER = "content_filter"
#: The parameters whose value is a transport; the text of ``transport_maps`` is handled separately (transport(5)).
_TRANSPORTS = frozenset({"default_transport", "relay_transport", "sender_dependent_default_transport_maps"})
#: The program that discards mail.
_DISCARD = "discard"


class _Delivery(NamedTuple):
    """What a delivery service does with a message; ``program`` is ``None`` if master.cf has no such service."""

    program: str | None = None
    hops: tuple[Hop, ...] = ()
    failure: str | None = None


def route_document(view: View, origins: Origins | None, sender: str, recipient: str) -> RouteDocument:
    """Return the route of a message, with every parameter that Postfix consults, those that rewrite addresses first.

    If it is not known to what an address is rewritten, it is used as it is; ``notes`` says so.
    """
    rewriting = Rewriting(view)
    sender, of_sender = _followed(rewriting, sender, SENDER)
    recipient, of_recipient = _followed(rewriting, recipient, RECIPIENT)
    way = resolve(view, sender, recipient)
    delivery = _Delivery(failure=way.failure) if way.failure else _delivery(view, way, (sender, recipient))
    writer = _Writer(origins)
    return {
        "transport": way.transport or None,
        "nexthop": way.nexthop or None,
        "program": delivery.program,
        "is_direct": way.nexthop == recipient.rpartition("@")[2],
        "origin": writer.service_origin(way.transport),
        "lookups": [writer.step(step) for step in (*of_sender, *of_recipient, *way.steps)],
        "hops": [writer.hop(hop) for hop in delivery.hops],
        "failure": delivery.failure,
    }


def _followed(rewriting: Rewriting, address: str, address_class: str) -> tuple[str, tuple[Step, ...]]:
    with suppress(NotFollowedError):
        return rewriting.of(address, address_class)
    return address, ()


def _delivery(view: View, way: Resolution, envelope: tuple[str, str]) -> _Delivery:
    """Return what the delivery service does with a message."""
    if (service := view.service(way.transport)) is None:
        return _Delivery(failure=f"there is no service {way.transport} in master.cf")
    if way.transport in view.deferred:
        place = "main.cf" if way.transport in view.values.words("defer_transports") else "master.cf"
        return _Delivery(failure=f"defer_transports in {place} names {way.transport}, so Postfix does not use it")
    program, values = service
    if program == ERROR:
        # As service ``error``, error(8) returns mail; as ``retry``, it defers it.
        is_kept = way.transport == RETRY or values.is_yes("soft_bounce")
        return _Delivery(RETRY if is_kept else program, failure=_reason(way))
    if program not in PROGRAMS:
        return _Delivery(program)
    try:
        found = hops(view, (program, values), envelope, way.nexthop)
    except LookupFailedError as error:
        return _Delivery(program, failure=str(error))
    failures = [hop.demand.failure for hop in found]
    return _Delivery(program, found, failures[0] if all(failures) else None)


def _reason(way: Resolution) -> str:
    """Return the text for error(8); if nobody wrote one, the setting that names the service."""
    for step in reversed(way.steps):
        value = step.match.value if step.match else step.value
        if step.parameter in _TRANSPORTS and value.partition(":")[0] == way.transport:
            place = f" ({step.match.key} in {step.match.shown_table})" if step.match else ""
            return way.nexthop if value.partition(":")[2] else f"{step.parameter} = {value}{place} delivers no mail"
    return way.nexthop


class _Writer:
    """Writes the parts of a document, each with its origin in the inputs."""

    def __init__(self, origins: Origins | None) -> None:
        self._origins = origins

    def service_origin(self, name: str) -> str | None:
        return _text(self._origins.of_service(name)) if self._origins else None

    def _entry(self, match: Match) -> EntryDocument:
        origin = self._origins.of_match(match) if self._origins else None
        return {"table": match.shown_table, "key": match.key, "origin": _text(origin)}

    def step(self, step: Step) -> LookupDocument:
        if step.match:
            return {"parameter": step.parameter, "value": step.match.value, **self._entry(step.match)}
        origin = self._origins.of_parameter(step.parameter, step.value) if self._origins and step.value else None
        return {
            "parameter": step.parameter,
            "value": step.value or None,
            "table": None,
            "key": None,
            "origin": _text(origin),
        }

    def hop(self, hop: Hop) -> HopDocument:
        return {
            "nexthop": hop.nexthop,
            "host": hop.host,
            "port": hop.port,
            "mail_exchangers": hop.has_exchangers,
            "fallback": hop.is_fallback,
            "login": self._login(hop.offer) if hop.offer else None,
            "tls": self._tls(hop.demand),
            "remarks": list(hop.remarks),
        }

    def _login(self, offer: Offer) -> LoginDocument:
        found = self._origins.token(offer.match) if self._origins else None
        mechanisms = list(offer.mechanisms)
        entry = self._entry(offer.match)
        return {"username": offer.username, "by": offer.by, "mechanisms": mechanisms, "token": found, **entry}

    def _tls(self, demand: TlsDemand) -> TlsDocument:
        entry: EntryDocument = {"table": None, "key": None, "origin": None}
        if demand.match:
            entry = self._entry(demand.match)
        return {
            "level": demand.level,
            "mode": "implicit" if demand.implicit else "starttls",
            "names": list(demand.names),
            "ca_file": demand.ca_file or None,
            "ca_path": demand.ca_path or None,
            "parameter": demand.parameter,
            **entry,
        }


def _text(origin: object) -> str | None:
    return None if origin is None else str(origin)


def notes(view: View, sender: str, recipient: str) -> Iterator[str]:
    """Yield what can happen to a message before its route is resolved: a filter, or a change of its addresses."""
    yield from _not_followed(view, {SENDER: sender, RECIPIENT: recipient})
    yield from _elsewhere(view)
    filters = {"main.cf": view.values.get(_FILTER), **master_cf.overriding(view.master, _FILTER)}
    for where, value in filters.items():
        if value:
            yield f"{_FILTER} = {value} ({where}): that mail goes to the filter first; this is its route after the filter"
    if names := [name for name in _REWRITING if view.values.get(name)]:
        yield f"{', '.join(names)} can rewrite addresses: use the addresses that the queue shows (postqueue -p)"


def _not_followed(view: View, addresses: dict[str, str]) -> Iterator[str]:
    """Yield a warning for each address whose rewriting is not known."""
    rewriting = Rewriting(view)
    for address_class, address in addresses.items():
        try:
            rewriting.of(address, address_class)
        except NotFollowedError as error:
            what = address_class.partition("_")[2]
            yield f"THIS MAY NOT BE THE ROUTE: it is not known how the {what} is rewritten, because {error}"


def _elsewhere(view: View) -> Iterator[str]:
    """Yield the rewriting that services of master.cf set: only main.cf and its cleanup service are followed."""
    followed = f"{view.values.get('cleanup_service_name') or 'cleanup'}/unix"
    for name in FOLLOWED:
        for where, value in master_cf.overriding(view.master, name).items():
            if where != followed:
                yield f"{name} = {value or '(empty)'} ({where}) is not followed here"


def lines(document: RouteDocument) -> Iterator[str]:
    """Yield the text of the route of a message."""
    yield _headline(document)
    yield from _why(document["lookups"])
    for hop in document["hops"]:
        yield from _hop(hop)


def _headline(document: RouteDocument) -> str:
    transport, program, failure = document["transport"], document["program"], document["failure"]
    if program == ERROR:
        return f"returned to its sender: {failure}"
    if failure:
        return f"stays in the queue: {failure}"
    place = f" ({document['origin']})" if document["origin"] else ""
    if program not in PROGRAMS:
        what = "discarded" if program == _DISCARD else "delivered"
        return f"{what} by {program}(8), service {transport}"
    hop = document["hops"][0]
    own = f"the MX hosts of {hop['host']}" if hop["mail_exchangers"] else document["nexthop"]
    return f"goes {'directly, ' * document['is_direct']}by {transport}{place} to {own}"


def _why(lookups: list[LookupDocument]) -> Iterator[str]:
    width = max((len(lookup["parameter"]) for lookup in lookups), default=0)
    for lookup in lookups:
        if lookup["key"]:
            place = f", {lookup['origin']}" if lookup["origin"] else ""
            said = f"{lookup['key']} -> {lookup['value']}  ({lookup['table']}{place})"
        elif lookup["value"]:
            said = lookup["value"] + (f"  ({lookup['origin']})" if lookup["origin"] else "")
        else:
            said = "no entry" if lookup["parameter"].endswith("_maps") else "empty"
        yield f"    {lookup['parameter']:{width}}  {said}"


def _hop(hop: HopDocument) -> Iterator[str]:
    yield f"  at {hop['nexthop']}{', if all others fail' * hop['fallback']}:"
    yield f"    login  {_login(hop['login'])}"
    yield f"    TLS    {_tls(hop['tls'])}"
    for remark in hop["remarks"]:
        yield f"    note   {remark}"


def _login(login: LoginDocument | None) -> str:
    if login is None:
        return "none"
    place = f", {login['origin']}" if login["origin"] else ""
    token, how = login["token"], ""
    if token:
        until = f"valid until {token['valid_until']}" if token["valid_until"] else "no valid one"
        how = f" with an access token ({', '.join(filter(None, (token['grant'], token['provider'], until)))})"
        how += f" by {' or '.join(login['mechanisms']).upper().replace(' OR ', ' or ')}" if login["mechanisms"] else ""
    return f"{login['username']}{how}, by {login['by']} {login['key']}  ({login['table']}{place})"


def _tls(tls: TlsDocument) -> str:
    names, level = ", ".join(tls["names"]), tls["level"]
    asked = f"a certificate for {names}, from an authority in {tls['ca_file'] or tls['ca_path'] or 'no file'}"
    checks = {
        "none": "no TLS",
        "may": "TLS if the server offers it; the certificate is not verified",
        "encrypt": "TLS is required; the certificate is not verified",
        "dane": "as the TLSA records demand; without one, TLS if the server offers it",
        "dane-only": "TLS is required, with a certificate that matches the TLSA records",
        "fingerprint": f"TLS is required, with a certificate or key whose fingerprint is {names}",
        "verify": f"TLS is required, with {asked}",
        "secure": f"TLS is required, with {asked}",
    }
    mode = ", implicit TLS" if tls["mode"] == "implicit" else ""
    place = f"{tls['key']} in {tls['table']}" if tls["key"] else tls["parameter"]
    return f"{level}{mode}: {checks.get(level, 'an unknown level')}  ({place})"
