"""Serves metrics over HTTP (``RELAY_METRICS``): ``/metrics``, and ``/`` with a link to it. Nothing else, and only GET.

A child of the keeper (``dms-relay keep metrics``), which ends when the keeper is gone. Clients cost little: at most
``CONNECTIONS_MAX`` connections at a time, ``SECONDS_MAX`` each, one request each; all requests within ``KEPT`` seconds
get the same text. Returns the reason if it cannot listen. Known limits: no TLS and no passwords: whoever reaches the
port can read the names of relays, users and sender domains.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

from dms_relay.metrics.page import page
from dms_relay.metrics.queue import Queue
from dms_relay.metrics.sheet import CONTENT_TYPE
from dms_relay.metrics.standing import postfix_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dms_relay.log import Log
    from dms_relay.metrics.endpoint import Endpoint
    from dms_relay.model import Paths

#: Maximum connections at a time: two Prometheus servers and some people. One more is closed at once.
CONNECTIONS_MAX = 8
#: Seconds that a connection may take: Prometheus's default timeout (scrape_timeout).
SECONDS_MAX = 10.0
#: Seconds for which a text is cached.
KEPT = 1.0
#: Seconds between two checks that the keeper is still there.
_LOOK = 1.0
_INDEX = b'<!DOCTYPE html><title>dms_relay</title><a href="/metrics">metrics</a>\n'
_HTML = "text/html; charset=utf-8"
_METRICS = "/metrics"
#: Errors of a kernel without IPv6, or with IPv6 turned off (socket(2), bind(2)).
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


class Page:
    """The text, built once for all simultaneous requests."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], log: Log) -> None:
        """Read what does not change: Postfix's version."""
        self._paths, self._environ, self._log = paths, environ, log
        self._queue = Queue(paths)
        self._version = postfix_version(paths)
        self._lock = threading.Lock()
        self._text, self._until = b"", 0.0
        self._said = ""

    def text(self) -> bytes:
        """Return the text. Logs an error once, and raises it."""
        self._queue.ask()
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._text = page(self._paths, self._environ, self._queue, self._version)
                except Exception as error:
                    self._say(f"{type(error).__name__}: {error}")
                    raise
                self._until = time.monotonic() + KEPT
            return self._text

    def _say(self, what: str) -> None:
        if what != self._said:
            self._said = what
            self._log.error(f"metrics cannot be collected: {what} -- run dms-relay metrics to see the error")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    server_version, sys_version = "dms_relay", ""
    timeout = SECONDS_MAX

    def do_GET(self) -> None:
        """Answer the request."""
        path = self.path.partition("?")[0]
        if path == _METRICS:
            try:
                text = self.server.page.text()
            except Exception:  # noqa: BLE001 -- it is logged; the next request may succeed
                self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
                return
            self._send(text, CONTENT_TYPE)
        elif path == "/":
            self._send(_INDEX, _HTML)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, text: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def parse_request(self) -> bool:
        """Refuse everything but GET (RFC 9110, section 15.5.6)."""
        if not super().parse_request():
            return False
        if self.command == "GET":
            return True
        self.close_connection = True
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def log_message(self, *_: object) -> None:
        """Do not log requests."""


class Server(HTTPServer):
    """Listens at one address. Each connection has a thread, and a time limit."""

    def __init__(self, found: tuple[Any, ...], page: Page, places: threading.Semaphore) -> None:
        """Listen. Raises ``OSError``."""
        self.page, self._places = page, places
        self.address_family = found[0]
        super().__init__(found[4], Handler)

    def server_bind(self) -> None:
        """Bind without a lookup of names; a socket for all IPv6 addresses serves all IPv4 addresses too."""
        if self.address_family == socket.AF_INET6:
            is_all = self.server_address[0] == "::"
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_all)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "", self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as there
        """Answer in a thread, unless there are too many."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            threading.Thread(target=self._answer, args=(request, client_address), daemon=True).start()
        except RuntimeError:
            self._done(request)  # the system refuses a thread (pids.max, memory); it may allow the next one

    def _answer(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as there
        limit = threading.Timer(SECONDS_MAX, self._cut, (request,))
        limit.daemon = True
        try:
            limit.start()
            self.finish_request(request, client_address)
        except (OSError, RuntimeError):
            pass  # the client is gone, or no timer thread could be started
        finally:
            limit.cancel()
            self._done(request)

    def _done(self, request: Any) -> None:  # noqa: ANN401 -- as there
        self.shutdown_request(request)
        self._places.release()

    @staticmethod
    def _cut(request: socket.socket) -> None:
        try:
            request.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def handle_error(self, *_: object) -> None:
        """Log nothing: the client caused it."""


def serve(
    endpoint: Endpoint,
    paths: Paths,
    environ: Mapping[str, str],
    log: Log,
    *,
    is_wanted: Callable[[], bool] | None = None,
) -> str:
    """Serve until the keeper is gone, or ``is_wanted`` returns False. Return why it cannot serve, or ``""``."""
    keeper = os.getppid()
    wanted = is_wanted or (lambda: os.getppid() == keeper)
    try:
        servers = _servers(endpoint, Page(paths, environ, log))
    except OSError as error:
        shown = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        return f"{shown}:{endpoint.port}: {error.strerror or error}"
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    while wanted() and all(thread.is_alive() for thread in threads):
        time.sleep(_LOOK)
    for server in servers:
        server.shutdown()
        server.server_close()
    return ""


def _servers(endpoint: Endpoint, page: Page) -> list[Server]:
    """Listen at each address of the host: without a host, at all addresses of IPv6 and IPv4, or only IPv4 if IPv6 is off."""
    places = threading.Semaphore(CONNECTIONS_MAX)
    if not endpoint.host:
        try:
            return [Server((socket.AF_INET6, None, None, None, ("::", endpoint.port)), page, places)]
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
            return [Server((socket.AF_INET, None, None, None, ("0.0.0.0", endpoint.port)), page, places)]  # noqa: S104 -- asked for
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return [Server(address, page, places) for address in dict.fromkeys(found)]
