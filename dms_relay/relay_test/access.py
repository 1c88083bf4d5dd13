"""The access token of a login that takes one: the stored one if it is valid, else a new one.

A new token is stored like the keeper's renewals (``oauth2.renewal``), since a refresh token that the server replaces
exists nowhere else. For a login in force, Postfix gets the new token too, so that waiting mail can leave.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dms_relay import tokens
from dms_relay.errors import RelayError
from dms_relay.model import Login
from dms_relay.model.oauth2 import NO_TOKEN
from dms_relay.relay_test.outcome import Failure, StepError
from dms_relay.relay_test.token_facts import TokenFacts
from dms_relay.tokens import in_force
from dms_relay.tokens.in_force import InForce

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.relay_test.targets import Target
    from dms_relay.tokens import Kept


class Access(NamedTuple):
    """A login with its token, facts about the token that it does not state itself, and why there is none, if so."""

    login: Login
    facts: TokenFacts = TokenFacts()
    error: StepError | None = None


class TokenSource:
    """Returns the access token for a target. ``hand_over`` gets the new token of a login that is in force."""

    def __init__(
        self, state_dir: Path, environ: Mapping[str, str], timeout: float, hand_over: Callable[[InForce, str], object]
    ) -> None:
        """Set the directory of the tokens, the environment (proxies), and an endpoint's time limit in seconds."""
        self._state_dir = state_dir
        self._environ = environ
        self._timeout = timeout
        self._hand_over = hand_over

    def __call__(self, target: Target) -> Access:
        """Return the access token, or why there is none."""
        entry = target.entry
        if entry is None or entry.login.oauth2 is None:
            raise ValueError("a target without OAuth2")
        try:
            return self._access(target.relay, entry.login, entry.login.oauth2)
        except RelayError as error:
            failure = StepError(Failure.TOKEN, error.text, subject=error.remedy)
            return Access(Login(entry.login.username, NO_TOKEN, entry.login.oauth2), error=failure)

    def _access(self, relay: str, login: Login, oauth2: OAuth2) -> Access:
        name = tokens.login_id(relay, login.username, oauth2)
        kept, now = tokens.load(self._state_dir, name), time.time()
        if tokens.is_valid(kept, now) and tokens.is_current(kept, oauth2):
            return _given(login, kept, is_new=False)
        found = next((one for one in in_force.load(self._state_dir) if one.id == name), None)
        kept = self._renewed(InForce(name, relay, login.username, oauth2, found.tables if found else ()))
        if found:
            self._hand_over(found, kept.access_token)
        return _given(login, kept, is_new=True)

    def _renewed(self, login: InForce) -> Kept:
        from dms_relay.oauth2.renewal import renew  # noqa: PLC0415 -- only if a token is requested

        return renew(self._state_dir, login, environ=self._environ, timeout=self._timeout)


def _given(login: Login, kept: Kept, *, is_new: bool) -> Access:
    until = datetime.fromtimestamp(kept.expires_at, UTC)
    facts = TokenFacts(valid_until=until, scope=kept.scope, audience=kept.audience, is_new=is_new)
    return Access(Login(login.username, kept.access_token, login.oauth2), facts)
