"""Requests tokens, in the way of a login's grant (RFC 6749, 7523). oauthlib builds the request bodies.

Raises ``OAuth2Error``. Stores nothing: ``renewal`` does that.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from oauthlib.oauth2 import BackendApplicationClient, WebApplicationClient
from oauthlib.oauth2.rfc6749.parameters import prepare_token_request

from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, SERVICE_ACCOUNT
from dms_relay.model.providers import PROVIDERS
from dms_relay.oauth2.answer import answer_of
from dms_relay.oauth2.error import OAuth2Error
from dms_relay.oauth2.http import post
from dms_relay.oauth2.refusals import secrets_of
from dms_relay.oauth2.signatures import ASSERTION_TYPE, account_assertion, client_assertion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.oauth2.answer import Answer
    from dms_relay.oauth2.http import Reply

#: Seconds for one request in all.
TIMEOUT = 20.0
#: Seconds for a second request if the first has taken nearly all.
_LEAST = 1.0
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def obtain(
    oauth2: OAuth2, username: str, refresh_token: str = "", *, environ: Mapping[str, str], timeout: float = TIMEOUT
) -> Answer:
    """Return a token for a user, requested by the login's grant; ``refresh_token`` is for the grants that have one."""
    if oauth2.grant == SERVICE_ACCOUNT:
        assertion = account_assertion(oauth2, username)
        form = str(prepare_token_request(_JWT_BEARER, assertion=assertion, include_client_id=False))
        return answer_of(_post(oauth2, form, environ, timeout), oauth2, secrets_of(oauth2, assertion))
    if oauth2.grant == CLIENT_CREDENTIALS:
        client = BackendApplicationClient(oauth2.client_id)
        return exchange(
            oauth2, client.prepare_request_body(scope=oauth2.scope or None), environ=environ, timeout=timeout
        )
    if not refresh_token:
        text = "nobody has logged in yet, so there is no refresh token"
        raise OAuth2Error(text, "run dms-relay login for this relay", "no refresh token", is_final=True)
    form = WebApplicationClient(oauth2.client_id).prepare_refresh_body(
        refresh_token=refresh_token, scope=oauth2.scope or None
    )
    return exchange(oauth2, form, refresh_token, environ=environ, timeout=timeout)


def exchange(oauth2: OAuth2, form: str, *more: str, environ: Mapping[str, str], timeout: float = TIMEOUT) -> Answer:
    """Send a form with the client's credentials, and return the token. ``more`` are secrets in the form.

    The client secret goes in the form, as Microsoft and Google expect; if another provider does not accept that, in the
    header (RFC 6749, section 2.3.1: servers need not support the form, and some do not support the header).
    """
    secrets, begin = secrets_of(oauth2, *more), time.monotonic()
    try:
        return answer_of(_post(oauth2, _with_client(oauth2, form), environ, timeout), oauth2, secrets)
    except OAuth2Error as error:
        if error.error != "invalid_client" or not oauth2.client_secret or oauth2.provider in PROVIDERS:
            raise
        first = error
    left = max(_LEAST, timeout - (time.monotonic() - begin))
    try:
        return answer_of(_post(oauth2, form, environ, left, _basic(oauth2)), oauth2, secrets)
    except OAuth2Error as error:
        raise (first if error.code.startswith("http ") else error) from None


def _post(oauth2: OAuth2, form: str, environ: Mapping[str, str], timeout: float, authorization: str = "") -> Reply:
    return post(
        oauth2.token_url, form, ca_file=oauth2.ca_file, environ=environ, timeout=timeout, authorization=authorization
    )


def _with_client(oauth2: OAuth2, form: str) -> str:
    """Add the client's credentials: an assertion signed with its key, a secret, or only the ID."""
    parts = {"client_id": oauth2.client_id}
    if oauth2.client_key:
        parts |= {"client_assertion_type": ASSERTION_TYPE, "client_assertion": client_assertion(oauth2)}
    elif oauth2.client_secret:
        parts["client_secret"] = oauth2.client_secret
    return "&".join([form, *(f"{name}={quote_plus(value)}" for name, value in parts.items())])


def _basic(oauth2: OAuth2) -> str:
    pair = f"{quote_plus(oauth2.client_id)}:{quote_plus(oauth2.client_secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
