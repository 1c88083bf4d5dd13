"""The settings for all targets: time limit, EHLO name, name lookups, the message to send. Reads the network interfaces."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from dms_relay.postfix.name_lookups import dns_off, host_lookups
from dms_relay.postfix.own_places import own_addresses, own_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dms_relay.relay_test.access import Access
    from dms_relay.relay_test.targets import Target

#: Seconds for a step with no time left: no real wait, but not 0, which would mean non-blocking to a socket.
_MOMENT = 0.01


@dataclass(frozen=True, slots=True)
class TestSettings:
    """``timeout`` is in seconds, for a try as a whole; ``deadline`` is when it ends, on the monotonic clock.

    ``lookups`` are ``dns`` and ``native``, in order; ``families`` 4 and 6.

    ``with_mx`` permits the lookup of MX hosts; ``with_domain`` and ``with_search`` are the resolver's options RES_DEFNAMES
    and RES_DNSRCH, which look for a name in other domains too. Without ``send_to`` no message is sent; without ``send_from``
    each target has its own sender. ``own_name``, ``own_addresses`` and ``own_ports`` are those of this server, where
    mail must not go. ``access`` returns the access token for a target whose login takes one; without it, the login's own
    token is used.
    """

    timeout: float
    helo: str
    lookups: tuple[str, ...] = ("dns",)
    families: tuple[int, ...] = (6, 4)
    with_mx: bool = True
    send_to: str | None = None
    send_from: str | None = None
    with_domain: bool = False
    with_search: bool = False
    own_name: str = ""
    own_addresses: frozenset[str] = frozenset()
    own_ports: frozenset[str] = frozenset()
    deadline: float = inf
    access: Callable[[Target], Access] | None = None

    @property
    def left(self) -> float:
        """The seconds left for a step, or a moment if there are none: the step then reports that it was late."""
        return max(min(self.timeout, self.deadline - time.monotonic()), _MOMENT)

    def begun(self) -> TestSettings:
        """Return the settings of a try that begins now."""
        return replace(self, deadline=time.monotonic() + self.timeout)


def settings(
    parameters: Mapping[str, str],
    timeout: float,
    send_to: str | None = None,
    send_from: str | None = None,
    master_cf: str = "",
) -> TestSettings:
    """Return the settings from main.cf's parameters, as for Postfix's SMTP client, and from master.cf's text."""
    words = parameters.get("inet_protocols", "all").replace(",", " ").split()
    families = tuple(number for number in (6, 4) if "all" in words or f"ipv{number}" in words)
    helo = parameters.get("smtp_helo_name") or parameters.get("myhostname") or "localhost"

    def get(name: str) -> str:
        return parameters.get(name, "")

    names = host_lookups(get)
    options = parameters.get("smtp_dns_resolver_options", "").lower().replace(",", " ").split()
    searches = ("res_defnames" in options, "res_dnsrch" in options)
    own = own_addresses(parameters.get("inet_interfaces", ""), parameters.get("proxy_interfaces", ""))
    name, ports, with_mx = parameters.get("myhostname", ""), own_ports(master_cf), not dns_off(get)
    return TestSettings(
        timeout, helo, names, families or (6, 4), with_mx, send_to, send_from, *searches, name, own, ports
    )
