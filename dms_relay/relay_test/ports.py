"""The ports that a remedy names: those of mail services, but for the one that has just failed. Pure.

What a port needs besides is said with it: with ``maps`` implicit TLS needs ``RELAY_ROUTING=transports``, and STARTTLS that
``smtp_tls_wrappermode`` is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import IMPLICIT_TLS_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.relay_test.targets import Target

#: Submission and implicit TLS (RFC 8314), and the port that many services have besides.
SUBMISSION, IMPLICIT, ALTERNATE = 587, 465, 2525
_SWITCH = "RELAY_ROUTING=transports"
_NO_WRAPPER = "without smtp_tls_wrappermode in main.cf"


def ports(target: Target, *, with_alternate: bool = False) -> str:
    """Return the ports for logins inside TLS but that of the target, with what each needs: ``587, or 465 with …``."""
    found = list(_ports(target, with_alternate=with_alternate))
    before, last = ", ".join(found[:-1]), found[-1]
    if not before:
        return last
    return f"{before} or {last}" if all(map(str.isdigit, found)) else f"{before}, or {last}"


def _ports(target: Target, *, with_alternate: bool) -> Iterator[str]:
    is_wrapped = target.demand.implicit
    starttls = f" {_NO_WRAPPER}" if target.by_maps and is_wrapped else ""
    implicit = "" if is_wrapped else f" with {_SWITCH if target.by_maps else 'implicit TLS'}"
    others = [(SUBMISSION, starttls), *[(ALTERNATE, starttls)] * with_alternate, (IMPLICIT, implicit)]
    yield from (f"{port}{needs}" for port, needs in others if port != target.port)


def with_implicit_tls(target: Target) -> str:
    """Return what to write where the port expects implicit TLS, and another port that does not."""
    way = "write tls: {mode: implicit} (with level encrypt or a stronger one)"
    if target.by_maps and str(target.port) in IMPLICIT_TLS_PORTS:
        way = f"set {_SWITCH}, with which port {target.port} works"
    elif target.by_maps or target.is_without_file:
        way = "write the relay in relay.yaml, with tls: {mode: implicit}"
    return way if target.port == SUBMISSION else f"{way}; or use port {SUBMISSION}"


def with_starttls(target: Target) -> str:
    """Return what to write where the port expects STARTTLS, and another port that does not."""
    way = "write tls: {mode: starttls}"
    if target.by_maps:
        way = "remove smtp_tls_wrappermode from main.cf"
    elif target.is_without_file:
        way = "write the relay in relay.yaml, with tls: {mode: starttls}"
    if target.port != IMPLICIT:
        return f"{way}; or use port {IMPLICIT}"
    return way if target.by_maps else f"{way}; or use port {SUBMISSION}"
