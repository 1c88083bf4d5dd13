"""The addresses of this machine's network interfaces, read from the kernel (rtnetlink(7)). Writes nothing.

Linux only. Known limits: if the kernel answers with an error, no addresses are returned.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_interface

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Interface, IPv6Interface

IPV4, IPV6 = 4, 6

# rtnetlink(7): message types, flags, attributes; struct nlmsghdr (length, type, flags, sequence, port),
# struct ifaddrmsg (family, prefix length, flags, scope, interface), struct rtattr (length, type).
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_NLM_F_REQUEST_DUMP = 0x301
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_MESSAGE, _ADDRESS, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBI"), struct.Struct("=HH")
#: Maximum size of one answer of the kernel, in octets (netlink(7) recommends 8 KiB or more).
_ANSWER_MAX = 1 << 16


@frozen
class InterfaceAddress:
    """One address of a network interface, with its network."""

    interface: str
    value: IPv4Interface | IPv6Interface


def addresses() -> Iterator[InterfaceAddress]:
    """Yield every address that says which hosts are near, in the kernel's order."""
    found = (address for answer in _answers() for address in _addresses(answer))
    yield from (address for address in found if _counts(address.value))


def _counts(value: IPv4Interface | IPv6Interface) -> bool:
    """Return True if an address says which hosts are near: loopback and link-local addresses do not."""
    return not value.ip.is_loopback and not (value.version == IPV6 and value.ip.is_link_local)


def _answers() -> Iterator[bytes]:
    """Ask the kernel for all addresses and yield each message of its answer (rtnetlink(7), RTM_GETADDR)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(_MESSAGE.pack(_MESSAGE.size + 4, _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0) + bytes(4))
        while True:
            for kind, body in _records(kernel.recv(_ANSWER_MAX), _MESSAGE):
                if kind != _RTM_NEWADDR:
                    return  # the end of the list, or an error: then only loopback may send
                yield body


def _addresses(body: bytes) -> Iterator[InterfaceAddress]:
    """Yield the address in one message: the local one, which on a point-to-point link is not IFA_ADDRESS."""
    _family, prefix, _flags, _scope, index = _ADDRESS.unpack_from(body)
    found = dict(_records(body[_ADDRESS.size :], _ATTRIBUTE))
    if (packed := found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)) and (name := _name(index)):
        yield InterfaceAddress(name, ip_interface((packed, prefix)))


def _name(index: int) -> str:
    """Return the name of an interface; ``""`` if it has gone since the kernel answered, as a container's can (seen)."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


def _records(data: bytes, header: struct.Struct) -> Iterator[tuple[int, bytes]]:
    """Split the kernel's data into records: each begins with its length and type, aligned to 4 octets."""
    while data:
        length, kind, *_ = header.unpack_from(data)
        yield kind, data[header.size : length]
        data = data[length + 3 & ~3 :]
