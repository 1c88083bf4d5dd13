"""Why smtp(8) cannot reach an address, whatever server is there: ``inet_protocols`` and ``smtp_bind_address``. Pure.

smtp_connect.c: an address of a disabled protocol is not tried; from a loopback address the system connects only to this
machine. A bind address that this machine does not have is no obstacle: Postfix 3.7 warns, and goes on.

Known limits: names are not looked up.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dms_relay.explain.values import Values

#: The protocol of each IP version, and the parameter for the address to connect from.
_PROTOCOLS = {4: ("ipv4", "bind_address"), 6: ("ipv6", "bind_address6")}


def unreachable(values: Values, program: str, host: str) -> str:
    """Return why this program connects to no server at an address; ``""`` for a name, and if it can connect."""
    if (address := address_of(host)) is None:
        return ""
    protocol, bind = _PROTOCOLS[address.version]
    on = [word.lower() for word in values.words("inet_protocols")]
    if on and "all" not in on and protocol not in on:
        return f"inet_protocols = {', '.join(on)} excludes the address {host}"
    return "" if address.is_loopback else bound(values, program, bind)


def bound(values: Values, program: str, parameter: str = "bind_address") -> str:
    """Return a phrase that this program reaches only this machine; ``""`` if it can reach others."""
    name = f"{program}_{parameter}"
    value = values.get(name)
    own = address_of(value)
    return f"{name} = {value} reaches only this machine" if own and own.is_loopback else ""


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """Return a host as an address; ``None`` if it is a name."""
    try:
        return ip_address(host.lower().removeprefix("ipv6:").strip("[]"))
    except ValueError:
        return None
