"""The networks of ``RELAY_PERMIT``, which may send beside those of ``PERMIT_DOCKER``. Pure.

The value is a list, with blanks or commas between: ``10.0.0.0/8, fd00::/8, 192.0.2.7``. An address alone is a network of
one. What Postfix's own ``mynetworks`` takes beside that (names, files, ``!``, brackets, netmasks) is refused, each time with
the word to write instead where there is one.

Known limits: several networks that are each allowed may together be too many; a network of the Internet's that somebody
else has is not told from one's own.
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
#: Bits that a network must fix at least. A shorter prefix takes in a part of the Internet: none that is private is larger
#: than 10.0.0.0/8 (RFC 1918) and fc00::/7 (RFC 4193).
SHORTEST_PREFIX = {4: 8, 6: 7}
_BETWEEN = re.compile(r"[,\s]+")
_PREFIX = re.compile(r"[0-9]{1,3}", re.ASCII)
_EXAMPLE = "write networks, such as 10.0.0.0/8, fd00::/8"
#: The networks whose addresses Postfix sees as those of IPv4 (RFC 4291, section 2.5.5.2).
_MAPPED = IPv6Network("::ffff:0:0/96")
_BITS = {4: 32, 6: 128}


def permitted(value: str, problems: list[Problem]) -> list[Network]:
    """Return the networks that a value names; each word that is wrong becomes a problem."""
    found = [(word, _network(word, problems)) for word in _BETWEEN.split(value) if word]
    return [network for _, network in found if network]


def _network(word: str, problems: list[Problem]) -> Network | None:
    text, remedy = _wrong(word)
    if text:
        problems.append(Problem(Origin(f"env {NAME}"), f'"{_printable(word)}" {text}', remedy))
        return None
    return ip_network(word)


def _wrong(word: str) -> tuple[str, str]:
    """Return what is wrong with a word and what to write instead; both empty where it is right."""
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
        text = "takes in a part of the Internet, whose senders could then send through your relay (an open relay)"
        return text, f"write only the networks of your own clients, each with /{shortest} or more"
    return "", ""


def _instead(word: str) -> str:
    """Return what to write for a word, where it is plain what was meant."""
    try:
        network = ip_interface(word).network
    except ValueError:
        return _EXAMPLE
    return _too_much(network)[1] or f"write {network}"


def _printable(value: str) -> str:
    return value.encode("unicode_escape").decode("ascii")
