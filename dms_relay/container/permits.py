"""The networks of ``RELAY_PERMIT``, which may send in addition to those of ``PERMIT_DOCKER``. Pure.

The value is a list, separated by blanks or commas: ``10.0.0.0/8, fd00::/8, 192.0.2.7``. A single address is a network of
one. Refuses what else Postfix's own ``mynetworks`` accepts (names, files, ``!``, brackets, netmasks), with the word to
write instead if there is one.

Known limits: several networks, each allowed, may together cover too much; cannot tell a public network of somebody else
from the operator's own.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Network, ip_address, ip_interface, ip_network

from dms_relay.interfaces import IPV4
from dms_relay.model import Origin, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Network

    Network = IPv4Network | IPv6Network

NAME = "RELAY_PERMIT"
#: Minimum prefix length. A shorter one includes a part of the Internet: no private network is larger than
#: 10.0.0.0/8 (RFC 1918) or fc00::/7 (RFC 4193).
SHORTEST_PREFIX = {4: 8, 6: 7}
_BETWEEN = re.compile(r"[,\s]+")
_PREFIX = re.compile(r"[0-9]{1,3}", re.ASCII)
_EXAMPLE = "write networks, such as 10.0.0.0/8, fd00::/8"
#: The networks whose addresses Postfix treats as IPv4 (RFC 4291, section 2.5.5.2).
_MAPPED = IPv6Network("::ffff:0:0/96")
_BITS = {4: 32, 6: 128}


def permitted(value: str, problems: list[Problem]) -> list[Network]:
    """Return the networks that a value names; each wrong word becomes a problem."""
    found = [(word, _network(word, problems)) for word in _BETWEEN.split(value) if word]
    return [network for _, network in found if network]


def _network(word: str, problems: list[Problem]) -> Network | None:
    text, remedy = _wrong(word)
    if text:
        problems.append(Problem(Origin(f"env {NAME}"), f'"{_printable(word)}" {text}', remedy))
        return None
    return ip_network(word)


def _wrong(word: str) -> tuple[str, str]:
    """Return what is wrong with a word and what to write instead; both empty if it is right."""
    address, slash, prefix = word.partition("/")
    if address[:1] == "[" and address[-1:] == "]":
        return "has brackets", _instead(f"{address[1:-1]}{slash}{prefix}")
    if slash and not _PREFIX.fullmatch(prefix):
        return "is not a network: the number of bits comes after the slash", _instead(word)
    try:
        network = ip_network(word, strict=False)
    except ValueError:
        return "is not a network, nor an address", _EXAMPLE
    if "%" in word:
        return "names an interface", _EXAMPLE
    text, remedy = _too_much(network)
    if not text and (ip := ip_address(address)) != network.network_address:
        return f"is not a network: {ip} is an address in it", f"write {network}, or {ip} for this address alone"
    return text, remedy


def _too_much(network: Network) -> tuple[str, str]:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        inner = network.network_address.ipv4_mapped
        return "is IPv4 in the form of IPv6", f"write {inner}/{network.prefixlen - _BITS[6] + _BITS[IPV4]}"
    shortest = SHORTEST_PREFIX[network.version]
    if network.prefixlen < shortest:
        text = "includes a part of the Internet, which could then send through your relay (an open relay)"
        return text, f"write only the networks of your own clients, each with /{shortest} or more"
    return "", ""


def _instead(word: str) -> str:
    """Return what to write instead of a word, if its meaning is clear."""
    try:
        network = ip_interface(word).network
    except ValueError:
        return _EXAMPLE
    return _too_much(network)[1] or f"write {network}"


def _printable(value: str) -> str:
    return value.encode("unicode_escape").decode("ascii")
