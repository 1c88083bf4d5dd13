"""The state of the access tokens of the logins in force, and when the next one is to be renewed.

Reads only the state directory. Returns no secrets. Raises ``WriteError`` if ``logins.json`` cannot be understood
(``tokens.in_force``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dms_relay import tokens
from dms_relay.tokens import in_force

if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.tokens import Failure, Kept
    from dms_relay.tokens.in_force import InForce


def outlook(state_dir: Path, now: float) -> dict[str, Any]:
    """Return each token, what is wrong, and when to look again; times are seconds since 1970.

    ``next`` is when the next renewal is due, and ``ends`` when the next token expires; ``None`` if there is none.
    """
    found = [(login, tokens.load(state_dir, login.id)) for login in in_force.load(state_dir)]
    ends = [kept.expires_at for _, kept in found if tokens.is_valid(kept, now)]
    return {
        "tokens": [_token(login, kept, now) for login, kept in found],
        "wrong": [line for login, kept in found for line in _wrong(login, kept, now)],
        "next": min((tokens.due_at(kept, now, login.oauth2) for login, kept in found), default=None),
        "ends": min(ends, default=None),
    }


def _token(login: InForce, kept: Kept, now: float) -> dict[str, Any]:
    return {
        "relay": login.relay,
        "username": login.username,
        "grant": login.oauth2.grant,
        "is_valid": tokens.is_valid(kept, now),
        "valid_until": kept.expires_at or None,
        "renewed_at": kept.issued_at or None,
        "next_renewal": tokens.due_at(kept, now, login.oauth2),
        "scope": kept.scope,
        "audience": kept.audience,
        "failure": kept.failure and _failure(kept.failure),
    }


def _failure(failure: Failure) -> dict[str, Any]:
    known = {name: getattr(failure, name) for name in ("at", "code", "text", "remedy")}
    return {**known, "needs_person": failure.is_final}


def _wrong(login: InForce, kept: Kept, now: float) -> list[str]:
    """Return what is wrong with a token: it has expired, or it will, since its renewal needs a person."""
    failure, is_valid = kept.failure, tokens.is_valid(kept, now)
    if is_valid and not (failure and failure.is_final):
        return []
    what = "the token cannot be renewed" if is_valid else "there is no valid token, so mail waits"
    why = f": {failure.text} -- {failure.remedy}" if failure else " -- run dms-relay renew to request one"
    return [f"relay {login.relay}, login {login.username}: {what}{why}"]
