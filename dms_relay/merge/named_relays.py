"""All relays by name: those of ``relay.yaml``, and one for each distinct nexthop in other inputs. Pure."""

from __future__ import annotations

import re
from zlib import crc32

from dms_relay.model import AUTHORITY_LEVELS, DIRECT, IMPLICIT_TLS_PORTS, Origin, Problem
from dms_relay.model.relays import CLEARTEXT_LEVELS, DEFAULT_ENV_LEVEL, Relay, Tls
from dms_relay.postfix.nexthop import host_of, is_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.model import NexthopList, Setting

#: Characters of a name made from a nexthop; a checksum may follow.
_NAME_MAX = 48
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class NamedRelays:
    """The relays so far; each new nexthop adds one. ``problems`` are those of the nexthops."""

    def __init__(self, relays: Iterable[Relay], level: Setting | None) -> None:
        """Start with the relays of ``relay.yaml``; ``level`` is ``RELAY_TLS_LEVEL``, for all others."""
        self.by_name = {relay.name: relay for relay in relays}
        self.problems: list[Problem] = []
        self._level = level
        self._names: dict[tuple[str, ...], str] = {}
        for relay in self.by_name.values():
            self._names.setdefault(_members(relay.nexthops), relay.name)

    def at(self, nexthops: NexthopList, origin: Origin) -> str:
        """Return the name of the relay with these nexthops; add it if it is new."""
        members = _members(nexthops)
        if members not in self._names:
            name = _name(nexthops.text, self.by_name)
            self._names[members] = name
            self.by_name[name] = Relay(name, nexthops, self._tls(nexthops, origin), origin)
        return self._names[members]

    def level_origin(self, origin: Origin) -> Origin:
        """Return where the TLS level is set: ``origin`` if it is not set."""
        return self._level.origin if self._level else origin

    def _tls(self, nexthops: NexthopList, origin: Origin) -> Tls:
        level = self._level.value if self._level else DEFAULT_ENV_LEVEL
        ports = [member.rpartition(":")[2] for member in nexthops.members]
        implicit = [port for port in ports if port in IMPLICIT_TLS_PORTS]
        if implicit and len(implicit) < len(ports):
            text = f"{nexthops.text}: port {implicit[0]} and another port, but implicit TLS applies to a whole relay"
            self._error(origin, text, "name only hosts with the same kind of TLS, or write relay.yaml")
        if implicit and level in CLEARTEXT_LEVELS:
            text = f"{nexthops.text}: implicit TLS (port {implicit[0]}) is not possible at level {level}"
            self._error(self.level_origin(origin), text, "set RELAY_TLS_LEVEL=encrypt, or write relay.yaml")
        if level in {*AUTHORITY_LEVELS, "dane-only"} and any(map(is_address, map(host_of, nexthops.members))):
            text = f"{nexthops.text}: level {level} needs a host name: no certificate matches an address"
            self._error(origin, text, "name the host, or write relay.yaml with tls: {match: …}")
        return Tls(level=level, implicit=bool(implicit))

    def _error(self, origin: Origin, text: str, remedy: str) -> None:
        self.problems.append(Problem(origin, text, remedy))


def _members(nexthops: NexthopList) -> tuple[str, ...]:
    return tuple(member.casefold() for member in nexthops.members)


def _name(text: str, taken: Iterable[str]) -> str:
    """Make a name from a nexthop: ``[smtp.example.com]:587`` becomes ``smtp-example-com-587``."""
    name = _NOT_IN_NAMES.sub("-", text.lower()).strip("-")[:_NAME_MAX].strip("-")
    if not name or name in taken or name == DIRECT:
        name = f"{name}-{crc32(text.casefold().encode()):08x}".lstrip("-")
    while name in taken:
        name += "-"
    return name
