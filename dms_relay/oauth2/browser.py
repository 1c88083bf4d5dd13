"""The authorization code (RFC 6749, 4.1) with PKCE (RFC 7636): a person consents in a browser, and pastes an address.

The browser is on the person's own machine, not here: the provider redirects it to an address of that machine where
nothing listens (RFC 8252, section 7.3), and its address bar then shows the code. For Google, whose device codes do not
allow the scope for mail.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from oauthlib.oauth2 import WebApplicationClient

from dms_relay.model.providers import GOOGLE
from dms_relay.model.values import field, frozen
from dms_relay.oauth2.error import OAuth2Error
from dms_relay.oauth2.grants import exchange
from dms_relay.oauth2.http import require_https, split
from dms_relay.oauth2.refusals import refusal, secrets_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.oauth2.answer import Answer

#: Where the browser is redirected; Google accepts any loopback port for an app of the type "Desktop app".
REDIRECT_URI = "http://127.0.0.1:47119/"
#: Characters of the proof (section 4.1: 43 to 128).
_VERIFIER = 64


@frozen
class Browsing:
    """The address to open, and the secrets that later prove that the request was ours."""

    url: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def begin(oauth2: OAuth2, username: str) -> Browsing:
    """Return the address that the person opens."""
    require_https(oauth2.authorization_url)
    client = WebApplicationClient(oauth2.client_id)
    verifier, state = client.create_code_verifier(_VERIFIER), secrets.token_urlsafe(16)
    # Google issues a refresh token only with these: offline access, and a new consent.
    more = {"access_type": "offline", "prompt": "consent"} if oauth2.provider == GOOGLE else {}
    url = client.prepare_request_uri(
        oauth2.authorization_url,
        redirect_uri=REDIRECT_URI,
        scope=oauth2.scope or None,
        state=state,
        code_challenge=client.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
        login_hint=username,
        **more,
    )
    return Browsing(str(url), state, verifier)


def finish(oauth2: OAuth2, browsing: Browsing, pasted: str, *, environ: Mapping[str, str]) -> Answer:
    """Return the token for the address to which the browser was redirected."""
    found = {name: values[0] for name, values in parse_qs(split(pasted.strip()).query).items()}
    if "error" in found:
        raise refusal(dict(found), oauth2, secrets_of(oauth2), server_time=None, now=0.0)
    code = found.get("code", "")
    if not code or not secrets.compare_digest(found.get("state", "").encode(), browsing.state.encode()):
        text = "this is not the address to which the browser was redirected after you agreed"
        remedy = f"copy all of the address that begins with {REDIRECT_URI}, and run dms-relay login again"
        raise OAuth2Error(text, remedy, "no code", is_final=True)
    form = WebApplicationClient(oauth2.client_id).prepare_request_body(
        code=code, redirect_uri=REDIRECT_URI, code_verifier=browsing.verifier, include_client_id=False
    )
    return exchange(oauth2, form, code, browsing.verifier, environ=environ)
