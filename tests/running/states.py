"""States that a relay, or the DNS, can be in when Postfix wants to hand it a message, each with a relay that is so."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from testbed import Mode
from testbed.modes import LOST, Auth, Tls
from testbed.testbed import loopback_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed import Testbed

#: What Postfix calls itself on the testbed, and the address where it listens (testbed/layout.py).
OWN_NAME, OWN_ADDRESS = "mail.testbed.test", "127.0.0.1"
SMTP = 25


@dataclass(frozen=True)
class State:
    """A state, in the words of docs/delivery.md, and what makes it.

    ``mode`` is that of a relay which listens; without one nobody does. ``records`` are what the DNS has for its name,
    ``None`` the address of the relay. ``port`` is a port that it has to be; ``is_silent`` says that it takes connections and
    says nothing, or drops them at once (``is_lost``).
    """

    text: str
    mode: Mode | None = None
    records: Mapping[str, list[str]] | None = None
    port: int = 0
    name: str = ""
    is_silent: bool = False
    is_lost: bool = False


def _replying(verb: str, reply: str) -> Mode:
    refusals = {verb: reply} | ({"HELO": reply} if verb == "EHLO" else {})
    return Mode(refusals=refusals)


_NO_LOGIN = {"MAIL": "530 5.7.0 log in"}
STATES = (
    State("its name does not exist", records={}),
    State("its name has no address", records={"TXT": ['"x"']}),
    State("the DNS answers SERVFAIL", records={"BROKEN": []}),
    State("the DNS does not answer", records={"SILENT": []}),
    State("its address is this server's own (port 25)", records={"A": [OWN_ADDRESS]}, port=SMTP),
    State("it calls itself by this server's name (port 25)", Mode(), port=SMTP, name=OWN_NAME),
    State("it refuses the connection"),
    State("it does not answer", is_silent=True),
    State("the connection is lost before the greeting", is_lost=True),
    State("it greets with 421", Mode(greeting="421 4.3.2 busy")),
    State("it greets with 554", Mode(greeting="554 5.7.1 go away")),
    State("EHLO: 421", _replying("EHLO", "421 4.3.2 busy")),
    State("EHLO: 550", _replying("EHLO", "550 5.7.1 your name is bad")),
    State("EHLO: the connection is lost", _replying("EHLO", LOST)),
    State("STARTTLS: not offered", Mode(Tls.NONE, Auth.OFFERED)),
    State("STARTTLS: 454", _replying("STARTTLS", "454 4.7.0 not now")),
    State("STARTTLS: 550", _replying("STARTTLS", "550 5.7.0 never")),
    State("STARTTLS: 421", _replying("STARTTLS", "421 4.3.2 busy")),
    State("STARTTLS: the connection is lost", _replying("STARTTLS", LOST)),
    State("AUTH: no mechanism in common", Mode(mechanisms=("GSSAPI",))),
    State("AUTH: 454", _replying("AUTH", "454 4.7.0 not now")),
    State("AUTH: 535", _replying("AUTH", "535 5.7.8 wrong login")),
    State("AUTH: 421", _replying("AUTH", "421 4.3.2 busy")),
    State("AUTH: the connection is lost", _replying("AUTH", LOST)),
    State("MAIL FROM: 421", _replying("MAIL", "421 4.3.2 busy")),
    State("MAIL FROM: 451", _replying("MAIL", "451 4.3.0 later")),
    State("MAIL FROM: 550", _replying("MAIL", "550 5.7.1 not this sender")),
    State("MAIL FROM: the connection is lost", _replying("MAIL", LOST)),
    State("RCPT TO: 421", _replying("RCPT", "421 4.3.2 busy")),
    State("RCPT TO: 451", _replying("RCPT", "451 4.3.0 later")),
    State("RCPT TO: 550", _replying("RCPT", "550 5.1.1 no such recipient")),
    State("RCPT TO: the connection is lost", _replying("RCPT", LOST)),
    State("DATA: 421", _replying("DATA", "421 4.3.2 busy")),
    State("DATA: 554", _replying("DATA", "554 5.6.0 not this message")),
    State("DATA: the connection is lost", _replying("DATA", LOST)),
    State(
        "it announces no AUTH, and wants a login (530 at MAIL FROM)",
        Mode(auth=Auth.NONE, refusals={"MAIL": "530 5.7.0 log in"}),
    ),
    State("all is well", Mode()),
)


@dataclass
class Odd:
    """The relays of all states, where they listen, and what the DNS has for their names."""

    testbed: Testbed
    nexthops: dict[str, str] = field(default_factory=dict)
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    servers: list[BadServer] = field(default_factory=list)

    def start(self) -> None:
        """Start every relay that is to listen."""
        for number, state in enumerate(STATES):
            name = f"relay{number}.test"
            host, port = self._start(state, state.name or name)
            self.nexthops[state.text] = f"[{name}]:{port}"
            for kind, values in ({"A": [host]} if state.records is None else state.records).items():
                self.records[name, kind] = values

    def _start(self, state: State, name: str) -> tuple[str, int]:
        if state.mode:
            relay = self.testbed.relay(name, state.mode, state.port)
            return relay.host, relay.port
        if state.is_silent or state.is_lost:
            server = BadServer(is_lost=state.is_lost).start()
            self.servers.append(server)
            return server.address
        return loopback_address(), state.port or 587

    def stop(self) -> None:
        """Stop those that are not the testbed's."""
        for server in self.servers:
            server.stop()


class BadServer:
    """Takes connections and says nothing, or drops them at once."""

    def __init__(self, *, is_lost: bool) -> None:
        """Take a port."""
        self._is_lost = is_lost
        self._socket = socket.create_server((loopback_address(), 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._open: list[socket.socket] = []

    def start(self) -> Self:
        """Take connections, in a thread."""
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                if self._is_lost:
                    connection.close()
                else:
                    self._open.append(connection)

    def stop(self) -> None:
        """Close all."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for open_one in (self._socket, *self._open):
            open_one.close()
