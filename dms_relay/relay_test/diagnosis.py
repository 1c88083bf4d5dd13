"""Finds the likely cause and the remedy of a class of failure. Pure.

The texts (``causes``) are for the administrator; the remedy names what to write in ``relay.yaml``, or with ``maps`` in
main.cf.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dms_relay.relay_test.causes import AT_MX_PORT, BY_MAPS, BY_MX, TEXTS
from dms_relay.relay_test.outcome import Detail, Failure
from dms_relay.relay_test.ports import ports, with_implicit_tls, with_starttls
from dms_relay.relay_test.token_causes import ANY, Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.relay_test.outcome import Result, StepError
    from dms_relay.relay_test.targets import Target

#: The port between mail servers, which many networks block for other machines (RFC 5321; RFC 6409).
_MX_PORT = 25
#: Days before expiry from which a remark mentions it: services renew their certificates well before.
EXPIRY_DAYS = 14
#: What to write in main.cf.
_FILTER = "smtp_sasl_mechanism_filter = plain, login in main.cf"
_RAISE = "smtp_tls_security_level = encrypt in main.cf, or encrypt in the relay's entry of smtp_tls_policy_maps"


def diagnose(result: Result) -> Diagnosis | None:
    """Return cause and remedy of a failure; ``None`` if there is no failure."""
    error, target = result.error, result.target
    if error is None:
        return None
    keys = ((error.kind, circumstance) for circumstance in _circumstances(error, target))
    cause, remedy = next(TEXTS[key] for key in keys if key in TEXTS)
    facts = _facts(target) | {"subject": error.subject or f"run dms-relay renew {target.relay}"}
    return Diagnosis(cause.format_map(facts), remedy.format_map(facts))


def _circumstances(error: StepError, target: Target) -> Iterator[str]:
    """Yield the circumstances, the most specific first."""
    if error.detail:
        yield error.detail
    if target.by_mx:
        yield BY_MX
    if target.port == _MX_PORT:
        yield AT_MX_PORT
    if target.by_maps:
        yield BY_MAPS
    yield ANY


def _facts(target: Target) -> dict[str, str]:
    level, by_maps = target.demand.level, target.by_maps
    file = " in a relay.yaml" if target.is_without_file else ""
    own = "RELAY_TLS_LEVEL=encrypt, or better secure" if file else "tls: {level: encrypt}, or better secure"
    return {
        "relay": target.relay,
        "user": target.shown_login,
        "host": target.host,
        "port": str(target.port),
        "nexthop": target.nexthop,
        "level": level,
        "origin": str(target.entry.origin) if target.entry else "the inputs",
        "ca_file": "smtp_tls_CAfile in main.cf" if by_maps else f"tls: {{ca_file: …}}{file}",
        "match": f"smtp_tls_{level}_cert_match in main.cf" if by_maps else f"tls: {{match: …}}{file}",
        "fingerprints": "smtp_tls_fingerprint_cert_match in main.cf" if by_maps else f"tls: {{fingerprints: …}}{file}",
        "implicit": with_implicit_tls(target),
        "starttls": with_starttls(target),
        "ports": ports(target),
        "more_ports": ports(target, with_alternate=True),
        "file": file,
        "mechanisms": _FILTER if by_maps else "login: {mechanisms: [plain, login]} at this relay in relay.yaml",
        "permitted": ", ".join(target.demand.mechanism_filter),
        "raise": _RAISE if by_maps else own,
    }


def remarks(result: Result, now: datetime | None = None) -> tuple[str, ...]:
    """Return what is worth knowing but not a failure, such as a certificate that expires soon."""
    seen, now = result.seen, now or datetime.now(UTC)
    found = list(seen.remarks)
    if seen.is_plugin_missing and result.error and result.error.detail != Detail.NO_TOKEN_PLUGIN:
        found.append("besides, Postfix cannot log in: the plugin for access tokens is not installed (sasl/README.md)")
    is_certificate_at_fault = result.error is not None and result.error.kind is Failure.CERTIFICATE
    if seen.certificate and not is_certificate_at_fault:
        days = (seen.certificate.valid_until - now).days
        if seen.certificate.valid_from > now:
            found.append("the certificate is not valid yet; this level does not check that")
        if days < 0:
            found.append("the certificate has expired; this level does not check that")
        elif days < EXPIRY_DAYS:
            found.append(f"the certificate expires in {days} days")
    return tuple(found)
