"""Relays that are this server itself: its own name, or one of its addresses. Their mail would come back.

Postfix detects that only on port 25, and then returns the mail: "mail for … loops back to myself" (smtp_addr.c,
smtp_proto.c; seen with 3.7). On another port on which this Postfix takes mail, the message loops 50 times.

Looks up the hosts of these relays with the system's resolver, for at most ``own_places.PATIENCE`` seconds; reads
master.cf, and the addresses of the network interfaces. Known limits: does not look up MX hosts, and does not ask a relay
for its name: ``dms-relay test`` does both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.checks.rules import Finding
from dms_relay.errors import PostfixError
from dms_relay.model import Origin
from dms_relay.postfix.nexthop import host_and_port
from dms_relay.postfix.own_places import look_up, own_addresses, own_ports
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.context import CheckContext

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
    found = look_up(set(near.values()) - {name})
    for nexthop, host in near.items():
        shared = sorted(own & found.get(host.casefold(), set()))
        if host.casefold() == name:
            why = "it has the name of this server (myhostname)"
        elif shared:
            why = f"its address {shared[0]} is this server's own"
        else:
            continue
        text = f"{nexthop} is this server itself, so its mail comes back: {why}"
        yield Finding("relay-is-this-server", relays[nexthop] or Origin("main.cf"), text, _REMEDY)


def _own_ports(context: CheckContext) -> frozenset[str]:
    try:
        text = Postfix(context.paths.postfix_dir).read_master_cf()
    except PostfixError:
        text = ""
    return own_ports(text)
