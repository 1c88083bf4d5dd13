"""Reads a token endpoint's answer: a usable token, or an error. Does not depend on the request."""

from __future__ import annotations

import json
import math
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import jwt

from dms_relay.model.values import field, frozen
from dms_relay.oauth2.error import OAuth2Error
from dms_relay.oauth2.refusals import refusal

if TYPE_CHECKING:
    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.oauth2.http import Reply

#: Assumed life, in seconds, of a token whose expiry the server does not state (RFC 6749, section 5.1, allows that): as long
#: as Microsoft's and Google's. One that expires earlier is renewed when a relay refuses it.
DEFAULT_LIFE = 3600.0
#: Maximum characters of a token: with a user name of 254, it must fit into the 12,288 octets of AUTH, in base64
#: (RFC 4954, section 4).
TOKEN_MAX = 8900
#: The characters of a token (RFC 6750, section 2.1). None of them ends a line of a table, or of SASL.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
#: The characters of a refresh token (RFC 6749, appendix A.17); one that fills half of ``ANSWER_MAX`` is no token.
_REFRESH_TOKEN = re.compile(r"[\x20-\x7e]{1,32768}")


@frozen
class Answer:
    """A token. ``received_at`` is when the answer came, by this machine's clock; the token lasts ``life`` seconds from then.

    ``refresh_token`` is empty if the server did not replace it. ``scope`` is what the token permits and ``audience`` for
    whom, if known.
    """

    access_token: str = field(repr=False)
    life: float
    received_at: float
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    audience: str = ""


def answer_of(reply: Reply, oauth2: OAuth2, secrets: tuple[str, ...]) -> Answer:
    """Return the token in a reply. Raises ``OAuth2Error`` if there is none."""
    now = time.time()
    data = json_of(reply, oauth2, secrets)
    claims = _claims(data.get("access_token"))
    scope = data.get("scope") or claims.get("scp") or claims.get("roles") or ""
    return Answer(
        _token(data),
        _life(data.get("expires_in")),
        now,
        _refresh_token(data),
        _words(scope)[:_SHOWN_MAX] or oauth2.scope,
        _words(claims.get("aud", ""))[:_SHOWN_MAX],
    )


#: Maximum characters to keep of a scope or an audience.
_SHOWN_MAX = 500


def json_of(reply: Reply, oauth2: OAuth2, secrets: tuple[str, ...]) -> dict[str, object]:
    """Return the object in a reply. Raises ``OAuth2Error`` if there is none, or it is an error."""
    try:
        data = json.loads(reply.body)
    except (ValueError, RecursionError):
        data = None
    if (
        isinstance(data, dict)
        and isinstance(data.get("error"), str)
        and reply.status < HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        error = refusal(data, oauth2, secrets, server_time=reply.server_time, now=time.time())
        error.retry_after = reply.retry_after
        raise error
    if reply.status != HTTPStatus.OK:
        raise _failed(reply)
    if not isinstance(data, dict):
        what = "a page" if reply.body.lstrip()[:1] == b"<" else "something that is not JSON"
        text = f"the token endpoint answers with {what} instead of a token"
        raise OAuth2Error(text, "check token_url, and that no proxy or login page is in between", "not JSON")
    return data


def _failed(reply: Reply) -> OAuth2Error:
    code = f"http {reply.status}"
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        text = f"the token endpoint has an internal error, or is overloaded (status {reply.status})"
        return OAuth2Error(text, "nothing to do: dms-relay tries again", code, retry_after=reply.retry_after)
    text = f"there is no token endpoint at token_url (status {reply.status})"
    return OAuth2Error(text, "write the address that issues tokens (token_url)", code, is_final=True)


def _token(data: dict[str, object]) -> str:
    token, kind = data.get("access_token"), data.get("token_type", "Bearer")
    if not isinstance(token, str) or not token:
        raise OAuth2Error("the answer has no access token", "check token_url", "no token", is_final=True)
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise OAuth2Error(
            "the token is not a bearer token (RFC 6750)", "ask the provider for one", "type", is_final=True
        )
    if not _TOKEN.fullmatch(token):
        text = "the token has characters that RFC 6750 (section 2.1) does not allow, so it is not used"
        raise OAuth2Error(text, "check token_url", "characters", is_final=True)
    if len(token) > TOKEN_MAX:
        text = f"the token has {len(token)} characters, and SMTP takes at most {TOKEN_MAX}"
        raise OAuth2Error(text, "ask the provider to put less into it (groups, roles)", "too long", is_final=True)
    return token


def _life(value: object) -> float:
    """Return the seconds that a token lasts: a number, or one as text; ``DEFAULT_LIFE`` if there is none."""
    try:
        life = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else DEFAULT_LIFE
    except (ValueError, OverflowError):
        return DEFAULT_LIFE
    if not math.isfinite(life):
        return DEFAULT_LIFE
    if life <= 0:
        raise OAuth2Error("the token has already expired (expires_in)", "check the clock of the token endpoint", "over")
    return life


def _refresh_token(data: dict[str, object]) -> str:
    token = data.get("refresh_token", "")
    return token if isinstance(token, str) and _REFRESH_TOKEN.fullmatch(token) else ""


def _claims(token: object) -> dict[str, object]:
    """Return the claims of a token that is a JWT, only for display: verifying them is the relay's job."""
    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))  # type: ignore[arg-type]  # checks the type itself
    except (jwt.InvalidTokenError, RecursionError):
        return {}


def _words(value: object) -> str:
    words = [word for word in value if isinstance(word, str)] if isinstance(value, list) else [str(value)]
    return "".join(char for char in " ".join(words) if char.isprintable())
