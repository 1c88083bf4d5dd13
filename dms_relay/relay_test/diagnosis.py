"""From the class of a failure to its likely cause and its remedy. Pure.

The texts are for the administrator; the remedy names what to write in ``relay.yaml``, or with ``maps`` in main.cf. Each
class has one, and more for special circumstances (``_circumstances``); ``{…}`` are facts (``_facts``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dms_relay.model import SYSTEM_AUTHORITIES
from dms_relay.relay_test.outcome import Detail, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.relay_test.outcome import Result, StepError
    from dms_relay.relay_test.targets import Target

#: The port between mail servers, which many networks block for other machines (RFC 5321; RFC 6409).
_MX_PORT = 25
#: Days before expiry from which a remark names it: services renew their certificates well before.
EXPIRY_DAYS = 14


class Diagnosis(NamedTuple):
    """The likely cause, and what to do."""

    cause: str
    remedy: str


# Circumstances besides the detail of the failure itself.
_BY_MX, _AT_MX_PORT, _BY_MAPS, _ANY = "mx", "port 25", "maps", ""

_USUAL_PORTS = "use the port that the service documents: usually 587, or 465 with implicit TLS"
_OTHER_PORT = "use a port that answers, if the service offers it: 587, 465 or 2525; or have the port opened"
_AUTH_PORT = "use port 587 or 465 of the service; or remove the login if none is needed"
_ASK_FOR_PASSWORDS = "ask the service how to use SMTP with a password: another port, or a setting of the account"
_TEXTS = {
    (Failure.NAME, _ANY): Diagnosis(
        "a typing error in the name, or a DNS server that does not answer. Postfix asks only the DNS: a name in /etc/hosts"
        " counts only with smtp_host_lookup = native in main.cf",
        "check the spelling of the name, or add it to the DNS that this machine asks (/etc/resolv.conf)",
    ),
    (Failure.NAME, _BY_MX): Diagnosis(
        "without brackets this is a mail domain, and Postfix looks up its MX hosts",
        "write [{host}]:{port} for the host itself; otherwise check the spelling of the name",
    ),
    (Failure.REFUSED, _ANY): Diagnosis(
        "the host is up, but nothing listens on this port, or a firewall refuses the connection", _USUAL_PORTS
    ),
    (Failure.TIMED_OUT, _ANY): Diagnosis(
        "the host is down or slow, or a firewall drops the packets",
        "try again with a longer --timeout; if that does not help, ask your network administrator, or the service",
    ),
    (Failure.TIMED_OUT, _AT_MX_PORT): Diagnosis(
        "the host is down, or a firewall drops the packets: many networks block port 25",
        "use port 587 or 465 of the service, which are meant for this",
    ),
    (Failure.BLOCKED, _ANY): Diagnosis(
        "a firewall blocks port {port}: on this machine, on the way, or at the host", _OTHER_PORT
    ),
    (Failure.BLOCKED, _AT_MX_PORT): Diagnosis(
        "a firewall blocks port 25, as many networks do: on this machine, on the way, or at the host", _OTHER_PORT
    ),
    (Failure.UNREACHABLE, _ANY): Diagnosis(
        "this machine has no network route to the host: the network is down, or there is no IPv6",
        "check the machine's network; if it has no IPv6, set inet_protocols = ipv4 in main.cf",
    ),
    (Failure.LOST, _ANY): Diagnosis(
        "the server closes connections from this machine: there are too many, or it does not accept this address",
        "try again later; ask the service whether it accepts connections from this machine's address",
    ),
    (Failure.NOT_SMTP, _ANY): Diagnosis("something other than a mail server answers on this port", _USUAL_PORTS),
    (Failure.NO_TLS, _ANY): Diagnosis(
        "this port has no TLS, or something on the way removes STARTTLS from the server's replies",
        "use the port that the service documents for TLS: 587, or 465 with implicit TLS",
    ),
    (Failure.NO_TLS, _BY_MAPS): Diagnosis(
        "this port has no TLS, or something on the way removes STARTTLS from the server's replies",
        "use the port that the service documents for TLS: 587, or 465 with RELAY_ROUTING=transports; if the network"
        " itself is protected, write the relay in relay.yaml, with tls: {{level: none, allow_cleartext_login: true}}",
    ),
    (Failure.NO_TLS, Detail.CLEARTEXT): Diagnosis(
        "no TLS; level {level} permits that, but a login may not be sent in the clear",
        "set a level that requires TLS; or, if the network itself is protected, allow_cleartext_login: true",
    ),
    (Failure.HANDSHAKE, _ANY): Diagnosis(
        "the server has no TLS version from 1.2 on, or none that main.cf permits, or no cipher in common",
        "ask the service for TLSv1.2 or later; check smtp_tls_mandatory_protocols and smtp_tls_protocols in main.cf",
    ),
    (Failure.CERTIFICATE, _ANY): Diagnosis(
        "no trusted authority signed it: it is self-signed or of a private authority, or another server answers",
        "make {ca_file} name a file that contains the authority's certificate; Debian's own is " + SYSTEM_AUTHORITIES,
    ),
    (Failure.CERTIFICATE, Detail.EXPIRED): Diagnosis(
        "the certificate has expired, or this machine's clock is wrong",
        "have the relay renew its certificate; check the clock with: date -u",
    ),
    (Failure.CERTIFICATE, Detail.NAMES): Diagnosis(
        "the host has another name, or another server answers",
        "write a name of the certificate as the host, if it belongs to the service; or add it to {match}",
    ),
    (Failure.CERTIFICATE, Detail.FINGERPRINT): Diagnosis(
        "the server has a new certificate, or another server answers",
        "ask the service for the fingerprint; if it is the one shown, add it to {fingerprints}",
    ),
    (Failure.CERTIFICATE, Detail.AUTHORITIES): Diagnosis(
        "the file of certificate authorities is missing, or is not valid",
        "install ca-certificates, or make {ca_file} name an existing file",
    ),
    (Failure.IMPLICIT_TLS, _ANY): Diagnosis(
        "port {port} expects implicit TLS (SMTPS), which is not configured",
        "write {implicit} (with level encrypt or a stronger one); or use port 587",
    ),
    (Failure.IMPLICIT_TLS, _BY_MAPS): Diagnosis(
        "port {port} expects implicit TLS (SMTPS), which is not configured",
        "use port 587; or RELAY_ROUTING=transports, with which port 465 works",
    ),
    (Failure.STARTTLS, _ANY): Diagnosis(
        "port {port} expects STARTTLS, but implicit TLS is configured",
        "write {starttls}; or use port 465",
    ),
    (Failure.STARTTLS, _BY_MAPS): Diagnosis(
        "port {port} expects STARTTLS, but implicit TLS is configured",
        "remove smtp_tls_wrappermode from main.cf",
    ),
    (Failure.CONFIGURATION, _ANY): Diagnosis(
        "Postfix reports a client TLS configuration problem, and keeps the mail in the queue",
        "correct smtp_tls_security_level, smtp_tls_policy_maps or smtp_tls_wrappermode in main.cf",
    ),
    (Failure.NOT_CHECKED, _ANY): Diagnosis(
        "this command does not look up TLSA records, and sends no login where it cannot verify the level",
        "try: posttls-finger -l {level} '{nexthop}'",
    ),
    (Failure.NO_AUTH, _ANY): Diagnosis(
        "this server accepts mail without a login, or recognizes this machine by its address", _AUTH_PORT
    ),
    (Failure.NO_AUTH, Detail.CLEARTEXT): Diagnosis(
        "many servers offer AUTH only inside TLS", "set a level that uses TLS: encrypt, or better secure"
    ),
    (Failure.NO_AUTH, _AT_MX_PORT): Diagnosis("port 25 is for mail between servers, without a login", _AUTH_PORT),
    (Failure.MECHANISM, _ANY): Diagnosis(
        "the server does not accept passwords for this account, right or wrong: see its reply", _ASK_FOR_PASSWORDS
    ),
    (Failure.MECHANISM, Detail.NOT_OURS): Diagnosis(
        "the server offers none of the mechanisms that this command tests: PLAIN, LOGIN, CRAM-MD5. XOAUTH2 and OAUTHBEARER"
        " need a token, which Postfix does not have; SCRAM and DIGEST-MD5 may work in Postfix",
        _ASK_FOR_PASSWORDS,
    ),
    (Failure.MECHANISM, Detail.NOT_ALLOWED): Diagnosis(
        "Postfix would not log in either: noplaintext excludes PLAIN and LOGIN, or smtp_sasl_mechanism_filter does",
        "set smtp_sasl_security_options = noanonymous, and check smtp_sasl_mechanism_filter, in main.cf",
    ),
    (Failure.LOGIN, _ANY): Diagnosis(
        "the user name or the password is wrong, or is not the one for SMTP: many services have separate ones",
        "correct the login at {origin}; use the service's SMTP credentials, if it has separate ones",
    ),
    (Failure.REJECTED, _ANY): Diagnosis(
        "the server does not accept this machine, its name, or an address: see its reply",
        "read the reply; usually you must verify the sender at the service, or have it allow this machine's address",
    ),
    (Failure.REJECTED, Detail.LOGIN_WANTED): Diagnosis(
        "the server requires a login, and none is set for this relay",
        "set a login for this relay: RELAY_USER and RELAY_PASSWORD, postfix-sasl-password.cf, or relay.yaml",
    ),
    (Failure.REJECTED, Detail.TEMPORARY): Diagnosis(
        "the server rejects temporarily: overload, a limit, or too many attempts from here",
        "wait, then try again; if the reply stays the same, ask the service about it",
    ),
}


def diagnose(result: Result) -> Diagnosis | None:
    """Return cause and remedy of a failure; ``None`` where there is none."""
    error, target = result.error, result.target
    if error is None:
        return None
    keys = ((error.kind, circumstance) for circumstance in _circumstances(error, target))
    cause, remedy = next(_TEXTS[key] for key in keys if key in _TEXTS)
    facts = _facts(target)
    return Diagnosis(cause.format_map(facts), remedy.format_map(facts))


def _circumstances(error: StepError, target: Target) -> Iterator[str]:
    """Yield the circumstances, the most specific first."""
    if error.detail:
        yield error.detail
    if target.by_mx:
        yield _BY_MX
    if target.port == _MX_PORT:
        yield _AT_MX_PORT
    if target.by_maps:
        yield _BY_MAPS
    yield _ANY


def _facts(target: Target) -> dict[str, str]:
    level, by_maps = target.demand.level, target.by_maps
    return {
        "host": target.host,
        "port": str(target.port),
        "nexthop": target.nexthop,
        "level": level,
        "origin": str(target.entry.origin) if target.entry else "the inputs",
        "ca_file": "smtp_tls_CAfile in main.cf" if by_maps else "tls: {ca_file: …}",
        "match": f"smtp_tls_{level}_cert_match in main.cf" if by_maps else "tls: {match: …}",
        "fingerprints": "smtp_tls_fingerprint_cert_match in main.cf" if by_maps else "tls: {fingerprints: …}",
        "implicit": "tls: {mode: implicit}",
        "starttls": "tls: {mode: starttls}",
    }


def remarks(result: Result, now: datetime | None = None) -> tuple[str, ...]:
    """Return what is worth knowing but no failure, such as a certificate that expires soon."""
    seen, now = result.seen, now or datetime.now(UTC)
    found = list(seen.remarks)
    is_certificate_at_fault = result.error is not None and result.error.kind is Failure.CERTIFICATE
    if seen.certificate and not is_certificate_at_fault:
        days = (seen.certificate.valid_until - now).days
        if days < 0:
            found.append("the certificate has expired; this level does not check that")
        elif days < EXPIRY_DAYS:
            found.append(f"the certificate expires in {days} days")
    return tuple(found)
