"""Connects over TCP, and tells a blocked port from a host that does not answer.

Each kind of failure of ``connect`` has its class. If nothing came back, or a router reported the host as unreachable,
tries other ports of the same address. Any answer there, even a refusal, shows that the host is up and that only this
port is blocked.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dms_relay.relay_test.outcome import Failure, StepError

if TYPE_CHECKING:
    from dms_relay.relay_test.resolve import HostAddress

#: Ports at which a mail service may answer (25 RFC 5321, 465 and 587 RFC 8314, 2525 by custom), and the web's.
OTHER_PORTS = (25, 465, 587, 2525, 443)
#: Maximum seconds to wait for the other ports: they only improve the explanation.
OTHER_TIMEOUT = 3.0
_ANSWERS = frozenset({0, errno.ECONNREFUSED})
_LOCAL_FIREWALL = frozenset({errno.EACCES, errno.EPERM})
_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def connect(address: HostAddress, timeout: float) -> socket.socket:
    """Connect, or raise ``StepError`` of the matching class."""
    try:
        return socket.create_connection((address.ip, address.port), timeout)
    except TimeoutError:
        raise _no_answer(address, timeout, f"no connection in {timeout:g} s", Failure.TIMED_OUT) from None
    except ConnectionRefusedError:
        raise StepError(Failure.REFUSED, "the connection was refused") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        if error.errno in _LOCAL_FIREWALL:
            raise StepError(Failure.BLOCKED, f"this machine itself blocks the connection: {reason}") from None
        if error.errno in _NO_WAY:
            raise _no_answer(address, timeout, f"the host cannot be reached: {reason}", Failure.UNREACHABLE) from None
        raise StepError(Failure.LOST, f"the connection failed: {reason}") from None


def _no_answer(address: HostAddress, timeout: float, what: str, kind: Failure) -> StepError:
    others = other_ports(address, min(timeout, OTHER_TIMEOUT))
    taking = [str(port) for port, code in others if code == 0]
    if taking:
        return StepError(Failure.BLOCKED, f"{what}, but the same address answers on port {', '.join(taking)}")
    if others:
        ports = ", ".join(str(port) for port, _ in others)
        return StepError(Failure.BLOCKED, f"{what}, but the same address is up: it refuses port {ports}")
    return StepError(kind, what)


def other_ports(address: HostAddress, timeout: float) -> list[tuple[int, int]]:
    """Return the other ports that answer: 0 for a connection, ``ECONNREFUSED`` for a refusal."""
    family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        found: list[tuple[int, int]] = []
        for port in OTHER_PORTS:
            attempt = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            attempt.setblocking(False)
            code = attempt.connect_ex((address.ip, port)) if port != address.port else errno.EALREADY
            if code == errno.EINPROGRESS:
                selector.register(attempt, selectors.EVENT_WRITE, port)
            elif code in _ANSWERS:
                found.append((port, code))
        return sorted([*found, *_answers(selector, timeout)])


def _answers(selector: selectors.BaseSelector, timeout: float) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    end = time.monotonic() + timeout
    while selector.get_map() and (left := end - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            selector.unregister(key.fileobj)
            code = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # type: ignore[union-attr]  # a socket
            if code in _ANSWERS:
                found.append((key.data, code))
    return found
