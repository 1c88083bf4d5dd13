"""How smtp(8) looks up server names: if it uses the DNS at all, and where it gets addresses. Pure.

Seen with 3.7, and in smtp.c: ``smtp_dns_support_level`` decides; ``disable_dns_lookups`` counts only if that is empty.
Without the DNS, no MX host is looked up, and addresses come from the system's resolver, whatever ``smtp_host_lookup`` says:
mail to a domain that has only MX hosts is returned with ``5.3.0 unable to look up host``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.postfix.main_cf import is_yes, split

if TYPE_CHECKING:
    from collections.abc import Callable

DNS, NATIVE = "dns", "native"
LEVEL, SWITCH = "smtp_dns_support_level", "disable_dns_lookups"
_OFF = "disabled"


def dns_off(get: Callable[[str], str]) -> str:
    """Return the setting that turns off the DNS, ``name = value``; ``""`` if the DNS is used."""
    if level := get(LEVEL):
        return f"{LEVEL} = {level}" if level == _OFF else ""
    return f"{SWITCH} = {get(SWITCH)}" if is_yes(get(SWITCH)) else ""


def host_lookups(get: Callable[[str], str]) -> tuple[str, ...]:
    """Return the services that look up a host's addresses, in order (postconf(5), smtp_host_lookup)."""
    return (NATIVE,) if dns_off(get) else tuple(split(get("smtp_host_lookup"))) or (DNS,)
