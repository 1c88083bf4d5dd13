"""Turns relays with a transport of their own into services, tables and parameters of Postfix. Pure.

Each relay is an smtp(8) service ``relay-NAME`` with its own TLS level and its own password table, which holds only the
logins of this relay. It overrides every parameter that could send its mail or a login elsewhere, or weaken its TLS:
main.cf's policy maps, fallback relay and logins are for other mail. Main.cf's ``smtp_tls_*`` and ``smtp_sasl_*`` do not
change.

Routes are ``transport:nexthop`` (transport(5)); ``smtp:`` means the recipient's own server, as ``relayhost`` is empty.
"""

from __future__ import annotations

from dms_relay.model import (
    AUTHORITY_LEVELS,
    MECHANISM_FILTER,
    RECIPIENT_TRANSPORT,
    SENDER_TRANSPORT,
    SYSTEM_AUTHORITIES,
    TEMPORARY_FAILURES,
    PostfixConfig,
)
from dms_relay.model.relays import mechanisms_of
from dms_relay.postfix.master_cf import PREFIX, SHARED, login_table
from dms_relay.postfix.temporary_failures import TEMPORARY_PATTERNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.model import LoginEntry, Paths
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.model.relays import RelayService, Tls, TransportRoute, Transports

_DIRECT = "smtp:"
#: Policies that match nothing. Without any, smtp(8) would use ``smtp_tls_per_site``, which can ask for less than the level
#: (seen), and which Postfix 3.10 warns of wherever it is set.
_NO_POLICY = "inline:{relay.invalid=encrypt}"
_PREPENDED = {"sender_dependent_default_transport_maps": SENDER_TRANSPORT, "transport_maps": RECIPIENT_TRANSPORT}


def render_transports(config: RelayConfig, transports: Transports, paths: Paths) -> PostfixConfig:
    """Return services, tables and parameters."""
    renderer = _Renderer(transports, paths)
    for service in transports.services:
        renderer.add(service)
    renderer.add_routes()
    parameters, prepended_maps = renderer.parameters, renderer.prepended_maps
    references = {name: _PREPENDED[name] for name in prepended_maps}
    for name in _PREPENDED.keys() & config.user_parameters.keys():
        value = config.user_parameters[name].value
        if _PREPENDED[name] in value:
            # The operator's value names our table, so that table must exist.
            parameters[name] = value
            references.pop(name, None)
            renderer.tables.setdefault(_PREPENDED[name], "")
        elif name in prepended_maps:
            parameters[name] = f"{prepended_maps[name]}, {value}".rstrip(", ")
        prepended_maps.pop(name, None)
    if renderer.token_tables and (own := config.user_parameters.get(MECHANISM_FILTER)):
        parameters[MECHANISM_FILTER] = own.value
    return PostfixConfig(
        renderer.tables,
        parameters,
        prepended_maps,
        renderer.services,
        references,
        table_type=config.table_type,
        token_tables=frozenset(renderer.token_tables),
    )


class _Renderer:
    """Collects services, tables and parameters."""

    def __init__(self, transports: Transports, paths: Paths) -> None:
        self.transports = transports
        self.paths = paths
        self.nexthops = {service.relay.name: service.relay.nexthops.text for service in transports.services}
        self.tables: dict[str, str] = {}
        self.parameters = {"relayhost": "", "sender_dependent_relayhost_maps": ""}
        self.prepended_maps: dict[str, str] = {}
        self.services: dict[str, dict[str, str]] = {}
        #: All logins of a relay are of one kind (``merge``).
        self.token_tables: set[str] = set()

    def add(self, service: RelayService) -> None:
        """Add a relay's service, and if needed the one that does not look up senders."""
        name = PREFIX + service.relay.name
        self._add(name, service, service.sender_logins)
        if service.ignores_sender_logins:
            self._add(name + SHARED, service, ())

    def _add(self, name: str, service: RelayService, senders: tuple[LoginEntry, ...]) -> None:
        entries = (*senders, *service.logins)
        table = login_table(name)
        maps = ""
        if entries:
            maps = self._texthash(table)
            self.tables[table] = _lines((entry.key, entry.login.table_value) for entry in entries)
            if entries[0].login.oauth2:
                self.token_tables.add(table)
        self.tables.setdefault(TEMPORARY_FAILURES, TEMPORARY_PATTERNS)
        self.services[name] = {
            "syslog_name": f"postfix/{name}",
            "smtp_sasl_auth_enable": _yes(bool(entries)),
            "smtp_sasl_password_maps": maps,
            "smtp_sender_dependent_authentication": _yes(bool(senders)),
            "smtp_sasl_security_options": "noanonymous",
            "smtp_sasl_tls_security_options": "noanonymous",
            "smtp_sasl_tls_verified_security_options": "noanonymous",
            MECHANISM_FILTER: ",".join(mechanisms_of(service.relay)),
            **dict(_tls_overrides(service.relay.tls)),
            "smtp_fallback_relay": "",
            # If the server that relayhost names is not found or is this machine, smtp(8) never returns mail, but defers it
            # and the rest of the queue for a while (smtp_connect.c). It compares only the first nexthop.
            "relayhost": service.relay.nexthops.members[0],
            "smtp_delivery_status_filter": f"regexp:{self.paths.table(TEMPORARY_FAILURES)}",
        }

    def add_routes(self) -> None:
        """Add the routes by sender, by recipient, and for everybody else."""
        transports = self.transports
        if transports.senders:
            self._add_table("sender_dependent_default_transport_maps", transports.senders)
        if transports.recipients:
            self._add_table("transport_maps", transports.recipients)
        if transports.default:
            # Even if it is direct: main.cf may have another value.
            self.parameters["default_transport"] = self._value(transports.default[0], ignores_sender_logins=False)

    def _add_table(self, parameter: str, routes: Iterable[TransportRoute]) -> None:
        table = _PREPENDED[parameter]
        self.tables[table] = _lines(
            (route.key, self._value(route.relay, ignores_sender_logins=route.ignores_sender_logins)) for route in routes
        )
        self.prepended_maps[parameter] = self._texthash(table)

    def _value(self, relay: str | None, *, ignores_sender_logins: bool) -> str:
        if relay is None:
            return _DIRECT
        return f"{PREFIX}{relay}{SHARED if ignores_sender_logins else ''}:{self.nexthops[relay]}"

    def _texthash(self, table: str) -> str:
        return f"texthash:{self.paths.table(table)}"


def _tls_overrides(tls: Tls) -> Iterator[tuple[str, str]]:
    """Yield what a service overrides for TLS (postconf(5), TLS_README)."""
    yield "smtp_tls_security_level", tls.level
    yield "smtp_tls_wrappermode", _yes(tls.implicit)
    yield "smtp_tls_policy_maps", _NO_POLICY
    if tls.level in AUTHORITY_LEVELS or tls.ca_file:
        yield "smtp_tls_CAfile", tls.ca_file or SYSTEM_AUTHORITIES
        yield "smtp_tls_CApath", ""
        yield "smtp_tls_trust_anchor_file", ""
    if tls.level == "secure":
        yield "smtp_tls_secure_cert_match", ",".join(tls.match or ("nexthop", "dot-nexthop"))
    elif tls.level == "verify":
        yield "smtp_tls_verify_cert_match", ",".join(tls.match or ("hostname",))
    elif tls.level == "fingerprint":
        yield "smtp_tls_fingerprint_digest", "sha256"
        yield "smtp_tls_fingerprint_cert_match", ",".join(tls.fingerprints)
    elif tls.level.startswith("dane"):
        yield "smtp_dns_support_level", "dnssec"


def _yes(value: bool) -> str:  # noqa: FBT001 -- its result says the same
    return "yes" if value else "no"


def _lines(entries: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{key}\t{value}\n" for key, value in entries)
