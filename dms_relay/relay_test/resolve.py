"""Resolves a nexthop to the addresses to connect to, as Postfix's SMTP client does (postconf(5), smtp_host_lookup).

Asks the DNS, through dnspython, and the system's resolver if main.cf names it. Looks up the MX hosts of a nexthop without
brackets. Raises ``StepError`` of class ``name`` if a name is not found, or not in time.

Known limits: DNSSEC is ignored; addresses are tried in a fixed order, IPv6 first, while Postfix may shuffle them.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from dms_relay.postfix.nexthop import is_address, is_ipv6
from dms_relay.relay_test.certificate import ascii_name
from dms_relay.relay_test.outcome import Detail, Failure, StepError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dns.resolver import Answer, NoNameservers

    from dms_relay.relay_test.settings import TestSettings
    from dms_relay.relay_test.targets import Target

#: Maximum addresses to try (postconf(5), smtp_mx_address_limit).
ADDRESS_MAX = 5
#: Maximum MX hosts to look up: twice as many as can be tried. Postfix looks up all of them, however many.
HOST_MAX = 2 * ADDRESS_MAX
_FAMILIES = {6: ("AAAA", socket.AF_INET6), 4: ("A", socket.AF_INET)}
_IPV6_PREFIX = "ipv6:"
#: Seconds for a look into /etc/hosts after the DNS has failed, perhaps by using up all the time.
_HOSTS_WAIT = 1.0


class HostAddress(NamedTuple):
    """Where to connect: the host's name, which a certificate may have to match, its IP address, and the port."""

    host: str
    ip: str
    port: int


def addresses(target: Target, settings: TestSettings) -> tuple[HostAddress, ...]:
    """Return the addresses of a target, at least one, in the order in which to try them."""
    try:
        return _addresses(target, settings)
    except StepError as error:
        is_shadowed = not isinstance(error, _NotThereError) and _is_native(target, settings)
        error.detail = Detail.DNS_FIRST if is_shadowed else error.detail or _asked(target, settings)
        raise


def _is_native(target: Target, settings: TestSettings) -> bool:
    """Return True if the system's resolver, which Postfix asks after the DNS, has the host."""
    if target.by_mx or is_address(target.host) or not {"dns", "native"} <= set(settings.lookups):
        return False
    with suppress(StepError):
        return bool(_native(target.host, replace(settings, deadline=time.monotonic() + _HOSTS_WAIT)))
    return False


def _asked(target: Target, settings: TestSettings) -> Detail:
    """Return what was asked, if that is not only the DNS, so that the advice fits this machine."""
    if target.by_mx:
        return Detail.NONE if settings.with_mx else Detail.NO_MX
    if "native" not in settings.lookups:
        return Detail.NONE
    return Detail.DNS_OR_NATIVE if "dns" in settings.lookups else Detail.NATIVE


def _addresses(target: Target, settings: TestSettings) -> tuple[HostAddress, ...]:
    found: list[HostAddress] = []
    hosts = _mx_hosts(target.host, settings)[:HOST_MAX] if target.by_mx and settings.with_mx else [target.host]
    trouble: StepError | None = None
    for host in hosts:
        try:
            found += [HostAddress(host, ip, target.port) for ip in _ips(host, settings)]
        except StepError as error:
            trouble = trouble or error
        if len(found) >= ADDRESS_MAX:
            break
    if not found and trouble:
        raise trouble
    return tuple(found[:ADDRESS_MAX])


def _ips(host: str, settings: TestSettings) -> list[str]:
    if is_address(host):
        return [_literal(host, settings)]
    missing: StepError = _unknown(host, "has no address in the DNS" if "dns" in settings.lookups else "has no address")
    for ask in (lookup for name, lookup in (("dns", _dns), ("native", _native)) if name in settings.lookups):
        try:
            found = list(ask(host, settings))
        except _NotThereError as error:  # the next lookup may find it
            missing, found = error, []
        if found:
            return found
    raise _excluded(host, settings) or missing


def _literal(host: str, settings: TestSettings) -> str:
    """Return a literal address of the nexthop; Postfix ignores those of a family that main.cf excludes."""
    ip = host[len(_IPV6_PREFIX) :] if host.lower().startswith(_IPV6_PREFIX) else host
    if (6 if is_ipv6(ip) else 4) not in settings.families:
        raise StepError(Failure.NAME, f"{ip} is an address that inet_protocols excludes", detail=Detail.FAMILY)
    return ip


def _excluded(host: str, settings: TestSettings) -> StepError | None:
    """Return the failure of a host with addresses only of the other family; ``None`` if it has none of these either."""
    families = tuple(family for family in _FAMILIES if family not in settings.families)
    others = replace(settings, families=families)
    for ask in (
        lookup for name, lookup in (("dns", _dns), ("native", _native)) if name in settings.lookups and families
    ):
        with suppress(StepError):
            if list(ask(host, others)):
                what = f"{host} has only IPv{families[0]} addresses, which inet_protocols excludes"
                return StepError(Failure.NAME, what, detail=Detail.FAMILY)
    return None


class _NotThereError(StepError):
    """The DNS has no such name."""


def _unknown(host: str, what: str) -> StepError:
    return StepError(Failure.NAME, f"{host} {what}")


def _dns(host: str, settings: TestSettings) -> Iterator[str]:
    for family in settings.families:
        answer = _search(_ascii(host), _FAMILIES[family][0], settings)
        yield from (str(record) for record in answer or ())


def _mx_hosts(domain: str, settings: TestSettings) -> list[str]:
    """Return the MX hosts by preference; the domain itself if it has none (RFC 5321, section 5.1)."""
    answer = _search(_ascii(domain), "MX", settings)
    if answer is None:
        return [domain]
    records = sorted(answer, key=lambda record: record.preference)
    hosts = [record.exchange.to_text(omit_final_dot=True) for record in records]
    if hosts == ["."]:
        raise _unknown(domain, "accepts no mail: its MX record is empty (RFC 7505)")
    return hosts


def _search(name: str, kind: str, settings: TestSettings) -> Answer | None:
    """Look up a name in the DNS, also in the domains of /etc/resolv.conf if main.cf says so; the first match counts."""
    candidates = _candidates(name, settings)
    failures: list[StepError] = []
    for candidate in candidates:
        try:
            answer = _ask(candidate, kind, settings)
        except StepError as error:
            failures.append(error)
            continue
        if answer is not None:
            return answer
    worse = [failure for failure in failures if not isinstance(failure, _NotThereError)]
    if worse or len(failures) == len(candidates):
        raise (worse or failures)[-1]
    return None


def _candidates(name: str, settings: TestSettings) -> list[str]:
    """Return the names to look up, in the order of res_search(3): a name without a dot is tried unchanged last."""
    from dns import resolver  # noqa: PLC0415 -- see ``_ask``

    asked, dots = resolver.get_default_resolver(), name.rstrip(".").count(".")
    if name.endswith(".") or not (settings.with_search if dots else settings.with_domain):
        return [name]
    domains = [domain.to_text(omit_final_dot=True) for domain in asked.search or [asked.domain]]
    if not settings.with_search:
        domains = domains[:1]
    others = [f"{name}.{domain}" for domain in domains if domain not in {"", "."}]
    is_first = dots >= (1 if asked.ndots is None else asked.ndots)
    return [name, *others] if is_first else [*others, name]


def _ask(name: str, kind: str, settings: TestSettings) -> Answer | None:
    """Ask the DNS; return ``None`` if the name exists without such a record."""
    from dns import exception, resolver  # noqa: PLC0415 -- 80 ms, and only ``test`` needs it

    try:
        return resolver.get_default_resolver().resolve(name, kind, lifetime=settings.left, search=False)
    except resolver.NoAnswer:
        return None
    except resolver.NXDOMAIN:
        raise _NotThereError(Failure.NAME, f"{name} does not exist in the DNS") from None
    except resolver.LifetimeTimeout:
        raise _unknown(name, f"could not be looked up: no answer from the DNS within {settings.timeout:g} s") from None
    except resolver.NoNameservers as error:
        what = f"{name} could not be looked up: the DNS answers {_codes(error)}"
        raise StepError(Failure.NAME, what, detail=Detail.DNS) from None
    except (exception.DNSException, OSError) as error:
        raise _unknown(name, f"could not be looked up: {type(error).__name__} from the DNS") from None


def _codes(error: NoNameservers) -> str:
    """Return what the name servers answered, such as SERVFAIL; ``with an error`` if none did."""
    from dns import rcode  # noqa: PLC0415 -- see ``_ask``

    answers = (found[-1] for found in error.kwargs.get("errors", ()))
    codes = (rcode.to_text(answer.rcode()) for answer in answers if answer is not None)
    return " and ".join(dict.fromkeys(codes)) or "with an error"


def _ascii(host: str) -> str:
    name = ascii_name(host)
    if not name.isascii():
        raise _unknown(host, "is not a valid name in the DNS")
    return name


def _native(host: str, settings: TestSettings) -> list[str]:
    """Ask the system's resolver in a thread, since it has no time limit: a late thread is abandoned."""
    answers: SimpleQueue[list[str]] = SimpleQueue()
    Thread(target=lambda: answers.put(_getaddrinfo(host)), daemon=True).start()
    try:
        found = answers.get(timeout=settings.left)
    except Empty:
        raise _unknown(host, f"could not be looked up: no answer within {settings.timeout:g} s") from None
    by_family = {family: [ip for ip in found if is_ipv6(ip) == (family == 6)] for family in settings.families}  # noqa: PLR2004 -- the family's own number
    return [ip for ips in by_family.values() for ip in ips]


def _getaddrinfo(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(_ascii(host), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, StepError):
        return []
    return list(dict.fromkeys(str(item[4][0]) for item in found))
