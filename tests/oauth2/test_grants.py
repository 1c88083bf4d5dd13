"""Each grant gets a token that opens the mailbox, from an endpoint that refuses whatever is not as the RFCs have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, REFRESH_TOKEN, SERVICE_ACCOUNT, OAuth2
from dms_relay.model.providers import GOOGLE, MICROSOFT
from dms_relay.model.values import replace
from dms_relay.oauth2 import Answer, OAuth2Error, obtain
from testbed.token_http import Fault
from tests.oauth2.given import SCOPE, SECRET, USER, Given, key_pair

if TYPE_CHECKING:
    from testbed.token_server import TokenServer


def ask(oauth2: OAuth2, environ: dict[str, str] | None = None, timeout: float = 10) -> Answer:
    """Ask for a token."""
    return obtain(oauth2, USER, oauth2.refresh_token, environ=environ or {}, timeout=timeout)


@pytest.mark.parametrize("grant", [CLIENT_CREDENTIALS, REFRESH_TOKEN, SERVICE_ACCOUNT])
def test_grant_gets_a_token(server: TokenServer, given: Given, grant: str) -> None:
    """The token opens the user's mailbox, for the scope that was asked for, and for as long as the server said."""
    answer = ask(given.login(grant))
    assert server.accepts(USER, answer.access_token)
    assert (answer.scope, answer.life) == (SCOPE, 3600.0)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("provider", ["", MICROSOFT])
def test_client_is_known_by_its_certificate(server: TokenServer, given: Given, kind: str, provider: str) -> None:
    """private_key_jwt: signed with the key whose certificate is registered, each time with another jti."""
    oauth2 = given.with_certificate(kind, provider=provider)
    tokens = [ask(oauth2).access_token for _ in range(2)]
    assert all(server.accepts(USER, token) for token in tokens)
    assert "client_secret" not in server.requests[0].form


@pytest.mark.parametrize("offset", [-300, 0, 300])
@pytest.mark.parametrize("way", ["certificate", "service account"])
def test_clock_may_be_five_minutes_off(server: TokenServer, given: Given, offset: int, way: str) -> None:
    """What is signed began before the server's now, and is not over then, though its clock is ahead or behind."""
    server.clock_offset = offset
    oauth2 = given.with_certificate() if way == "certificate" else given.with_service_account()
    assert ask(oauth2).access_token


def test_clock_that_is_wrong_is_said(server: TokenServer, given: Given) -> None:
    """An hour is too much, and the server's refusal alone would not tell why."""
    server.clock_offset = -3600
    with pytest.raises(OAuth2Error, match=r"machine's clock is 36\d\d s ahead of the server's.*set the clock"):
        ask(given.with_service_account())


def test_secret_goes_in_the_header_where_the_form_is_refused(server: TokenServer, given: Given) -> None:
    """RFC 6749, section 2.3.1: a server has to know the header, and need not know the form. Odd characters are kept."""
    oauth2 = given.with_secret()
    server.form_is_refused = True
    assert server.accepts(USER, ask(oauth2).access_token)
    assert [bool(request.authorization) for request in server.requests] == [False, True]


@pytest.mark.parametrize("provider", [MICROSOFT, GOOGLE])
def test_wrong_secret_is_sent_once_to_who_knows_the_form(server: TokenServer, given: Given, provider: str) -> None:
    """Both know a secret in the form: a second try would count as a second wrong one."""
    with pytest.raises(OAuth2Error):
        ask(given.with_secret(client_secret="wrong", provider=provider))
    assert len(server.requests) == 1


def test_service_account_that_may_not_act_for_the_user(given: Given) -> None:
    """Google's answer where the domain-wide delegation is missing."""
    oauth2 = given.with_service_account(provider=GOOGLE)
    with pytest.raises(OAuth2Error, match="Domain-wide delegation") as caught:
        obtain(oauth2, "boss@example.test", environ={}, timeout=10)
    assert caught.value.is_final


def test_login_without_agreement_says_how(given: Given, server: TokenServer) -> None:
    """A device code needs a person first; nothing is asked."""
    with pytest.raises(OAuth2Error, match=r"nobody has logged in yet.* -- run dms-relay login") as caught:
        ask(given.with_device())
    assert caught.value.is_final
    assert not server.requests


_PRIVATE, _, _CERTIFICATE = key_pair("rsa")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"client_key": "no key"}, "client_key is not a private key"),
        ({"client_certificate": "no certificate"}, "client_certificate is not a certificate"),
        ({"client_certificate": key_pair("ec")[2]}, "client_certificate is not that of client_key"),
    ],
)
def test_key_that_cannot_be_used(given: Given, server: TokenServer, fields: dict[str, str], text: str) -> None:
    """A wrong file is named, and nothing of it is shown or sent."""
    with pytest.raises(OAuth2Error, match=text) as caught:
        ask(given.with_certificate(**fields))
    assert caught.value.is_final
    assert "PRIVATE" not in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"client_email": 1, "private_key": "x", "private_key_id": "y"}'])
def test_file_that_is_no_service_account(given: Given, text: str) -> None:
    """Any other JSON, too."""
    with pytest.raises(OAuth2Error, match="not a service account key"):
        ask(given.with_service_account(service_account=text))


def test_certificate_that_is_not_registered(server: TokenServer, given: Given) -> None:
    """Microsoft says it by a code."""
    oauth2 = given.with_certificate()
    server.clients["us"].certificate = key_pair("ec")[2]
    with pytest.raises(OAuth2Error, match="does not have this certificate") as caught:
        ask(oauth2)
    assert caught.value.code == "AADSTS700027"


@pytest.mark.parametrize("grant", [CLIENT_CREDENTIALS, REFRESH_TOKEN, SERVICE_ACCOUNT])
@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.NOT_JSON, Fault.CUT, None])
def test_nothing_secret_is_shown(server: TokenServer, given: Given, grant: str, fault: Fault | None) -> None:
    """Neither of an error nor of a value is there a form that shows a secret, though the server repeats what it was sent."""
    oauth2 = given.login(grant)
    server.fault = fault or Fault.NONE
    refused = replace(oauth2, client_secret=SECRET + "x", refresh_token="refresh-unknown") if fault is None else oauth2
    if fault is None and grant == SERVICE_ACCOUNT:
        server.accounts.clear()
    with pytest.raises(OAuth2Error) as caught:
        ask(refused)
    error = caught.value
    shown = f"{error} {error!r} {error.args} {error.__cause__!r} {refused!r} {error.code}"
    for secret in (SECRET, oauth2.refresh_token or SECRET, "refresh-unknown", _PRIVATE[30:60], "eyJ"):
        assert secret not in shown
