"""What ``apply`` does for OAuth2 logins: gets the first access tokens, and records which logins are in force.

Asks token endpoints (``oauth2``) without the lock of Postfix's directory, and for a limited time. If there is no token,
the table says so (``NO_TOKEN``): mail of that login waits in the queue, and everything else goes on. Neither a boot nor
``apply`` fails because of it: the inputs are in force, and the keeper tries again.

Writes ``logins.json`` and the tokens in the state directory. Before a change that file lists the logins of both
configurations, so that those of a killed or failed run are renewed as well; afterwards only those now in force.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.errors import RelayError
from dms_relay.merge.token_logins import token_logins
from dms_relay.model.values import replace
from dms_relay.tokens import in_force

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dms_relay.commands import Context
    from dms_relay.log import Log
    from dms_relay.model import Paths
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.tokens import Kept
    from dms_relay.tokens.in_force import InForce

#: Seconds for all first tokens together. A boot waits for them; a token that comes later only delays its own mail.
LIMIT = 10.0
#: Logins served at the same time, and the requests that each may take: with the stored refresh token, the operator's.
_AT_ONCE, _QUESTIONS = 8, 2


def lacking(config: RelayConfig) -> tuple[InForce, ...]:
    """Return the logins without a valid token."""
    return token_logins(config.transports, is_lacking=True) if config.transports else ()


def ask(context: Context, logins: Sequence[InForce]) -> None:
    """Request a token for each login, for up to ``LIMIT`` seconds; log an error for each that gets none."""
    from dms_relay.oauth2.renewal import renew_all  # noqa: PLC0415 -- 60 ms, and only if a token is missing

    end = time.monotonic() + LIMIT
    for at in range(0, len(logins), _AT_ONCE):
        some, left = logins[at : at + _AT_ONCE], end - time.monotonic()
        if left <= 0:
            context.log.error(_out_of_time(len(logins) - at))
            return
        got = renew_all(context.paths.state_dir, some, environ=context.environ, timeout=left / _QUESTIONS)
        _report(some, got, context.log)


def _out_of_time(number: int) -> str:
    waiting = "1 login waits" if number == 1 else f"{number} logins wait"
    return f"{waiting} for an access token after {LIMIT:.0f} s, and so does its mail -- run dms-relay renew"


def _report(logins: Sequence[InForce], got: Mapping[str, Kept | RelayError], log: Log) -> None:
    for login in logins:
        error = got[login.id]
        if isinstance(error, RelayError):
            text = f"relay {login.relay}: no access token for {login.username}, so its mail waits in the queue: {error}"
            log.error(text)
        else:
            log.info("access token received", relay=login.relay, username=login.username)


@contextmanager
def noted(paths: Paths, config: RelayConfig, log: Log) -> Iterator[None]:
    """Keep ``logins.json`` correct while a configuration comes into force, and afterwards."""
    new = token_logins(config.transports) if config.transports else ()
    _save(paths, _both(in_force.load(paths.state_dir), new), log)
    yield
    _save(paths, new, log)
    try:
        tokens.forget(paths.state_dir, {login.id for login in new})
    except RelayError as error:
        log.warn(str(error))


def _both(old: Sequence[InForce], new: Sequence[InForce]) -> list[InForce]:
    """Return new and old logins, without old ones whose table entry now has a new login."""
    taken = {pair for login in new for pair in login.tables}
    rest = (replace(login, tables=tuple(pair for pair in login.tables if pair not in taken)) for login in old)
    ids = {login.id: login for login in new}
    for login in rest:
        known = ids.get(login.id)
        ids[login.id] = replace(known, tables=known.tables + login.tables) if known else login
    return list(ids.values())


def _save(paths: Paths, logins: Sequence[InForce], log: Log) -> None:
    try:
        in_force.save(paths.state_dir, logins)
    except RelayError as error:
        log.error(f"access tokens are not renewed: {error}")  # noqa: TRY400 -- Log is ours, and a traceback says nothing
