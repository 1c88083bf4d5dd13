"""What smtp(8) does at each nexthop of a message: the host, the login that it offers, the TLS that it requires.

From its source, and tested: smtp_connect.c (nexthops, ``smtp_fallback_relay``), smtp_sasl_glue.c (logins),
smtp_tls_policy.c (levels). Parameters of lmtp(8), the same program, begin with ``lmtp_``.

Known limits: no name is looked up, so a login or policy keyed by an MX host is not seen; the obsolete
``smtp_tls_per_site`` is not examined. A remark says so in both cases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dms_relay.explain.reach import unreachable
from dms_relay.explain.tables import Key, LookupFailedError, Match
from dms_relay.model import AUTHORITY_LEVELS, TLS_LEVELS, Login
from dms_relay.model.oauth2 import NO_TOKEN, TOKEN_MECHANISMS
from dms_relay.model.relays import CLEARTEXT_LEVELS, MECHANISMS, MECHANISMS_IN_CLEAR
from dms_relay.postfix import sasl_plugin
from dms_relay.postfix.mechanism_filter import passes
from dms_relay.postfix.name_lookups import dns_off
from dms_relay.postfix.tls_policy import Policy, level_for_all, parse_policy, policy_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.explain.values import Values
    from dms_relay.explain.views import View

#: The programs that connect to other servers; both are smtp(8).
PROGRAMS = frozenset({"smtp", "lmtp"})
#: Mechanism filters that need no remark: those of our services, and the one in main.cf that keeps passwords from being sent
#: as tokens (``plan``).
_USUAL = frozenset(
    {MECHANISMS, MECHANISMS_IN_CLEAR, TOKEN_MECHANISMS, (*(f"!{name}" for name in TOKEN_MECHANISMS), "static:all")}
)
#: The policy attribute with the names of certificates, and their separators (TLS_README, "Client TLS policy").
_MATCH = "match"
_NAMED_BY = {
    "secure": ("smtp_tls_secure_cert_match", ":"),
    "verify": ("smtp_tls_verify_cert_match", ":"),
    "fingerprint": ("smtp_tls_fingerprint_cert_match", "|"),
}


@dataclass(frozen=True, slots=True)
class TlsDemand:
    """The required TLS, and the parameter or the entry that sets it.

    ``names`` are what a certificate must match; ``ca_file`` and ``ca_path`` have the certificate authorities.
    ``failure`` says why Postfix tries no host, if it tries none.
    """

    level: str
    implicit: bool = False
    names: tuple[str, ...] = ()
    ca_file: str = ""
    ca_path: str = ""
    parameter: str = ""
    match: Match | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """The login that is offered: its user name, and its table entry.

    ``by`` says what the entry is keyed by: ``sender``, ``host`` or ``nexthop``. ``mechanisms`` are the SASL mechanisms that
    the filter names, if it permits only these.
    """

    username: str
    by: str
    match: Match
    mechanisms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hop:
    """One nexthop. ``has_exchangers`` is True if Postfix looks up its MX hosts; ``remarks`` are sentences."""

    nexthop: str
    host: str
    port: str
    has_exchangers: bool
    is_fallback: bool
    offer: Offer | None
    demand: TlsDemand
    remarks: tuple[str, ...]


def hops(view: View, service: tuple[str, Values], envelope: tuple[str, str], nexthops: str) -> tuple[Hop, ...]:
    """Return each nexthop in the order in which Postfix tries them.

    ``service`` is the program with the parameters that it sees, ``envelope`` is sender and recipient. Raises
    ``LookupFailedError``.
    """
    program, values = service
    client = _Client(view, program, values, envelope)
    first = nexthops.replace(",", " ").split()
    fallback = values.words(f"{program}_fallback_relay")
    return (*(client.hop(n, is_fallback=False) for n in first), *(client.hop(n, is_fallback=True) for n in fallback))


class _Client:
    """An smtp(8) process with one message."""

    def __init__(self, view: View, program: str, values: Values, envelope: tuple[str, str]) -> None:
        self.view = view
        self.program = program
        self.values = values
        self.sender, recipient = envelope
        self.domain = recipient.rpartition("@")[2]

    def _name(self, parameter: str) -> str:
        return parameter.replace("smtp_", f"{self.program}_", 1)

    def get(self, parameter: str) -> str:
        return self.values.get(self._name(parameter))

    def hop(self, nexthop: str, *, is_fallback: bool) -> Hop:
        host, port = _host_and_port(nexthop, self.get("smtp_tcp_port"))
        has_exchangers = self.program == "smtp" and not nexthop.startswith("[") and not dns_off(self.get)
        offer = self._offer(nexthop, "" if has_exchangers else host)
        demand = self._demand(nexthop)
        if away := unreachable(self.values, self.program, host):
            demand = replace(demand, failure=demand.failure or away)
        # Nobody has logins keyed by the MX hosts of a recipient's domain.
        remarks = tuple(self._remarks(offer, demand, has_exchangers=has_exchangers and nexthop != self.domain))
        return Hop(nexthop, host, port, has_exchangers, is_fallback, offer, demand, remarks)

    # Logins.

    def _offer(self, nexthop: str, host: str) -> Offer | None:
        parameter = self._name("smtp_sasl_password_maps")
        tables = self.values.get(parameter)
        if not self.values.is_yes(self._name("smtp_sasl_auth_enable")):
            return None
        if not tables:
            switch = self._name("smtp_sasl_auth_enable")
            raise LookupFailedError(f"{switch} = yes without {parameter}, so smtp(8) exits at once")
        by_sender = self._sender_keys()
        keys = [*by_sender, *([Key(host, is_partial=False)] if host else []), Key(nexthop, is_partial=False)]
        match = self.view.tables.find(parameter, tables, keys)
        if match is None:
            return None
        by = "sender" if match.key in {key.text for key in by_sender} else "host" if match.key == host else "nexthop"
        username, _, password = match.value.partition(":")
        words = self._options("smtp_sasl_mechanism_filter")
        named = () if any(set("!/:") & set(word) for word in words) else tuple(words)
        return Offer(Login(username, password).shown_username, by, match, named)

    def _sender_keys(self) -> list[Key]:
        is_on = self.program == "smtp" and self.values.is_yes("smtp_sender_dependent_authentication")
        return self.view.keys_of(self.sender) if is_on and self.sender else []

    # TLS.

    def _demand(self, nexthop: str) -> TlsDemand:
        match = self._policy(nexthop)
        policy = parse_policy(match.value) if match else Policy(level_for_all(self.get))
        level = policy.level
        implicit = self.values.is_yes(self._name("smtp_tls_wrappermode"))
        names = tuple(self._parts(level, policy)) or tuple(self._names(level))
        authorities = (
            (self.get("smtp_tls_CAfile"), self.get("smtp_tls_CApath")) if level in AUTHORITY_LEVELS else ("", "")
        )
        parameter = match.parameter if match else self._name("smtp_tls_security_level")
        failure = self._failure(policy, parameter, names, implicit=implicit)
        return TlsDemand(level, implicit, names, *authorities, parameter, match, failure)

    def _failure(self, policy: Policy, parameter: str, names: tuple[str, ...], *, implicit: bool) -> str:
        """Return why Postfix tries no host ("client TLS configuration problem"); ``""`` if it tries one."""
        if policy.level not in TLS_LEVELS:
            return f"{parameter} has an unknown TLS level"
        if policy.trouble:
            return f"{parameter}: {policy.trouble}"
        if policy.level == "fingerprint" and not names:
            return "level fingerprint without a fingerprint"
        if implicit and policy.level in CLEARTEXT_LEVELS - {"dane"}:
            wrapper = self._name("smtp_tls_wrappermode")
            return f"implicit TLS ({wrapper}) needs level encrypt or a stronger one"
        return ""

    def _policy(self, nexthop: str) -> Match | None:
        """Return the policy entry of a nexthop; entries of parent domains (``.domain``) also match a plain domain."""
        parameter = self._name("smtp_tls_policy_maps")
        tables = self.values.get(parameter)
        if not tables:
            return None
        return self.view.tables.find(parameter, tables, [Key(key, is_partial=False) for key in policy_keys(nexthop)])

    def _parts(self, level: str, policy: Policy) -> Iterator[str]:
        separator = _NAMED_BY[level][1] if level in _NAMED_BY else ":"
        yield from (part for value in policy.values(_MATCH) for part in value.split(separator) if part)

    def _names(self, level: str) -> Iterator[str]:
        if level in _NAMED_BY:
            yield from self.values.words(self._name(_NAMED_BY[level][0]))

    # Remarks.

    def _token_remarks(self, offer: Offer) -> Iterator[str]:
        """Yield remarks about a missing access token, and about a password that may be sent as one."""
        words = self._options("smtp_sasl_mechanism_filter")
        if offer.match.value.partition(":")[2] == NO_TOKEN:
            yield "there is no access token yet: mail waits here until there is one (dms-relay status says why)"
        elif set(offer.mechanisms) <= set(TOKEN_MECHANISMS) and offer.mechanisms:
            return
        elif any(passes(name, words) for name in TOKEN_MECHANISMS) and self._has_plugin():
            yield "a plugin for access tokens is installed, and no filter keeps it out: the password may be sent as a token"

    def _has_plugin(self) -> bool:
        environment = self.values.get("import_environment")
        return sasl_plugin.is_there(environment) or bool(sasl_plugin.others(environment))

    def _remarks(self, offer: Offer | None, demand: TlsDemand, *, has_exchangers: bool) -> Iterator[str]:
        if (
            offer
            and demand.level in CLEARTEXT_LEVELS
            and "noplaintext" not in self._options("smtp_sasl_security_options")
        ):
            yield f"level {demand.level} does not protect the password: it can be sent in the clear"
        if offer and "noplaintext" in self._options("smtp_sasl_tls_security_options"):
            yield "noplaintext excludes the mechanisms PLAIN and LOGIN, which are often the only ones"
        if offer and (names := self._options("smtp_sasl_mechanism_filter")) and tuple(names) not in _USUAL:
            parameter = self._name("smtp_sasl_mechanism_filter")
            yield f"{parameter} permits only these mechanisms: {', '.join(names)}"
        if offer:
            yield from self._token_remarks(offer)
        if has_exchangers and self.get("smtp_sasl_password_maps") and (offer is None or offer.by != "sender"):
            yield "a login keyed by one of its MX hosts would take precedence; MX hosts are not looked up here"
        if self.get("smtp_tls_per_site") and not self.get("smtp_tls_policy_maps"):
            yield f"{self._name('smtp_tls_per_site')} is set, which can change the level and is not examined here"
        anchors = self.get("smtp_tls_trust_anchor_file")
        if demand.level in AUTHORITY_LEVELS and not (demand.ca_file or demand.ca_path or anchors):
            yield f"no certificate authority is configured ({self._name('smtp_tls_CAfile')}), so no certificate is accepted"
        if demand.level.startswith("dane") and self.get("smtp_dns_support_level") != "dnssec":
            yield f"level {demand.level} needs {self._name('smtp_dns_support_level')} = dnssec"

    def _options(self, parameter: str) -> list[str]:
        return self.values.words(self._name(parameter))


def _host_and_port(nexthop: str, port: str) -> tuple[str, str]:
    """Split a nexthop, without brackets (smtp_parse_destination). A local socket is a path (lmtp(8))."""
    if nexthop.startswith("unix:"):
        return nexthop.removeprefix("unix:"), ""
    nexthop = nexthop.removeprefix("inet:")
    if nexthop.startswith("["):
        host, _, rest = nexthop[1:].partition("]")
        return host, rest.removeprefix(":") or port
    host, colon, own = nexthop.rpartition(":")
    return (host, own) if colon else (nexthop, port)
