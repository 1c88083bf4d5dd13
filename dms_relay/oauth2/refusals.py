"""Turns a token endpoint's error answer into an error that a person can act on.

``microsoft`` and ``google`` know the errors of these providers; all others send one of the codes of RFC 6749
(section 5.2) or RFC 8628 (section 3.5). The server's own words are shown if nothing better is known: without the secrets
that we sent, which servers are known to repeat, and without anything that looks like a token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from dms_relay.log import printable
from dms_relay.model import MASK
from dms_relay.model.providers import GOOGLE, endpoints
from dms_relay.oauth2 import google, microsoft
from dms_relay.oauth2.error import OAuth2Error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.model.oauth2 import OAuth2

#: Maximum characters to show of the server's words, and of a code.
_SHOWN_MAX, _CODE_MAX = 300, 60
#: Minimum length of a run of characters that may be a token; a GUID has 36.
_TOKEN_LIKE = re.compile(r"[\w.~+/=-]{40,}", re.ASCII)
_AADSTS = re.compile(r"AADSTS\d+")
#: Minimum length of a secret to mask. Shorter ones would mask words; no provider issues one.
_SECRET_MIN = 4
#: The end that Microsoft adds to its messages.
_TRACE = re.compile(r" ?(Trace ID|Correlation ID|Timestamp):.*", re.DOTALL)
#: Seconds that two clocks may differ before a message mentions it: half of what a signature tolerates (``signatures``).
_CLOCK_MAX = 150.0

_LOOK = "compare it with what the provider shows for the client"
#: From a code to what is wrong, what to do, and whether only a person can help.
_GENERIC: dict[str, tuple[str, str, bool]] = {
    "invalid_client": ("the client is unknown, or its secret is wrong", f"client_id, client_secret: {_LOOK}", True),
    "invalid_grant": (
        "the refresh token has expired, was revoked, or is for another client",
        "run dms-relay login for this relay again, or put a new refresh token into its file",
        True,
    ),
    "unauthorized_client": (
        "the client may not use this grant",
        "allow it at the provider, or use another grant",
        True,
    ),
    "unsupported_grant_type": (
        "the endpoint does not know this grant",
        "use another grant, or check token_url",
        True,
    ),
    "invalid_scope": (
        "the scope is wrong, or more than was agreed to",
        "write the scope that the provider documents",
        True,
    ),
    "invalid_request": ("the endpoint does not understand the request", f"token_url, scope: {_LOOK}", True),
    "access_denied": ("the person, or the provider, did not agree", "log in again, and agree", True),
    "expired_token": ("the code was not used in time", "run dms-relay login again", True),
    "server_error": ("the token endpoint has an internal error", "nothing to do: dms-relay tries again", False),
    "temporarily_unavailable": ("the token endpoint is overloaded", "nothing to do: dms-relay tries again", False),
}
#: Microsoft's codes of temporary failures.
_PASSING = frozenset({"AADSTS90033", "AADSTS90055", "AADSTS50196", "AADSTS90006", "AADSTS90012"})


def secrets_of(oauth2: OAuth2, *more: str) -> tuple[str, ...]:
    """Return the secrets that an answer may repeat, longest first."""
    own = (oauth2.client_secret, oauth2.client_key, oauth2.service_account, oauth2.refresh_token, *more)
    return tuple(sorted((secret for secret in own if len(secret) >= _SECRET_MIN), key=len, reverse=True))


def refusal(
    answer: dict[str, object], oauth2: OAuth2, secrets: Iterable[str], *, server_time: float | None, now: float
) -> OAuth2Error:
    """Return the error for an answer with the key ``error``."""
    error, said = str(answer["error"])[:_CODE_MAX], str(answer.get("error_description", ""))
    detail = f"{said} {answer.get('error_subtype', '')}".lower()
    aadsts = _AADSTS.search(said)
    code = aadsts.group() if aadsts else error
    text, remedy, is_final = _known(code, error, detail, oauth2, shown(said, secrets))
    off = 0.0 if server_time is None else now - server_time
    if abs(off) > _CLOCK_MAX:
        text += f"; this machine's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the server's"
        remedy += "; set the clock (NTP)"
    return OAuth2Error(f"{text} ({shown(code, secrets)})", remedy, shown(code, secrets), is_final=is_final, error=error)


def _known(code: str, error: str, detail: str, oauth2: OAuth2, said: str) -> tuple[str, str, bool]:
    if code in microsoft.REFUSALS:
        return *microsoft.REFUSALS[code], True
    for known, part, text, remedy in google.REFUSALS if _is_google(oauth2) else ():
        if error == known and part in detail:
            return text, remedy, True
    text, remedy, is_final = _GENERIC.get(
        error, ("the token endpoint refuses", "look for this code at the provider", True)
    )
    return f"{text}; it says: {said}" if said else text, remedy, is_final and code not in _PASSING


def _is_google(oauth2: OAuth2) -> bool:
    return oauth2.provider == GOOGLE or oauth2.token_url == endpoints(GOOGLE).token_url


def shown(text: str, secrets: Iterable[str]) -> str:
    """Return a server's words in a form that is safe to show: one short line without secrets."""
    for secret in secrets:
        for form in (secret, quote(secret), quote_plus(secret)):
            text = text.replace(form, MASK)
    # The blanks first: a server that sends nothing else must not keep a pattern busy.
    text = _TOKEN_LIKE.sub(MASK, _TRACE.sub("", " ".join(text.split())))
    return printable(text)[:_SHOWN_MAX]
