"""Reads a relay given as a separate host and port, such as RELAY_HOST and RELAY_PORT, and checks both. Pure."""

from __future__ import annotations

from dms_relay.model import NexthopList
from dms_relay.model.values import frozen
from dms_relay.postfix.nexthop import SyntaxProblem, check_host, is_host, is_ipv6, is_port, refuse_quotes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


@frozen
class NexthopWords:
    """Remedies, in the terms of the input that gives the host and its port."""

    port_in_host: str
    not_alone: str
    too_many: str


#: For the two environment variables.
_SETTINGS = NexthopWords(
    port_in_host="set RELAY_HOST={host} and RELAY_PORT={port}",
    not_alone="write only the host name; its port goes in RELAY_PORT",
    too_many="name one here; a list of nexthops goes in DEFAULT_RELAY_HOST",
)


def parse_relay_host(host: str, port: str, words: NexthopWords = _SETTINGS) -> NexthopList:
    """Return ``[host]:port`` for a separate host and port. Brackets around the host are removed.

    Raises ``SyntaxProblem``, with a remedy, for a port in the host; the colons of an IPv6 address are no port.
    """
    refuse_quotes(host)
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if any(c in name for c in " \t,"):
        raise SyntaxProblem("more than one host name", words.too_many)
    if ":" in name and not is_ipv6(name):
        _refuse_port_in_host(name, words)
    check_host(name)
    text = f"[{name}]:{port}"
    return NexthopList(text, (text,))


def _refuse_port_in_host(name: str, words: NexthopWords) -> NoReturn:
    bare, _, number = name.rpartition(":")
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    if is_host(bare) and is_port(number):
        raise SyntaxProblem(f'host "{name}" contains a port', words.port_in_host.format(host=bare, port=number))
    raise SyntaxProblem("the host contains a colon, but is not an IPv6 address", words.not_alone)
