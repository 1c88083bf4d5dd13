"""Relays that are this server itself: its own name, or one of its addresses. Their mail would come back.

Postfix sees that on port 25 alone, and then returns the mail: "mail for … loops back to myself" (smtp_addr.c, smtp_proto.c;
seen with 3.7). On another port on which this Postfix takes mail, the message goes round until it has passed it 50 times.

Looks up the hosts of these relays by the system's resolver, for ``_PATIENCE`` seconds at most; reads master.cf, and the
addresses of the network interfaces. Known limits: MX hosts are not looked up.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING

from dms_relay.checks.rules import Finding
from dms_relay.errors import PostfixError
from dms_relay.interfaces import own_addresses
from dms_relay.model import Origin
from dms_relay.postfix.main_cf import logical_lines
from dms_relay.postfix.nexthop import host_and_port, is_address
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.context import CheckContext

#: Seconds for all names together: a resolver that does not answer must not hold the check up.
_PATIENCE = 2.0
#: The port of smtp(8) where a nexthop names none, and its name (postconf(5), smtp_tcp_port).
_SMTP = frozenset({"", "25", "smtp"})
_REMEDY = "write the host of your relay service"


def check_loops(context: CheckContext) -> Iterator[Finding]:
    """Yield a finding for each relay that is this server."""
    if context.machine is None:
        return
    relays = {use.nexthop: use.origin for use in reversed(context.assignments) if use.nexthop}
    ports = _own_ports(context)
    near = {nexthop: host for nexthop in relays for host, port in [host_and_port(nexthop)] if port in ports}
    if not near:
        return
    own = own_addresses(context.parameter("inet_interfaces"), context.parameter("proxy_interfaces"))
    name = context.parameter("myhostname").casefold()
    found = _look_up(set(near.values()) - {name})
    for nexthop, host in near.items():
        shared = sorted(own & found.get(host.casefold(), set()))
        if host.casefold() == name:
            why = "it is named as this server is (myhostname)"
        elif shared:
            why = f"its address {shared[0]} is this server's own"
        else:
            continue
        text = f"{nexthop} is this server itself, so its mail comes back: {why}"
        yield Finding("relay-is-this-server", relays[nexthop] or Origin("main.cf"), text, _REMEDY)


def _own_ports(context: CheckContext) -> frozenset[str]:
    """Return the ports on which Postfix would meet itself: that of SMTP, and those on which smtpd(8) listens."""
    try:
        text = Postfix(context.paths.postfix_dir).read_master_cf()
    except PostfixError:
        return _SMTP
    services = (line.text.split() for line in logical_lines(text))
    names = (s[0].rpartition(":")[2] for s in services if s[1:2] == ["inet"] and s[7:8] == ["smtpd"])
    return _SMTP | {number for name in names for number in (name, _number(name))}


def _number(service: str) -> str:
    with suppress(OSError):
        return str(socket.getservbyname(service, "tcp"))
    return service


def _look_up(hosts: set[str]) -> dict[str, set[str]]:
    """Return the addresses of hosts, those that are known within the time."""
    found: dict[str, set[str]] = {}

    def look() -> None:
        for host in sorted(hosts):
            with suppress(OSError, UnicodeError, ValueError):
                if is_address(host):
                    found[host.casefold()] = {str(ip_address(host.lower().removeprefix("ipv6:")))}
                else:
                    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                    found[host.casefold()] = {str(answer[4][0]) for answer in answers}

    worker = Thread(target=look, daemon=True)
    worker.start()
    worker.join(_PATIENCE)
    return dict(found)
