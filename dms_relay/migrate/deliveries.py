"""The route of mail from one sender to one recipient, in terms of ``relay.yaml``: asks the modules of ``explain``.

A route that ``relay.yaml`` cannot express is a ``Delivery`` that ``stays``, with the reason; a detail that gets lost, such
as a second host with another login, is a ``Left``. Reads, never writes.

Known limits: no name is looked up, as in ``explain``.
"""

from __future__ import annotations

from socket import getservbyname
from typing import TYPE_CHECKING

from dms_relay.explain.client import hops
from dms_relay.explain.routing import resolve
from dms_relay.explain.tables import LookupFailedError
from dms_relay.migrate.access_tokens import of_plugin
from dms_relay.migrate.draft import Delivery, Host, Left, TakenLogin, TakenRelay
from dms_relay.model import SYSTEM_AUTHORITIES
from dms_relay.model.oauth2 import TOKEN_MECHANISMS
from dms_relay.model.relays import CLEARTEXT_LEVELS, MECHANISMS, MECHANISMS_IN_CLEAR
from dms_relay.postfix import master_cf
from dms_relay.postfix.nexthop import SyntaxProblem
from dms_relay.postfix.tls_policy import parse_policy
from dms_relay.sources.relay_yaml.keys import MECHANISM_NAMES, check_match

if TYPE_CHECKING:
    from dms_relay.explain.client import Hop, Offer
    from dms_relay.explain.values import Values
    from dms_relay.explain.views import View
    from dms_relay.migrate.given import Given

_SMTP = "smtp"
_TOKENS = frozenset(TOKEN_MECHANISMS)
#: Parameters that make mail arrive here; ``relay.yaml`` refuses a relay for such a domain.
_LOCAL = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains")
#: Parameters that a service may override and still be plain: they affect no route, no login and no TLS.
_HARMLESS = frozenset({"syslog_name", "smtp_fallback_relay", "service_name"})
#: Names for a port (/etc/services), which a container often lacks.
_PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465, "ssmtp": 465}
#: Names that Postfix requires of a certificate by default, and ``relay.yaml`` too (postconf(5)).
_USUAL_NAMES = {"secure": ("nexthop", "dot-nexthop"), "verify": ("hostname",)}
#: Where systems keep their certificate authorities.
_SYSTEM = frozenset(
    {
        *(SYSTEM_AUTHORITIES, "/etc/ssl/certs", "/etc/ssl/certs/", "/etc/pki/tls/certs/ca-bundle.crt"),
        *("/etc/ssl/cert.pem", "/etc/ssl/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    }
)
#: Attributes of a TLS policy that ``relay.yaml`` can express.
_POLICY_WORDS = frozenset({"match"})


class Deliveries:
    """Asks one configuration. ``left`` collects what a relay loses, each once."""

    def __init__(self, given: Given, view: View) -> None:
        """Set the configuration; ``view`` answers from it, with tables that can be read here."""
        self._given = given
        self._view = view
        self.left: dict[Left, None] = {}

    def of(self, sender: str, recipient: str) -> Delivery:
        """Return the route of a message; the null sender is ``""``. Addresses are those after Postfix's rewriting."""
        try:
            return self._of(sender, recipient)
        except LookupFailedError as error:
            return Delivery(stays=str(error))

    def _of(self, sender: str, recipient: str) -> Delivery:
        way = resolve(self._view, sender, recipient)
        service = None if way.failure else self._view.service(way.transport)
        if way.failure or service is None:
            return Delivery(stays=way.failure or f"there is no service {way.transport} in master.cf")
        program, values = service
        if local := self._local(recipient.rpartition("@")[2]):
            return Delivery(stays=f"its domain is in {local}, and relay.yaml sends no local mail to a relay")
        if program != _SMTP:
            return Delivery(stays=f"it goes through {way.transport}, which is not a relay")
        if way.nexthop == recipient.rpartition("@")[2]:
            plain = not any(name not in _HARMLESS for name, _ in self._overrides(way.transport))
            return Delivery() if plain else Delivery(stays=f"it goes directly, through the service {way.transport}")
        return self._relayed((program, values), (sender, recipient), way.nexthop, self._settings(way.transport))

    def _local(self, domain: str) -> str:
        """Return the parameter that makes a domain's mail arrive here; empty if none does."""
        return next((name for name in _LOCAL if self._view.domains.has(name, domain)), "")

    def _overrides(self, transport: str) -> tuple[tuple[str, str], ...]:
        found = master_cf.command(self._view.master, transport)
        return tuple(found[1].items()) if found else ()

    def _settings(self, transport: str) -> tuple[tuple[str, str], ...]:
        """Return the settings of a service that our relays do not have by default."""
        known = _HARMLESS | master_cf.OVERRIDES
        return tuple((name, value) for name, value in self._overrides(transport) if name not in known)

    def _relayed(
        self,
        service: tuple[str, Values],
        envelope: tuple[str, str],
        nexthop: str,
        settings: tuple[tuple[str, str], ...],
    ) -> Delivery:
        found = hops(self._view, service, envelope, nexthop)
        everybody = hops(self._view, service, ("", envelope[1]), nexthop)
        kept = self._alike(found, everybody)
        hosts = tuple(_host(hop) for hop in kept)
        first = kept[0]
        relay = TakenRelay(hosts, *self._tls(first), self._login(everybody[0].offer, first), settings)
        return Delivery(relay, self._login(first.offer, first))

    def _alike(self, found: tuple[Hop, ...], everybody: tuple[Hop, ...]) -> tuple[Hop, ...]:
        """Return the nexthops that can be hosts of one relay: those with the login and the TLS of the first."""
        first = found[0]
        kept = tuple(
            hop
            for hop, other in zip(found, everybody, strict=True)
            if _same(hop, first) and _value(other) == _value(everybody[0])
        )
        for hop in found:
            if hop not in kept:
                what = "smtp_fallback_relay" if hop.is_fallback else "route"
                text = f"{hop.nexthop} differs from {first.nexthop} in its login, its TLS or its MX lookup"
                remedy = "write it as a relay of its own in relay.yaml: the hosts of one relay share these"
                self._leave(Left(self._given.origin(what), text, remedy))
        return kept

    def _tls(self, hop: Hop) -> tuple[str, bool, tuple[str, ...], str]:
        demand = hop.demand
        origin = demand.match.shown_table if demand.match else self._given.origin(demand.parameter)
        level, implicit = demand.level, demand.implicit
        if demand.failure:
            text = f"Postfix sends nothing to {hop.nexthop} in this configuration: {demand.failure}"
            self._leave(Left(origin, text, "check its tls in relay.yaml, and test it: dms-relay test"))
            level = "encrypt" if implicit and level in CLEARTEXT_LEVELS else level
        if demand.match:
            self._policy_words(demand.match.value, origin, hop)
        names = () if demand.names == _USUAL_NAMES.get(level) else demand.names
        if level in _USUAL_NAMES:
            names = tuple(name for name in names if self._is_name(name, origin, hop))
        return level, implicit, names, self._ca_file(hop, origin)

    def _is_name(self, name: str, origin: str, hop: Hop) -> bool:
        try:
            check_match(name)
        except SyntaxProblem:
            text = f"{name} is not a name that Postfix can find in a certificate of {hop.nexthop}"
            self._leave(Left(origin, text, "write .domain for every name below a domain: tls: {match: [.domain]}"))
            return False
        return True

    def _policy_words(self, text: str, origin: str, hop: Hop) -> None:
        lost = [name for name, _ in parse_policy(text).attributes if name not in _POLICY_WORDS]
        for name in dict.fromkeys(lost):
            what = f"the policy for {hop.nexthop} sets {name}=, which relay.yaml has no key for"
            self._leave(
                Left(origin, what, "set it for all mail in main.cf (smtp_tls_mandatory_…), which applies to relays too")
            )

    def _ca_file(self, hop: Hop, origin: str) -> str:
        demand = hop.demand
        if demand.ca_file in _SYSTEM or (not demand.ca_file and demand.ca_path in {"", *_SYSTEM}):
            return ""
        if not demand.ca_file:
            text = f"{demand.ca_path} is a directory of authorities for {hop.nexthop}, and relay.yaml takes one file"
            self._leave(Left(origin, text, "put them into one PEM file, and write tls: {ca_file: …}"))
        return demand.ca_file

    def _login(self, offer: Offer | None, hop: Hop) -> TakenLogin | None:
        if offer is None:
            return None
        if found := self._given.logins.get(offer.match.value):
            return found
        username, _, password = offer.match.value.partition(":")
        if _TOKENS & {name.lower() for name in offer.mechanisms} and password.startswith("/"):
            queue = self._view.values.get("queue_directory")
            if login := of_plugin(username, password, queue):
                return login
        return TakenLogin(username, password, mechanisms=self._mechanisms(offer, hop))

    def _mechanisms(self, offer: Offer, hop: Hop) -> tuple[str, ...]:
        """Return the mechanisms that the filter names, if they are not the defaults of our relays."""
        names = tuple(name.lower() for name in offer.mechanisms)
        usual = MECHANISMS_IN_CLEAR if hop.demand.level in CLEARTEXT_LEVELS else MECHANISMS
        if not names or set(names) == set(usual) or set(names) == set(MECHANISMS):
            return ()
        if _TOKENS & set(names):
            text = "the login is an access token, or names a file of the plugin sasl-xoauth2"
            remedy = "write oauth2: instead of the password, and run dms-relay login (docs/oauth2.md)"
            self._leave(Left(offer.match.shown_table, text, remedy))
            return ()
        known = tuple(name for name in names if name in MECHANISM_NAMES)
        for name in names:
            if name not in known:
                text = f"a login of relay.yaml cannot have the mechanism {name}"
                self._leave(Left(self._given.origin("smtp_sasl_mechanism_filter"), text, "leave it out"))
        return known

    def _leave(self, left: Left) -> None:
        self.left[left] = None


def _value(hop: Hop) -> str:
    return hop.offer.match.value if hop.offer else ""


def _same(hop: Hop, first: Hop) -> bool:
    demands = [(h.demand.level, h.demand.implicit, h.demand.names, h.demand.ca_file) for h in (hop, first)]
    return demands[0] == demands[1] and _value(hop) == _value(first) and hop.has_exchangers == first.has_exchangers


def _host(hop: Hop) -> Host:
    name = hop.host.strip("[]")
    name = name[5:] if name.lower().startswith("ipv6:") else name
    return Host(name, _port(hop.port), hop.has_exchangers)


def _port(text: str) -> int:
    if text.isdigit():
        return int(text)
    if text in _PORTS:
        return _PORTS[text]
    try:
        return getservbyname(text, "tcp")
    except OSError:
        return _PORTS[_SMTP]
