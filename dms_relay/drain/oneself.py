"""Refuses to hand mail over to the drained Postfix itself, before anything is done.

Looks up a name with the system's resolver, for at most ``own_places.PATIENCE`` seconds, and accepts one that is unknown by
then. On port 25, smtp(8) uses no address of a host that has one of ours (smtp_addr.c; seen, 3.7); on another port it tries
all of them, and a drained Postfix refuses mail, so a host is refused there only if all its addresses are ours. Known limit:
does not see a forwarder that leads back here, such as a published port; mail that comes back is refused, and stays.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from dms_relay.errors import UsageError
from dms_relay.postfix.main_cf import split
from dms_relay.postfix.nexthop import is_address
from dms_relay.postfix.own_places import SMTP_PORT, look_up, own_addresses, own_ports, served_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from dms_relay.postfix.programs import Postfix

_REMEDY = "name another server that takes mail, or leave --hand-over out"
_SMTP = frozenset({str(SMTP_PORT), "smtp"})


def refuse_oneself(host: str, port: str, postfix: Postfix) -> None:
    """Raise ``UsageError`` if the host and the port are a Postfix's own. Raises ``PostfixError``."""
    master_cf = postfix.read_master_cf()
    if port not in own_ports(master_cf):
        return
    values = postfix.expanded("myhostname", "inet_interfaces", "proxy_interfaces")
    found = look_up([host]).get(host.casefold(), set())
    is_own = _own(values, is_served=port in served_ports(master_cf))
    ours = sorted(filter(is_own, found))
    if ours and (port in _SMTP or len(ours) == len(found)):
        why = f"{'the address' if is_address(host) else f'its address {ours[0]}'} is this server's own"
    elif not found and host.casefold() == values["myhostname"].casefold():
        why = "it has the name of this server (myhostname)"
    else:
        return
    raise UsageError(f"--hand-over: {host} is this server itself, which is drained: {why}", _REMEDY)


def _own(values: dict[str, str], *, is_served: bool) -> Callable[[str], bool]:
    """Return a test for our own addresses. A server on all interfaces takes mail at each loopback address."""
    known = own_addresses(values["inet_interfaces"], values["proxy_interfaces"])
    is_everywhere = is_served and "all" in split(values["inet_interfaces"])

    def is_own(text: str) -> bool:
        address = ip_address(text)
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        # A connection to 0.0.0.0 or :: goes to loopback (ip(7)).
        is_near = address.is_unspecified or (address.is_loopback and is_everywhere)
        return str(address) in known or is_near

    return is_own
