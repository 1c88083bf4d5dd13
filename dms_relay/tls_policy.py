"""How Postfix's SMTP client finds the level of TLS for a nexthop (TLS_README; smtp_tls_policy.c). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.nexthop import is_domain

if TYPE_CHECKING:
    from collections.abc import Callable


def policy_keys(nexthop: str) -> tuple[str, ...]:
    """Give the keys of ``smtp_tls_policy_maps`` that count: the nexthop as it is, of a domain its parents too."""
    if not is_domain(nexthop):
        return (nexthop,)
    labels = nexthop.split(".")
    return (nexthop, *(f".{'.'.join(labels[number:])}" for number in range(1, len(labels))))


def level_for_all(get: Callable[[str], str]) -> str:
    """Give the level where no policy counts; ``get`` gives a parameter.

    An empty ``smtp_tls_security_level`` leaves it to the parameters of before Postfix 2.3 (postconf(5)).
    """
    if level := get("smtp_tls_security_level"):
        return level
    if get("smtp_enforce_tls") == "yes":
        return "encrypt" if get("smtp_tls_enforce_peername") == "no" else "verify"
    return "may" if get("smtp_use_tls") == "yes" else "none"
