"""Servers on loopback that are not mail relays, or bad ones: they say what a test tells them, or nothing.

A thread per connection runs a function of the test, and records what the client
says, line by line.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

_PATIENCE = 10.0
"""Seconds that a client may take, so that no test waits forever."""


class Client:
    """The other end, as a server sees it."""

    def __init__(self, connection: socket.socket, lines: list[str]) -> None:
        """Set the connection, and the list for its lines."""
        self._connection = connection
        self._file = connection.makefile("rb")
        self._lines = lines

    def say(self, data: str | bytes) -> None:
        """Send a text unchanged."""
        self._connection.sendall(data.encode() if isinstance(data, str) else data)

    def hear(self) -> str:
        """Return the next line, without its end; empty if the client is gone."""
        line = self._file.readline().decode(errors="replace").rstrip("\r\n")
        if line:
            self._lines.append(line)
        return line

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Continue inside TLS, as the server."""
        self._connection = context.wrap_socket(self._connection, server_side=True)
        self._file = self._connection.makefile("rb")

    def close(self) -> None:
        """Close the connection, with TLS or not."""
        self._file.close()
        self._connection.close()


class Listener:
    """A server on `host` that passes each connection to `serve`; a context manager."""

    def __init__(self, serve: Callable[[Client], None], host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._serve = serve
        self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.host = host
        self.port = int(self._socket.getsockname()[1])
        self.lines: list[str] = []
        self.connections = 0

    @property
    def nexthop(self) -> str:
        """The server in Postfix's syntax."""
        return f"[{self.host}]:{self.port}"

    def __enter__(self) -> Self:
        """Accept connections."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; connections end by themselves."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        with connection, contextlib.suppress(OSError):
            client = Client(connection, self.lines)
            try:
                self._serve(client)
            finally:
                client.close()


def silent(client: Client) -> None:
    """Say nothing until the client closes."""
    while client.hear():
        pass


def closing(_: Client) -> None:
    """Close at once."""


def saying(text: str) -> Callable[[Client], None]:
    """Return a server that says `text` to every client, and then listens."""

    def serve(client: Client) -> None:
        client.say(text)
        silent(client)

    return serve
