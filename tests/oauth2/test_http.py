"""A question over HTTPS has an end, goes to nobody else, and what goes wrong is said in words of ours."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from dms_relay.model.values import replace
from dms_relay.oauth2 import OAuth2Error
from dms_relay.oauth2.http import proxy_of
from testbed.certificates import Authority
from testbed.listener import Client, Listener
from testbed.token_http import Fault
from testbed.token_server import TokenServer
from tests.oauth2.given import SECRET, USER, Given
from tests.oauth2.test_grants import ask

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds for a question to an endpoint that does not answer, and what is far more than that.
_SHORT, _FAR_MORE = 1.0, 30.0


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DRIPPING])
def test_question_has_an_end(server: TokenServer, given: Given, fault: Fault) -> None:
    """A server that says nothing, or an octet at a time for ever, is not waited for longer than was said."""
    server.fault = fault
    begin = time.monotonic()
    with pytest.raises(OAuth2Error, match="has not answered in 1 s") as caught:
        ask(given.with_secret(), timeout=_SHORT)
    assert time.monotonic() - begin < _FAR_MORE
    assert not caught.value.is_final


def test_answer_that_is_too_long_is_not_read(server: TokenServer, given: Given) -> None:
    """No answer fills the memory."""
    server.fault = Fault.HUGE
    with pytest.raises(OAuth2Error, match="longer than 64 KiB"):
        ask(given.with_secret())


def test_endpoint_that_is_down_is_asked_again_later(server: TokenServer, given: Given) -> None:
    """It will come back by itself."""
    oauth2 = given.with_secret()
    server.stop()
    with pytest.raises(OAuth2Error, match=r"127\.0\.0\.1 cannot be reached: Connection refused") as caught:
        ask(oauth2)
    assert not caught.value.is_final
    server.start()
    assert server.accepts(USER, ask(oauth2).access_token)


def test_host_without_an_address(given: Given) -> None:
    """A name that nobody has (RFC 6761)."""
    with pytest.raises(OAuth2Error, match=r"id\.invalid has no address -- check the host name"):
        ask(given.with_secret(token_url="https://id.invalid/token"))


def test_no_redirect_is_followed(server: TokenServer, given: Given) -> None:
    """Neither to another host nor to the same: the new place would get the secret, and 307 keeps the form."""
    with TokenServer(Authority()) as other:
        for target in (f"{other.url}/token", "http://127.0.0.1:1/token", f"{server.url}/other"):
            server.fault, server.redirect_to = Fault.REDIRECT, target
            with pytest.raises(OAuth2Error, match="redirects to") as caught:
                ask(given.with_secret())
            assert caught.value.is_final
        assert not other.requests
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "url", ["http://id.example.test/token", "ftp://id.example.test/", "id.example.test", "https:///x", "https://[x"]
)
def test_nothing_is_sent_in_the_clear(given: Given, url: str) -> None:
    """A secret goes by https or not at all."""
    with pytest.raises(OAuth2Error, match="not an https address"):
        ask(given.with_secret(token_url=url))


@pytest.mark.parametrize("ca_file", ["", "other"])
def test_certificate_must_be_of_the_authority_that_was_named(given: Given, tmp_path: Path, ca_file: str) -> None:
    """An authority of one's own is not the system's, and the system's are none of ours."""
    path = str(Authority().write_certificate(tmp_path / "other.pem")) if ca_file else ""
    with pytest.raises(OAuth2Error, match=r"the TLS handshake with .* fails: .* -- name the authority"):
        ask(given.with_secret(ca_file=path))


def test_certificate_must_be_for_the_host(given: Given, authority: Authority) -> None:
    """The authority alone is not enough."""
    with TokenServer(authority, names=()) as other:
        url = f"https://localhost:{other.port}/token"
        with pytest.raises(OAuth2Error, match=r"the TLS handshake with localhost fails: Hostname mismatch"):
            ask(given.with_secret(token_url=url))
    assert not other.requests


def test_ca_file_that_cannot_be_used(given: Given, tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(OAuth2Error, match=r"missing\.pem cannot be used"):
        ask(given.with_secret(ca_file=str(tmp_path / "missing.pem")))


def _tunnel(client: Client) -> None:
    """Be a proxy (RFC 9110, section 9.3.6) that lets through to anybody."""
    host, _, port = client.hear().split()[1].rpartition(":")
    while client.hear():
        pass
    with socket.create_connection((host, int(port))) as there:
        client.say("HTTP/1.1 200 Connection established\r\n\r\n")
        ways = [(client._connection, there), (there, client._connection)]  # noqa: SLF001 -- bytes, not lines
        threads = [threading.Thread(target=_copy, args=way, daemon=True) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_question_goes_through_the_proxy(server: TokenServer, given: Given) -> None:
    """HTTPS_PROXY is a tunnel: it learns the host, and its own login, and nothing else."""
    with Listener(_tunnel) as proxy:
        environ = {"HTTPS_PROXY": f"http://user:pa%20ss@127.0.0.1:{proxy.port}"}
        assert server.accepts(USER, ask(given.with_secret(), environ).access_token)
        lines = proxy.lines
    assert lines[0].startswith("CONNECT 127.0.0.1:")
    assert "dXNlcjpwYSBzcw==" in " ".join(lines)
    assert SECRET not in " ".join(lines)


def test_proxy_that_refuses(given: Given) -> None:
    """The proxy is named as what stops it, and its password is not shown."""

    def refuse(client: Client) -> None:
        while client.hear():
            pass
        client.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with Listener(refuse) as proxy, pytest.raises(OAuth2Error, match="the proxy refuses the connection") as caught:
        ask(given.with_secret(), {"https_proxy": f"http://user:hidden@127.0.0.1:{proxy.port}"})
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "p:1"}, "http://p:1"),
        ({"ALL_PROXY": "https://p:1"}, "https://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.test"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.test, id.example.test:443"}, "http://p:1"),
    ],
)
def test_variables_of_proxies(environ: dict[str, str], proxy: str) -> None:
    """As other programs read them; HTTP_PROXY is for http, which we do not speak."""
    assert proxy_of("https://id.example.test/token", environ) == proxy


@pytest.mark.parametrize("proxy", ["socks5://p:1", "http://", "://", "http://["])
def test_proxy_that_is_none(proxy: str) -> None:
    """What cannot be used is said, and not passed over: the operator wants nothing to go past the proxy."""
    with pytest.raises(OAuth2Error, match="HTTPS_PROXY is not the address of an HTTP proxy"):
        proxy_of("https://id.example.test/token", {"HTTPS_PROXY": proxy})


@pytest.mark.parametrize(
    ("fault", "text", "is_final"),
    [
        (Fault.ERROR, r"internal error.*status 500", False),
        (Fault.LOGIN_PAGE, "answers with a page", False),
        (Fault.NOT_JSON, "something that is not JSON", False),
        (Fault.CUT, "ended the connection", False),
    ],
)
def test_answers_without_a_token(server: TokenServer, given: Given, fault: Fault, text: str, *, is_final: bool) -> None:
    """Each is told from the others, and none is for ever."""
    server.fault = fault
    with pytest.raises(OAuth2Error, match=text) as caught:
        ask(given.with_secret())
    assert caught.value.is_final == is_final


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120.0), ("999999", 3600.0), ("soon", None), ("-5", None), ("", None)]
)
def test_server_says_when_to_come_back(server: TokenServer, given: Given, header: str, seconds: float | None) -> None:
    """Retry-After counts, up to an hour."""
    server.fault, server.retry_after = Fault.TOO_MANY, header
    with pytest.raises(OAuth2Error, match="is overloaded") as caught:
        ask(given.with_secret())
    assert caught.value.retry_after == seconds


def test_server_says_it_by_a_date(server: TokenServer, given: Given) -> None:
    """A date is by the server's clock, which may be another than ours."""
    server.clock_offset = 7200
    server.fault = Fault.TOO_MANY
    server.retry_after = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(server.now() + 90))
    with pytest.raises(OAuth2Error) as caught:
        ask(given.with_secret())
    assert caught.value.retry_after is not None
    assert 80 <= caught.value.retry_after <= 91


def test_other_path_is_no_endpoint(given: Given, server: TokenServer) -> None:
    """What is refused without a word of OAuth2 is not the endpoint."""
    oauth2 = replace(given.with_secret(), token_url=f"{server.url}/nowhere")
    with pytest.raises(OAuth2Error, match=r"no token endpoint at token_url \(status 404\)") as caught:
        ask(oauth2)
    assert caught.value.is_final
