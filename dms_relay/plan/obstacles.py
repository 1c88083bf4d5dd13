"""Finds settings of main.cf that keep mail from leaving, without asking Postfix: ``apply`` does it at each run.

``dms-relay check`` follows the routes themselves, and says the same. Looks up the names of relays only if main.cf binds
Postfix to an address of this machine; a name that is not found counts as another machine.
"""

from __future__ import annotations

from dms_relay.model import Origin, Problem
from dms_relay.postfix.nexthop import host_of, is_address, is_ipv6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dms_relay.model import NexthopList
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.plan import Plan

#: The transports that deliver nothing (error(8), discard(8)).
_DELIVER_NOTHING = frozenset({"error", "retry", "discard"})
#: How addresses begin that are local to this machine (RFC 1122, RFC 4291).
_LOOPBACK = ("127.", "::1")
#: Each protocol with the parameter for the address to connect from.
_BIND = {"ipv4": "smtp_bind_address", "ipv6": "smtp_bind_address6"}


def obstacles(config: RelayConfig, changes: Plan) -> Iterator[Problem]:
    """Yield a warning for each parameter that keeps mail of relays, or to ``relay_domains``, from leaving."""
    if not config.enabled:
        return
    own = changes.found.parameters | {change.name: change.new or "" for change in changes.parameters}
    relays = {member: host_of(member).lower().removeprefix("ipv6:") for member in _members(config)}
    protocols = own.get("inet_protocols", "all").lower().replace(",", " ").split()
    for protocol, bind in _BIND.items():
        at = {member: host for member, host in relays.items() if is_address(host) and _protocol(host) == protocol}
        if at and protocols and not {"all", protocol} & set(protocols):
            yield _problem(config, "inet_protocols", own, f"excludes the address of relay {next(iter(at))}")
        if own.get(bind, "").strip("[]").startswith(_LOOPBACK):
            named = {member: host for member, host in relays.items() if not is_address(host)}
            if away := _away(at | named):
                yield _problem(config, bind, own, f"reaches only this machine, not relay {away}")
    if own.get("relay_domains", "") not in {"", "$mydestination"} and _transport(own) in _DELIVER_NOTHING:
        yield _problem(config, "relay_transport", own, "delivers no mail, so mail to relay_domains does not leave")


def _members(config: RelayConfig) -> Iterator[str]:
    """Yield each nexthop of a relay, as written."""
    lists: Iterable[NexthopList]
    if config.transports:
        lists = [service.relay.nexthops for service in config.transports.services]
    else:
        lists = [*([config.default[0]] if config.default else []), *(found for found, _ in config.routes.nexthops())]
    yield from (member for nexthops in lists for member in nexthops.members)


def _protocol(host: str) -> str:
    return "ipv6" if is_ipv6(host) else "ipv4"


def _away(relays: Mapping[str, str]) -> str:
    """Return a nexthop that is on another machine; ``""`` if all are on this one."""
    from dms_relay.postfix.own_places import look_up  # noqa: PLC0415 -- only where Postfix is bound to this machine

    found = look_up(set(relays.values()))
    here = {host for host, addresses in found.items() if any(one.startswith(_LOOPBACK) for one in addresses)}
    return next((member for member, host in relays.items() if host not in here), "")


def _transport(own: Mapping[str, str]) -> str:
    return own.get("relay_transport", "").partition(":")[0]


def _problem(config: RelayConfig, name: str, own: Mapping[str, str], what: str) -> Problem:
    places = "postfix-main.cf and main.cf" if name in config.own_parameters else "main.cf"
    remedy = f"remove {name} from {places}: postconf -X {name}, then postfix reload"
    text = f"{name} = {own.get(name)} {what}"
    return Problem(Origin("main.cf"), text, remedy, is_error=False, rule="mail-does-not-leave")
