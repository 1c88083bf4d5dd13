"""Renews the token of a login in force: request it, store it, and only then use it.

A replaced refresh token is on the disk before anybody sees the access token that came with it; its space is reserved
before the request, and the next run finds what a killed one wrote. One case cannot be avoided: a server that revokes the
old refresh token at once, and a process that dies between the answer and the first write.

Two simultaneous renewals send one request: the second waits for the first, and takes its result. Raises ``OAuth2Error``
after it has stored the failure, ``WriteError`` if nothing can be stored (then nothing was requested, or the token is not
used), and ``BusyError``.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.errors import RelayError, WriteError
from dms_relay.model.oauth2 import DEVICE_CODE, REFRESH_TOKEN
from dms_relay.model.values import replace
from dms_relay.oauth2.error import OAuth2Error
from dms_relay.oauth2.grants import TIMEOUT, obtain
from dms_relay.tokens import Failure, Kept, Room
from dms_relay.tokens.credentials import digests, is_same_refresh_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.oauth2.answer import Answer
    from dms_relay.tokens.in_force import InForce

#: Seconds until the first try after a failure, and the maximum: each failure doubles the pause. An outage of minutes ends
#: before a token of an hour expires; a failure that only a person can fix is retried rarely.
FIRST_PAUSE, PAUSE_MAX = 15.0, 900.0
FIRST_PAUSE_FINAL, PAUSE_MAX_FINAL = 300.0, 3600.0
#: The part by which pauses vary, so that many relays do not retry at once.
_SPREAD = 0.2
#: Seconds for a request with another refresh token if the first has taken nearly all.
_LEAST = 1.0
#: Maximum simultaneous requests.
_AT_ONCE = 8


def renew(  # noqa: PLR0913 -- each is a fact of its own
    state_dir: Path,
    login: InForce,
    *,
    environ: Mapping[str, str],
    force: bool = False,
    timeout: float = TIMEOUT,
    now: float | None = None,
) -> Kept:
    """Return a valid token of a login: the stored one if it is not due, else a new one, which is stored.

    ``force``: return a new one, or one that somebody else has obtained since ``now``, the time of this call.
    """
    called = time.time() if now is None else now
    with tokens.lock(state_dir, login.id, 2 * timeout):
        tokens.complete(state_dir, login.id)
        kept = tokens.load(state_dir, login.id)
        if tokens.is_valid(kept, time.time()) and not kept.failure:
            is_new = kept.issued_at >= called
            if is_new or (not force and not is_due(kept, login.oauth2, time.time())):
                return kept
        if kept.failure and kept.failure.at >= called:
            raise _again(kept.failure)
        return _renewed(state_dir, login, kept, environ, timeout)


def is_due(kept: Kept, oauth2: OAuth2, now: float) -> bool:
    """Return True if a token is to be renewed now."""
    return tokens.due_at(kept, now, oauth2) <= now


def renew_all(
    state_dir: Path,
    logins: Sequence[InForce],
    *,
    environ: Mapping[str, str],
    force: bool = False,
    timeout: float = TIMEOUT,
) -> dict[str, Kept | RelayError]:
    """Renew some logins simultaneously; return, by their identifiers, what each got or its error."""
    called = time.time()

    def one(login: InForce) -> Kept | RelayError:
        try:
            return renew(state_dir, login, environ=environ, force=force, timeout=timeout, now=called)
        except RelayError as error:
            return error

    if not logins:
        return {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip((login.id for login in logins), pool.map(one, logins), strict=True))


def keep(state_dir: Path, name: str, oauth2: OAuth2, answer: Answer) -> Kept:
    """Store the tokens from a person's consent (``device``, ``browser``), in place of the old ones."""
    kept = _kept(answer, oauth2, "")
    with tokens.lock(state_dir, name, TIMEOUT):
        tokens.save(state_dir, name, kept)
    return kept


def _renewed(state_dir: Path, login: InForce, kept: Kept, environ: Mapping[str, str], timeout: float) -> Kept:
    with ExitStack() as stack:
        is_replaceable = login.oauth2.grant in {REFRESH_TOKEN, DEVICE_CODE}
        room = stack.enter_context(Room(state_dir, login.id)) if is_replaceable else None
        try:
            answer, used = _obtain(login, kept, environ, timeout)
        except OAuth2Error as error:
            with suppress(WriteError):
                tokens.save(state_dir, login.id, _failed(kept, login.oauth2, error))
            raise
        new = _kept(answer, login.oauth2, used)
        if room:
            room.save(new)
        else:
            tokens.save(state_dir, login.id, new)
    return new


def _obtain(login: InForce, kept: Kept, environ: Mapping[str, str], timeout: float) -> tuple[Answer, str]:
    """Try each refresh token that may be valid; return the answer, and the token that worked."""
    candidates, end = _refresh_tokens(login.oauth2, kept), time.monotonic() + timeout
    for last, token in ((token is candidates[-1], token) for token in candidates):
        left = max(_LEAST, end - time.monotonic())
        try:
            return obtain(login.oauth2, login.username, token, environ=environ, timeout=left), token
        except OAuth2Error as error:
            if last or not error.is_final:
                raise
    raise AssertionError("unreachable")  # pragma: no cover -- there is always one


def _refresh_tokens(oauth2: OAuth2, kept: Kept) -> list[str]:
    """Return the stored token, then the operator's; only the operator's if it has changed since the stored one."""
    descends = not oauth2.refresh_token or is_same_refresh_token(oauth2, kept.credentials)
    found = [kept.refresh_token if descends else "", oauth2.refresh_token]
    return list(dict.fromkeys(token for token in found if token)) or [""]


def _kept(answer: Answer, oauth2: OAuth2, used: str) -> Kept:
    made = digests(oauth2)
    return Kept(
        access_token=answer.access_token,
        issued_at=answer.received_at,
        expires_at=answer.received_at + answer.life,
        # The operator's own token is not copied: it stays in its place.
        refresh_token=answer.refresh_token or ("" if used == oauth2.refresh_token else used),
        scope=answer.scope,
        audience=answer.audience,
        credentials=made,
        tried=made,
    )


def _failed(kept: Kept, oauth2: OAuth2, error: OAuth2Error) -> Kept:
    """Return what was stored, with the failure: a token that is still valid is used until it expires."""
    now = time.time()
    failures = kept.failures + 1
    first, most = (FIRST_PAUSE_FINAL, PAUSE_MAX_FINAL) if error.is_final else (FIRST_PAUSE, PAUSE_MAX)
    pause = min(most, first * 2.0 ** min(failures - 1, 16)) * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 -- no secret
    return replace(
        kept,
        tried=digests(oauth2),
        failure=Failure(now, error.code, error.text, error.remedy, error.is_final),
        failures=failures,
        next_try=now + max(pause, error.retry_after or 0.0),
    )


def _again(failure: Failure) -> OAuth2Error:
    return OAuth2Error(failure.text, failure.remedy, failure.code, is_final=failure.is_final)
