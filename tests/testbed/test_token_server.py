"""The token endpoint of the testbed: strict where it should be, wrong where it is told to be."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest

from testbed.certificates import Authority
from testbed.token_http import Fault
from testbed.token_rules import OAuth2Client
from testbed.token_server import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator

_AUTHORITY = Authority()


@pytest.fixture
def server() -> Iterator[TokenServer]:
    """Return a server with two clients."""
    with TokenServer(_AUTHORITY) as server:
        server.clients = {"us": OAuth2Client(secret="s3cret", users=("me@example.test",)), "public": OAuth2Client()}
        yield server


def _ask(server: TokenServer, path: str = "/token", **form: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPSConnection(
        urlsplit(server.url).netloc, context=_AUTHORITY.client_context(), timeout=10
    )
    connection.request("POST", path, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_token_opens_the_mailboxes_of_its_client_until_it_is_over(server: TokenServer) -> None:
    """What an SMTP relay asks is answered by user, by the server's clock, and by revocation."""
    _, answer = _ask(server, grant_type="client_credentials", client_id="us", client_secret="s3cret", scope="smtp")
    token = answer["access_token"]
    assert server.accepts("me@example.test", token)
    assert not server.accepts("you@example.test", token)
    assert not server.accepts("me@example.test", token + "x")
    server.clock_offset = answer["expires_in"] + 1
    assert not server.accepts("me@example.test", token)
    server.clock_offset = 0
    server.revoke_all()
    assert not server.accepts("me@example.test", token)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": "us", "client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "nobody", "client_secret": "s3cret"}, "invalid_client"),
        ({"client_id": "public"}, "unauthorized_client"),
        ({"client_id": "us", "client_secret": "s3cret", "client_assertion": "a.b.c"}, "invalid_request"),
        ({"client_assertion": "a.b", "client_assertion_type": "x"}, "invalid_client"),
    ],
)
def test_who_cannot_show_who_it_is_gets_nothing(server: TokenServer, form: dict[str, str], error: str) -> None:
    """RFC 6749, sections 2.3 and 5.2."""
    status, answer = _ask(server, grant_type="client_credentials", **form)
    assert (status >= 400, answer["error"]) == (True, error)
    assert not server.issued


def test_refresh_token_that_is_replaced_is_over(server: TokenServer) -> None:
    """A server may end a refresh token with its first use."""
    server.rotates = True
    form = {"grant_type": "refresh_token", "client_id": "public"}
    first = server.new_refresh_token("public", "me@example.test")
    _, answer = _ask(server, **form, refresh_token=first)
    assert _ask(server, **form, refresh_token=first)[1]["error"] == "invalid_grant"
    assert "access_token" in _ask(server, **form, refresh_token=answer["refresh_token"])[1]


def test_device_waits_for_a_person_and_not_too_fast(server: TokenServer) -> None:
    """RFC 8628: pending, slow down, agreed."""
    _, device = _ask(server, "/devicecode", client_id="public", scope="smtp")
    form = {"client_id": "public", "device_code": device["device_code"]}
    form["grant_type"] = "urn:ietf:params:oauth:grant-type:device_code"
    assert _ask(server, **form)[1]["error"] == "authorization_pending"
    assert _ask(server, **form)[1]["error"] == "slow_down"
    server.interval = 0
    server.agree("me@example.test")
    assert server.accepts("me@example.test", _ask(server, **form)[1]["access_token"])


def test_it_goes_down_and_comes_back_at_the_same_port(server: TokenServer) -> None:
    """An outage is an outage, and what was handed out before is good after."""
    server.stop()
    with pytest.raises(OSError, match=r"refused|reset"):
        _ask(server)
    server.start()
    assert _ask(server)[0] == 401


def test_it_fails_as_it_is_told(server: TokenServer) -> None:
    """A fault holds until it is taken back."""
    server.fault = Fault.NOT_JSON
    with pytest.raises(json.JSONDecodeError):
        _ask(server)
    server.fault = Fault.NONE
    assert _ask(server)[1]["error"] == "invalid_client"
