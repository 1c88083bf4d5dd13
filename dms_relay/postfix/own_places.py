"""Where this Postfix takes mail itself: its own addresses (postconf(5), inet_interfaces, proxy_interfaces) and ports.

Reads the addresses of the network interfaces, and looks up the host names that ``inet_interfaces`` may have, for
``PATIENCE`` seconds at most.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread

from dms_relay.interfaces import addresses
from dms_relay.postfix.main_cf import logical_lines, split
from dms_relay.postfix.nexthop import is_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: The port on which smtp(8) looks for loops (smtp_connect.c), and on which it sends where a nexthop names none.
SMTP_PORT = 25
#: Seconds for all names together: a resolver that does not answer must not hold anything up.
PATIENCE = 2.0
_SMTP = frozenset({"", str(SMTP_PORT), "smtp"})
_LOOPBACK = ("127.0.0.1", "::1")


def own_ports(master_cf: str) -> frozenset[str]:
    """Return the ports on which Postfix would meet itself, by number and name: that of SMTP, those of smtpd(8) services."""
    return _SMTP | served_ports(master_cf)


def served_ports(master_cf: str) -> frozenset[str]:
    """Return the ports of smtpd(8) services, by number and name."""
    services = (line.text.split() for line in logical_lines(master_cf))
    names = (s[0].rpartition(":")[2] for s in services if s[1:2] == ["inet"] and s[7:8] == ["smtpd"])
    return frozenset(number for name in names for number in (name, _number(name)))


def _number(service: str) -> str:
    with suppress(OSError):
        return str(socket.getservbyname(service, "tcp"))
    return service


def own_addresses(inet_interfaces: str, proxy_interfaces: str) -> frozenset[str]:
    """Return the addresses that Postfix takes for its own; the values are expanded."""
    words = (*split(inet_interfaces or "all"), *split(proxy_interfaces))
    own: set[str] = set()
    if not {"all", "loopback-only"}.isdisjoint(words):
        own.update(_LOOPBACK)
    if "all" in words:
        own.update(str(address.value.ip) for address in addresses())
    hosts = {word.strip("[]") for word in words} - {"all", "loopback-only"}
    return frozenset(own.union(*look_up(hosts).values()))


def look_up(hosts: Iterable[str]) -> dict[str, set[str]]:
    """Return the addresses of hosts by the system's resolver, those that are known in time; letter case is folded."""
    found: dict[str, set[str]] = {}

    def look() -> None:
        for host in sorted(hosts):
            with suppress(OSError, UnicodeError, ValueError):
                if is_address(host):
                    found[host.casefold()] = {_canonical(host)}
                else:
                    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                    found[host.casefold()] = {str(answer[4][0]) for answer in answers}

    worker = Thread(target=look, daemon=True)
    worker.start()
    worker.join(PATIENCE)
    return dict(found)


def _canonical(address: str) -> str:
    return str(ip_address(address.lower().removeprefix("ipv6:")))
