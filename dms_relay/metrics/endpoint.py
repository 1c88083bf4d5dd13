"""Where to serve metrics: the values of ``RELAY_METRICS``. Pure."""

from __future__ import annotations

from dms_relay.model.values import frozen
from dms_relay.postfix.nexthop import PORT_MAX, SyntaxProblem, check_host, is_ipv6

#: The variable; its values for no metrics; and the port of postfix_exporter, for examples.
VARIABLE, OFF, PORT = "RELAY_METRICS", frozenset({"", "no"}), 9154
#: Maximum digits of a port: longer numbers are not ports, whatever their value.
_DIGITS_MAX = len(str(PORT_MAX))
#: What to write instead.
REMEDY = f"write :{PORT} for all addresses, or one of them: 127.0.0.1:{PORT}, [::1]:{PORT}; no for no metrics"


@frozen
class Endpoint:
    """An address to listen on. ``host`` is ``""`` for all addresses."""

    host: str
    port: int


def endpoint(value: str) -> Endpoint | None:
    """Return the endpoint of a value; ``None`` for no metrics. Raises ``ValueError``, whose text says what is wrong."""
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
        raise ValueError("the text in brackets is not an IPv6 address")
    try:
        if host:
            check_host(host)
    except SyntaxProblem:
        raise ValueError("the host is neither a name nor an address") from None
    return host
