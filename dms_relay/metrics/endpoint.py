"""Where metrics are to be served: what ``RELAY_METRICS`` may hold. Pure."""

from __future__ import annotations

from dms_relay.model.values import frozen
from dms_relay.postfix.nexthop import PORT_MAX, SyntaxProblem, check_host, is_ipv6

#: The variable; what it holds where there are to be none; and the port of postfix_exporter, which examples have.
VARIABLE, OFF, PORT = "RELAY_METRICS", frozenset({"", "no"}), 9154
#: Digits of a port: what is longer is none, whatever its first digits say.
_DIGITS_MAX = len(str(PORT_MAX))
#: What to write instead.
REMEDY = f"write :{PORT} for all addresses, or one of them: 127.0.0.1:{PORT}, [::1]:{PORT}; no for no metrics"


@frozen
class Endpoint:
    """An address to listen on. ``host`` is ``""`` for all addresses."""

    host: str
    port: int


def endpoint(value: str) -> Endpoint | None:
    """Return what a value says; ``None`` for no metrics. Raises ``ValueError``, whose text says what is wrong."""
    if value in OFF:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError("the value is neither :PORT nor HOST:PORT")
    if not (port.isascii() and port.isdigit() and len(port) <= _DIGITS_MAX and 1 <= int(port) <= PORT_MAX):
        raise ValueError("the port is not a number from 1 to 65535")
    return Endpoint(_host(host), int(port))


def _host(text: str) -> str:
    host = text[1:-1] if text.startswith("[") else text
    if text.startswith("[") and not is_ipv6(host):
        raise ValueError("what stands in brackets is not an IPv6 address")
    try:
        if host:
            check_host(host)
    except SyntaxProblem:
        raise ValueError("the host is neither a name nor an address") from None
    return host
