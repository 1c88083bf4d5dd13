"""The access token of a login that takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dms_relay.relay_test.token_facts import TokenFacts

if TYPE_CHECKING:
    from dms_relay.model import Login
    from dms_relay.relay_test.outcome import StepError


class Access(NamedTuple):
    """A login with its token, what is known of the token beside what it says itself, and why there is none, if so."""

    login: Login
    facts: TokenFacts = TokenFacts()
    error: StepError | None = None
