"""``dms-relay add-auth``: the login of a sender or at a relay, in ``postfix-sasl-password.cf``.

The password comes from the terminal (asked for twice, without echo), from standard input, or from the command line, where
others can see it. It is taken character for character or refused, and never shown.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dms_relay.commands.editing import Checks, edit_and_apply
from dms_relay.entries import set_entry
from dms_relay.errors import UsageError
from dms_relay.keys import login_key
from dms_relay.model import Login
from dms_relay.nexthop import SyntaxProblem
from dms_relay.sources.environment import SECRET_MAX
from dms_relay.sources.sasl_password import NAME, check_login_length, check_login_part

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context

_HOW = "leave it out to be asked for it, or give it by --password-stdin"


def run(arguments: Namespace, context: Context) -> int:
    """Write ``key  username:password``."""
    checks = Checks()
    key = checks("DOMAIN", lambda: login_key(arguments.domain), "")
    checks("USERNAME", lambda: _check_username(arguments.username), None)
    checks.require()
    password = _password(arguments, context, key)
    checks("PASSWORD", lambda: _check_password(arguments.username, password), None)
    checks.require()
    login = Login(arguments.username, password)
    fact = f"{key} logs in as {login.shown_username}"
    return edit_and_apply(arguments, context, NAME, lambda text: set_entry(text, key, login.table_value), fact)


def _check_username(username: str) -> None:
    if not username:
        raise SyntaxProblem("the user name is empty", "write the one that the relay gave you")
    check_login_part(username, is_username=True)


def _check_password(username: str, password: str) -> None:
    if not password:
        raise SyntaxProblem("the password is empty", "write the one that the relay gave you")
    check_login_part(password, is_username=False)
    check_login_length(username, password)


def _password(arguments: Namespace, context: Context, key: str) -> str:
    if arguments.password_stdin:
        if arguments.password is not None:
            raise UsageError("two passwords: one on the command line, one by --password-stdin -- give one")
        return _from_standard_input()
    if arguments.password is not None:
        text = "the password stands in the shell's history, and for a moment in the list of processes"
        context.log.warn(f"PASSWORD: {text} -- {_HOW}")
        return str(arguments.password)
    return _asked_for(f"{arguments.username} at {key}")


def _from_standard_input() -> str:
    """Read all of standard input; only the final line end is taken off, as from a secret's file."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("standard input is a terminal, which would show the password -- leave out --password-stdin")
    data = sys.stdin.buffer.read(SECRET_MAX + 1)
    if len(data) > SECRET_MAX:
        raise UsageError(
            f"the password on standard input is longer than {SECRET_MAX} octets -- give the password alone"
        )
    text = data.decode("utf-8", "surrogateescape")
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def _asked_for(whose: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        remedy = "give it by --password-stdin; docker exec has a terminal with -it"
        raise UsageError(f"no password, and no terminal to ask for it -- {remedy}")
    from getpass import getpass  # noqa: PLC0415 -- only where somebody is asked

    try:
        password = getpass(f"Password of {whose}: ")
        again = getpass("Once more: ")
    except (EOFError, UnicodeError):
        raise UsageError("no password was typed -- nothing was changed") from None
    if password != again:
        raise UsageError("the two passwords differ -- nothing was changed; run the command again")
    return password
