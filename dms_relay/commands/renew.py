"""``dms-relay renew``: renew the access tokens of the logins in force, and put them into their tables.

Reads ``logins.json`` and the store in the state directory, not the inputs: a wrong edit does not stop renewal. Writes the
store and the password tables (``token_tables``), without a reload. Writes all valid tokens, not only new ones: if a
run was killed between the two steps, the next one completes its work.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.errors import RelayError, UsageError
from dms_relay.tokens import in_force

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from dms_relay.commands import Context
    from dms_relay.tokens import Kept
    from dms_relay.tokens.in_force import InForce

#: The exit code if a token cannot be renewed.
EXIT_FAILED = 1


def run(arguments: Namespace, context: Context) -> int:
    """Renew the tokens of the relays named in the arguments, or of all."""
    logins = in_force.load(context.paths.state_dir)
    chosen = _chosen(logins, arguments.relay)
    if arguments.due:
        now = time.time()
        chosen = [login for login in chosen if _is_due(login, context, now)]
    got = _renewed(chosen, context, force=not arguments.due)
    put_into_tables(context)
    for login in chosen:
        _report(login, got[login.id], context)
    if not logins and not arguments.due:
        context.say("no OAuth2 login is in force, so there is nothing to renew")
    return EXIT_FAILED if any(isinstance(result, RelayError) for result in got.values()) else os.EX_OK


def _chosen(logins: Sequence[InForce], words: Sequence[str]) -> list[InForce]:
    known = {login.relay.casefold() for login in logins}
    if unknown := [word for word in dict.fromkeys(words) if word.casefold() not in known]:
        names = ", ".join(sorted({login.relay for login in logins}))
        remedy = f"write one of {names}" if names else "run dms-relay apply first"
        raise UsageError(f"no relay with an OAuth2 login in force has the name {', '.join(unknown)}", remedy)
    wanted = {word.casefold() for word in words}
    return [login for login in logins if not wanted or login.relay.casefold() in wanted]


def _is_due(login: InForce, context: Context, now: float) -> bool:
    return tokens.due_at(tokens.load(context.paths.state_dir, login.id), now, login.oauth2) <= now


def _renewed(logins: Sequence[InForce], context: Context, *, force: bool) -> Mapping[str, Kept | RelayError]:
    if not logins:
        return {}
    from dms_relay.oauth2.renewal import renew_all  # noqa: PLC0415 -- the libraries, only if a provider is asked

    return renew_all(context.paths.state_dir, logins, environ=context.environ, force=force)


def put_into_tables(context: Context) -> None:
    """Write all valid tokens of the logins in force into their tables."""
    now, state_dir = time.time(), context.paths.state_dir
    kept = {login.id: tokens.load(state_dir, login.id) for login in in_force.load(state_dir)}
    valid = {name: one.access_token for name, one in kept.items() if tokens.is_valid(one, now)}
    if valid:
        from dms_relay.token_tables import write_tokens  # noqa: PLC0415 -- only if there are tokens

        write_tokens(context.paths, valid)


def _report(login: InForce, result: Kept | RelayError, context: Context) -> None:
    if isinstance(result, RelayError):
        what = f"relay {login.relay}: the access token of {login.username} cannot be renewed: {result}"
        context.log.error(what)
        return
    until = datetime.fromtimestamp(result.expires_at, UTC).isoformat(" ", "minutes").removesuffix("+00:00")
    context.log.info("access token renewed", relay=login.relay, username=login.username, until=f"{until} UTC")
