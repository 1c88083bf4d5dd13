"""From the class of a failure to its likely cause and the remedy. Pure.

The texts are for whoever runs Postfix; the remedy names what to write in ``relay.yaml``, or with ``maps`` in main.cf.
There is one for each class, and more where the circumstances (``_circumstances``) say more; ``{…}`` are facts (``_facts``).
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

#: The port between mail servers, which many networks close for everybody else (RFC 5321; RFC 6409).
_MX_PORT = 25
#: Days before its end at which a certificate is remarked on: services renew theirs well before.
EXPIRY_DAYS = 14


class Diagnosis(NamedTuple):
    """The likely cause, and what to do."""

    cause: str
    remedy: str


# Circumstances beside those that a failure itself has.
_BY_MX, _AT_MX_PORT, _BY_MAPS, _ANY = "mx", "port 25", "maps", ""

_USUAL_PORTS = "use the port that the service names: mostly 587, or 465 with TLS from the first octet"
_TEXTS = {
    (Failure.NAME, _ANY): Diagnosis(
        "a slip in the name, or a DNS that does not answer. Postfix asks the DNS alone: a name in /etc/hosts counts only"
        " where main.cf says smtp_host_lookup = native",
        "look for a slip in the name, or have it in the DNS that this machine asks (/etc/resolv.conf)",
    ),
    (Failure.NAME, _BY_MX): Diagnosis(
        "without brackets this is a mail domain, whose MX hosts are looked up",
        "write [{host}]:{port} for the host itself; else look for a slip in the name",
    ),
    (Failure.REFUSED, _ANY): Diagnosis(
        "the host is there and nothing listens at this port, or a firewall refuses it", _USUAL_PORTS
    ),
    (Failure.TIMED_OUT, _ANY): Diagnosis(
        "the host is down or slow, or a firewall drops what is sent there",
        "try again with a longer --timeout; where it stays so, ask whoever runs the network, or the service",
    ),
    (Failure.TIMED_OUT, _AT_MX_PORT): Diagnosis(
        "the host is down, or a firewall drops what is sent there: many networks block port 25",
        "use port 587 or 465 of the service, which are meant for this",
    ),
    (Failure.BLOCKED, _ANY): Diagnosis(
        "a firewall cuts off port {port}, be it on this machine, on the way or at the host",
        "use a port that answers, if the service offers it there: 587, 465 or 2525; or have the port opened",
    ),
    (Failure.BLOCKED, _AT_MX_PORT): Diagnosis(
        "a firewall cuts off port 25: many networks block it, be it on this machine, on the way or at the host",
        "use a port that answers, if the service offers it there: 587, 465 or 2525; or have the port opened",
    ),
    (Failure.UNREACHABLE, _ANY): Diagnosis(
        "this machine has no way to the host: a network that is down, or no IPv6",
        "look at the machine's network; where it has no IPv6, set inet_protocols = ipv4 in main.cf",
    ),
    (Failure.LOST, _ANY): Diagnosis(
        "the server ends connections from this machine: too many at once, or not from this address",
        "try again later; ask the service whether it takes connections from this machine's address",
    ),
    (Failure.NOT_SMTP, _ANY): Diagnosis("something else than a mail server answers at this port", _USUAL_PORTS),
    (Failure.NO_TLS, _ANY): Diagnosis(
        "this port has no TLS, or something in between takes STARTTLS out of the server's answers",
        "use the port that the service names for TLS: 587, or 465 with TLS from the first octet",
    ),
    (Failure.NO_TLS, Detail.CLEARTEXT): Diagnosis(
        "no TLS came about, level {level} does without, and the login may not travel so",
        "set a level that needs TLS; or, where the network protects it, allow_cleartext_login: true",
    ),
    (Failure.HANDSHAKE, _ANY): Diagnosis(
        "the server knows no version of TLS from 1.2 on, or none that main.cf allows, or no cipher in common",
        "ask the service for TLSv1.2 or later; look at smtp_tls_mandatory_protocols and smtp_tls_protocols in main.cf",
    ),
    (Failure.CERTIFICATE, _ANY): Diagnosis(
        "no authority that is trusted here vouches for it: it is the relay's own, or somebody answers in its place",
        "have {ca_file} name a file with the authority's certificate in it; Debian's own is " + SYSTEM_AUTHORITIES,
    ),
    (Failure.CERTIFICATE, Detail.EXPIRED): Diagnosis(
        "the certificate's time is over, or this machine's clock is wrong",
        "have the certificate renewed at the relay; look at the clock with: date -u",
    ),
    (Failure.CERTIFICATE, Detail.NAMES): Diagnosis(
        "the host goes by another name, or somebody else answers in its place",
        "write a name of the certificate as the host, if it is the service's; or put it into {match}",
    ),
    (Failure.CERTIFICATE, Detail.FINGERPRINT): Diagnosis(
        "the server has a new certificate, or somebody else answers in its place",
        "ask the service for the fingerprint; where it is the one shown, put it into {fingerprints}",
    ),
    (Failure.CERTIFICATE, Detail.AUTHORITIES): Diagnosis(
        "the file with the authorities is missing, or is not what it should be",
        "install ca-certificates, or have {ca_file} name the file that is there",
    ),
    (Failure.IMPLICIT_TLS, _ANY): Diagnosis(
        "port {port} wants TLS from the first octet (SMTPS), and it is tried without",
        "write {implicit} (with level encrypt or a stronger one); or use port 587",
    ),
    (Failure.IMPLICIT_TLS, _BY_MAPS): Diagnosis(
        "port {port} wants TLS from the first octet (SMTPS), and it is tried without",
        "use port 587; or RELAY_ROUTING=transports, with which port 465 works",
    ),
    (Failure.STARTTLS, _ANY): Diagnosis(
        "port {port} wants STARTTLS, and TLS from the first octet is configured",
        "write {starttls}; or use port 465",
    ),
    (Failure.STARTTLS, _BY_MAPS): Diagnosis(
        "port {port} wants STARTTLS, and TLS from the first octet is configured",
        "take smtp_tls_wrappermode out of main.cf",
    ),
    (Failure.CONFIGURATION, _ANY): Diagnosis(
        "Postfix says: client TLS configuration problem, and keeps the mail in the queue",
        "correct smtp_tls_security_level, smtp_tls_policy_maps or smtp_tls_wrappermode in main.cf",
    ),
    (Failure.NOT_CHECKED, _ANY): Diagnosis(
        "this command does not look up TLSA records, and sends no login where it cannot tell whether the level is reached",
        "try: posttls-finger -l {level} '{nexthop}'",
    ),
    (Failure.NO_AUTH, _ANY): Diagnosis(
        "this server takes mail without a login, or knows this machine by its address",
        "use port 587 or 465 of the service; or take the login away where none is needed",
    ),
    (Failure.NO_AUTH, Detail.CLEARTEXT): Diagnosis(
        "many servers offer AUTH inside TLS only", "set a level that uses TLS: encrypt, or better secure"
    ),
    (Failure.NO_AUTH, _AT_MX_PORT): Diagnosis(
        "port 25 is for mail between servers, which have no login",
        "use port 587 or 465 of the service; or take the login away where none is needed",
    ),
    (Failure.MECHANISM, _ANY): Diagnosis(
        "the server does not take this account's password in this way, right or wrong: see its reply",
        "ask the service for SMTP with a password: another port, or a setting of the account",
    ),
    (Failure.MECHANISM, Detail.NOT_OURS): Diagnosis(
        "the server takes no user name with a password in the ways that are tried here: PLAIN, LOGIN, CRAM-MD5."
        " XOAUTH2 and OAUTHBEARER want a token, which Postfix does not have; SCRAM and DIGEST-MD5 Postfix may have",
        "ask the service for SMTP with a password: another port, or a setting of the account",
    ),
    (Failure.MECHANISM, Detail.NOT_ALLOWED): Diagnosis(
        "Postfix does not log in so either: noplaintext shuts PLAIN and LOGIN out, or smtp_sasl_mechanism_filter does",
        "set smtp_sasl_security_options = noanonymous, and look at smtp_sasl_mechanism_filter, in main.cf",
    ),
    (Failure.LOGIN, _ANY): Diagnosis(
        "user name or password is wrong, or is not the one for SMTP, which many services have",
        "correct the login that {origin} names; for SMTP many services have credentials of their own",
    ),
    (Failure.REJECTED, _ANY): Diagnosis(
        "the server does not want this machine, its name, or an address: see its reply",
        "look at the reply; mostly the sender must be proved to be yours at the service, or this machine's address allowed",
    ),
    (Failure.REJECTED, Detail.LOGIN_WANTED): Diagnosis(
        "the server takes no mail without a login, and none is used here",
        "give this relay a login: RELAY_USER and RELAY_PASSWORD, postfix-sasl-password.cf, or relay.yaml",
    ),
    (Failure.REJECTED, Detail.TEMPORARY): Diagnosis(
        "the server puts it off: overload, a limit, or too many attempts from here",
        "wait, then try again; where it stays so, ask the service with its reply",
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
    """Yield the circumstances, the one that says most first."""
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
    """Return what is no failure and good to know, the end of the certificate's time among it."""
    seen, now = result.seen, now or datetime.now(UTC)
    found = list(seen.remarks)
    is_certificate_at_fault = result.error is not None and result.error.kind is Failure.CERTIFICATE
    if seen.certificate and not is_certificate_at_fault:
        days = (seen.certificate.valid_until - now).days
        if days < 0:
            found.append("the certificate has expired, which this level does not look at")
        elif days < EXPIRY_DAYS:
            found.append(f"the certificate expires in {days} days")
    return tuple(found)
