"""The HTTP of the token endpoint: how it reads and writes, and how it fails on demand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from testbed.token_server import TokenServer

_PATIENCE = 20
"""Seconds that a client may take to send its request."""
_HUGE = 8 * 1024 * 1024
"""Octets of an answer that is too long."""
_DRIP = 0.05
"""Seconds between two octets of a slow answer."""
_LOGIN_PAGE = b"<!DOCTYPE html><html><body><form>Sign in to the hotel's network</form></body></html>"


class Fault(Enum):
    """What the endpoint does instead of its job."""

    NONE = auto()
    ERROR = auto()
    """500, with a page."""
    TOO_MANY = auto()
    """429, with Retry-After."""
    SILENT = auto()
    """Reads the request, and says nothing until it is stopped."""
    DRIPPING = auto()
    """Answers one octet at a time, without an end."""
    HUGE = auto()
    REDIRECT = auto()
    """307 to `redirect_to`."""
    LOGIN_PAGE = auto()
    """200, with a page of HTML."""
    NOT_JSON = auto()
    CUT = auto()
    """Closes the connection in the middle of the answer."""


@dataclass
class Request:
    """One request."""

    path: str
    form: dict[str, str] = field(repr=False)
    authorization: str = field(repr=False)


class Server(ThreadingHTTPServer):
    """Its threads end with the process, and a vanished client is no error."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """Log nothing."""


def handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    """Return the handler class of a server's requests."""

    class Bound(_Handler):
        tokens = server

    return Bound


class _Handler(BaseHTTPRequestHandler):
    """Passes requests to the server, and sends its answers."""

    tokens: TokenServer
    timeout = _PATIENCE

    def do_POST(self) -> None:
        """Serve a request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        pairs = parse_qsl(body, keep_blank_values=True)
        assert len(pairs) == len(dict(pairs)), "RFC 6749, 3.2: no parameter twice"
        path = self.tokens.paths.get(urlsplit(self.path).path, "")
        request = Request(path, dict(pairs), self.headers.get("Authorization", ""))
        if self.tokens.fault is not Fault.NONE:
            self.tokens.requests.append(request)
            self._fail(self.tokens.fault)
            return
        if not path:
            self._say(404, b"Not Found", "text/plain")
            return
        status, answer = self.tokens.answer(request)
        self.tokens.stopped.wait(self.tokens.delay)
        self._say(status, json.dumps(answer).encode(), "application/json")

    def _say(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": kind, "Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time by the server's clock."""
        return super().date_time_string(int(self.tokens.now() if timestamp is None else timestamp))

    def _fail(self, fault: Fault) -> None:
        if fault is Fault.SILENT:
            self.tokens.stopped.wait()
        elif fault is Fault.DRIPPING:
            self._drip()
        else:
            self._say(*self._faulty(fault))

    def _faulty(self, fault: Fault) -> tuple[int, bytes, str, dict[str, str]]:
        """Return status, body, type and headers of a wrong answer."""
        json_type = "application/json"
        return {
            Fault.ERROR: (500, b"<html>Internal Server Error</html>", "text/html", {}),
            Fault.TOO_MANY: (429, b"", "text/plain", {"Retry-After": self.tokens.retry_after}),
            Fault.HUGE: (200, b'{"access_token": "' + b"a" * _HUGE + b'"}', json_type, {}),
            Fault.REDIRECT: (307, b"", "text/plain", {"Location": self.tokens.redirect_to}),
            Fault.LOGIN_PAGE: (200, _LOGIN_PAGE, "text/html", {}),
            Fault.NOT_JSON: (200, b"{access_token: abc", json_type, {}),
            Fault.CUT: (200, b'{"access_token": "abc', json_type, {"Content-Length": "4000"}),
        }[fault]

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.tokens.stopped.wait(_DRIP):
            self.wfile.write(b"a")

    def log_message(self, *_: object) -> None:
        """Log nothing: requests are in `requests`."""
