"""What is taken for a token, and for how long."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from dms_relay.model.oauth2 import OAuth2
from dms_relay.oauth2 import Answer, OAuth2Error
from dms_relay.oauth2.answer import DEFAULT_LIFE, TOKEN_MAX, answer_of
from dms_relay.oauth2.http import Reply
from tests.oauth2.given import USER, Given
from tests.oauth2.test_grants import ask

if TYPE_CHECKING:
    from testbed.token_server import TokenServer

_OAUTH2 = OAuth2("refresh-token", "https://id.example.test/token", scope="asked")


def _answer(**fields: object) -> Answer:
    body = {"access_token": "abc", "token_type": "Bearer", "expires_in": 3600} | fields
    text = json.dumps({name: value for name, value in body.items() if value is not ...})
    return answer_of(Reply(200, text.encode()), _OAUTH2, ())


@pytest.mark.parametrize(
    ("value", "life"),
    [
        (600, 600.0),
        ("600", 600.0),
        (600.5, 600.5),
        (..., DEFAULT_LIFE),
        (None, DEFAULT_LIFE),
        ("soon", DEFAULT_LIFE),
        ("", DEFAULT_LIFE),
        (True, DEFAULT_LIFE),
        ([], DEFAULT_LIFE),
        (float("inf"), DEFAULT_LIFE),
        (float("nan"), DEFAULT_LIFE),
    ],
)
def test_life_of_a_token(value: object, life: float) -> None:
    """A number, or a number as a text; what says nothing is an hour."""
    assert _answer(expires_in=value).life == life


@pytest.mark.parametrize("value", [0, -1, "0", "-3600"])
def test_token_that_is_over_is_none(value: object) -> None:
    """It would be renewed again at once, without an end."""
    with pytest.raises(OAuth2Error, match="has already expired"):
        _answer(expires_in=value)


@pytest.mark.parametrize("token", ["a", "a.b-c_d~e+f/g==", "x" * 8192, "x" * TOKEN_MAX])
def test_tokens(token: str) -> None:
    """RFC 6750, section 2.1; 8 KiB are no problem."""
    assert _answer(access_token=token).access_token == token


@pytest.mark.parametrize("token", ["a b", "a\nb", "a\r\nme@example.test:x", "a\tb", "a\0", "ä", "=a", "a:b", "a\x01b"])
def test_token_that_would_be_two_lines_is_refused(token: str) -> None:
    """A line end in a table would be another login, and a Ctrl-A in SASL another field."""
    with pytest.raises(OAuth2Error, match="characters that RFC 6750 ") as caught:
        _answer(access_token=token)
    assert token not in str(caught.value)


@pytest.mark.parametrize("token", [..., None, "", 5, ["a"], {}])
def test_answer_without_a_token(token: object) -> None:
    """Status 200 is not enough."""
    with pytest.raises(OAuth2Error, match="no access token"):
        _answer(access_token=token)


def test_token_that_smtp_does_not_take() -> None:
    """It would be refused at each relay, or cut."""
    with pytest.raises(OAuth2Error, match="SMTP takes at most 8900"):
        _answer(access_token="x" * (TOKEN_MAX + 1))


@pytest.mark.parametrize("kind", ["bearer", "BEARER", "Bearer", ...])
def test_types_of_tokens(kind: object) -> None:
    """RFC 6749, section 5.1: case does not matter."""
    assert _answer(token_type=kind).access_token == "abc"


@pytest.mark.parametrize("kind", ["mac", "DPoP", 5, None])
def test_token_that_is_not_for_the_bearer(kind: object) -> None:
    """SASL sends it as such."""
    with pytest.raises(OAuth2Error, match="not a bearer token"):
        _answer(token_type=kind)


@pytest.mark.parametrize("value", [..., None, 5, "", "a\nb", "x" * 40000])
def test_what_is_no_refresh_token_is_left_out(value: object) -> None:
    """The access token is good all the same."""
    assert not _answer(refresh_token=value).refresh_token


def test_error_counts_whatever_the_status_is() -> None:
    """Some servers refuse with 200."""
    reply = Reply(200, b'{"error": "invalid_grant", "access_token": "abc"}')
    with pytest.raises(OAuth2Error) as caught:
        answer_of(reply, _OAUTH2, ())
    assert (caught.value.code, caught.value.is_final) == ("invalid_grant", True)


@pytest.mark.parametrize("body", [b"[" * 60000, b"[]", b'"x"', b"5", b"\xff\xfe", b"", b'{"error": {}}'])
def test_what_is_no_object_is_no_answer(body: bytes) -> None:
    """Nothing of it is believed, and nothing ends in a traceback."""
    with pytest.raises(OAuth2Error):
        answer_of(Reply(200, body), _OAUTH2, ())


def _jwt(**claims: object) -> str:
    parts = ({"alg": "none"}, claims)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + ".c2ln"
    )


def test_token_says_what_it_is_for() -> None:
    """Microsoft's say it in themselves: roles of an application, scopes of a person; only to be shown."""
    answer = _answer(access_token=_jwt(aud="https://outlook.office365.com", roles=["SMTP.SendAsApp", 5]))
    assert (answer.scope, answer.audience) == ("SMTP.SendAsApp", "https://outlook.office365.com")
    assert _answer(access_token=_jwt(scp="SMTP.Send")).scope == "SMTP.Send"
    assert _answer(scope="given").scope == "given"
    assert _answer(access_token="opaque").scope == "asked"


def test_token_of_8_kib_comes_whole(server: TokenServer, given: Given) -> None:
    """From the endpoint, as Microsoft's with many groups."""
    server.token_size = 8192
    answer = ask(given.with_secret())
    assert len(answer.access_token) == 8192
    assert server.accepts(USER, answer.access_token)
    assert answer.access_token not in repr(answer)
