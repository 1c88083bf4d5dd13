"""The endpoint: what it serves, to whom, and how much of it at a time."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dms_relay.log import log_of
from dms_relay.metrics import server
from dms_relay.metrics.endpoint import Endpoint, endpoint
from dms_relay.model import Paths
from testbed.postfix import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds in which all must be answered.
PATIENCE = 20.0


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", None),
        ("no", None),
        (":9154", Endpoint("", 9154)),
        ("127.0.0.1:1", Endpoint("127.0.0.1", 1)),
        ("[::1]:65535", Endpoint("::1", 65535)),
        ("localhost:9154", Endpoint("localhost", 9154)),
    ],
)
def test_values(value: str, found: Endpoint | None) -> None:
    """A port for all addresses, or a host and a port; nothing, or no, is none."""
    assert endpoint(value) == found


@pytest.mark.parametrize(
    "value",
    [
        "9154",
        "yes",
        ":",
        ":0",
        ":65536",
        ":999999999999",
        ":00000199999",
        ":smtp",
        ":x",
        ":٣",
        "::1:9154",
        "[::1:9154",
        "[x]:1",
        "a b:1",
        "http://x:1",
        " :9154",
    ],
)
def test_wrong_values(value: str) -> None:
    """Anything else is wrong, and what is wrong is said without the value."""
    with pytest.raises(ValueError, match=r"^(the|what) "):
        endpoint(value)


@contextmanager
def serving(tmp_path: Path, host: str = "127.0.0.1") -> Iterator[int]:
    """Serve, for a while, and yield the port."""
    paths = Paths(tmp_path / "config", tmp_path / "postfix", tmp_path / "state")
    for path in (paths.config_dir, paths.postfix_dir, paths.state_dir):
        path.mkdir(exist_ok=True)
    port, end = free_port(), threading.Event()
    log = log_of(os.environ)
    failed: list[str] = []
    thread = threading.Thread(
        target=lambda: failed.append(
            server.serve(Endpoint(host, port), paths, {}, log, is_wanted=lambda: not end.is_set())
        )
    )
    thread.start()
    try:
        wait_for(port, "::1" if host == "::1" else "127.0.0.1")
        yield port
    finally:
        end.set()
        thread.join(PATIENCE)
    assert failed == [""]


def wait_for(port: int, host: str) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def ask(port: int, path: str = "/metrics", method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str, bytes]:
    """Ask, and return the code, the type and the body."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
    finally:
        connection.close()


def test_what_is_served(tmp_path: Path) -> None:
    """/metrics has the text, / names it; there is nothing else, and no method but GET."""
    with serving(tmp_path) as port:
        code, kind, text = ask(port)
        assert (code, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert b"\ndms_relay_keeper_running 0.0\n" in text
        assert ask(port, "/metrics?x=y")[0] == 200
        assert b"/metrics" in ask(port, "/")[2]
        assert [ask(port, path)[0] for path in ("/metrics/", "/x", "/../etc/passwd")] == [404] * 3
        assert [ask(port, method=method)[0] for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS")] == [405] * 5


@pytest.mark.parametrize(
    ("host", "reached"), [("", ("127.0.0.1", "::1")), ("127.0.0.1", ("127.0.0.1",)), ("::1", ("::1",))]
)
def test_where_it_listens(tmp_path: Path, host: str, reached: tuple[str, ...]) -> None:
    """Without a host it listens at all addresses of IPv4 and IPv6; with one, there alone."""
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):  # noqa: PTH110
        pytest.skip("there is no IPv6")
    with serving(tmp_path, host) as port:
        for address in ("127.0.0.1", "::1"):
            if address in reached:
                assert ask(port, "/", host=address)[0] == 200
            else:
                with pytest.raises(ConnectionRefusedError):
                    ask(port, "/", host=address)


def test_too_many_and_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection too many is closed at once; those that say nothing, or go on slowly, are ended in time for others."""
    monkeypatch.setattr(server, "SECONDS_MAX", 1.0)
    with serving(tmp_path) as port:
        held = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(server.CONNECTIONS_MAX)]
        for number, connection in enumerate(held):
            connection.sendall(b"GET /metrics HTTP/1.1\r\nX: " if number % 2 else b"G")
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as extra:
            assert extra.recv(1) == b""
        for connection in held:
            while connection.recv(4096):
                pass
            connection.close()
        assert ask(port, "/")[0] == 200


def test_no_more_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system starts no thread (pids.max) a connection is closed, and once it does again all are answered."""
    with serving(tmp_path) as port:
        for kind in (threading.Thread, threading.Timer):
            start = kind.start
            with monkeypatch.context() as changed:
                changed.setattr(kind, "start", refused)
                for _ in range(server.CONNECTIONS_MAX):
                    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                        assert connection.recv(1) == b""
            assert kind.start is start
            assert ask(port, "/")[0] == 200


def refused(_thread: threading.Thread) -> None:
    """Fail as a thread does that the system does not start."""
    raise RuntimeError("can't start new thread")


def test_a_port_in_use(tmp_path: Path) -> None:
    """Why it cannot listen is returned, with the place."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = server.serve(Endpoint("127.0.0.1", port), Paths(tmp_path, tmp_path, tmp_path), {}, log_of(os.environ))
    assert found == f"127.0.0.1:{port}: Address already in use"
