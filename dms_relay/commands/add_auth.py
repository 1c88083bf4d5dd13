"""``dms-relay add-auth``: set the login of a sender or of a relay in ``postfix-sasl-password.cf``.

The password comes from the terminal (two prompts, without echo), from standard input, or from the command line, where other
users can see it. It is accepted character for character or refused, and never shown.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dms_relay.commands.editing import Checks, edit_and_apply
from dms_relay.edit.entries import set_entry
from dms_relay.edit.keys import login_key
from dms_relay.errors import UsageError
from dms_relay.log import printable
from dms_relay.model import Login
from dms_relay.postfix.nexthop import SyntaxProblem, host_of
from dms_relay.sources import nexthops_of, read
from dms_relay.sources.environment import SECRET_MAX
from dms_relay.sources.sasl_password import NAME, check_login_length, check_login_part
from dms_relay.sources.text import UTF8_BOM, without_line_end

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context

_HOW = "leave it out to get a prompt, or use --password-stdin"


def run(arguments: Namespace, context: Context) -> int:
    """Write ``key  username:password``."""
    checks = Checks()
    key = checks("DOMAIN", lambda: login_key(arguments.domain), "")
    checks("USERNAME", lambda: _check_username(arguments.username), None)
    checks.require()
    _warn_of_relay(key, context)
    password = _password(arguments, context, key)
    checks("PASSWORD", lambda: _check_password(arguments.username, password), None)
    checks.require()
    login = Login(arguments.username, password)
    fact = f"{key} logs in as {login.shown_username}"
    return edit_and_apply(arguments, context, NAME, lambda text: set_entry(text, key, login.table_value), (fact, fact))


def _check_username(username: str) -> None:
    if not username:
        raise SyntaxProblem("the user name is empty", "write the one that the relay gave you")
    if not username.isprintable():
        raise SyntaxProblem("the user name contains a control character", "write the one that the relay gave you")
    check_login_part(username, is_username=True)


def _check_password(username: str, password: str) -> None:
    if not password:
        raise SyntaxProblem("the password is empty", "write the one that the relay gave you")
    check_login_part(password, is_username=False)
    check_login_length(username, password)


def _warn_of_relay(key: str, context: Context) -> None:
    """Warn if the host of a relay is given as a domain: the login is then for senders of that domain."""
    inputs = read(context.paths, context.environ)
    for nexthop in nexthops_of(inputs):
        if f"@{host_of(nexthop)}".casefold() == key.casefold():
            remedy = (
                f"for the relay, write {nexthop}"
                if any(sign in nexthop for sign in "[:")
                else "for the relay, edit the file by hand"
            )
            context.log.warn(
                f"DOMAIN: {host_of(nexthop)} is a relay, but this sets the login of its senders -- {remedy}"
            )
            return


def _password(arguments: Namespace, context: Context, key: str) -> str:
    if arguments.password_stdin:
        if arguments.password is not None:
            raise UsageError(
                "there are two passwords: on the command line and on standard input", "give only one of them"
            )
        return _from_standard_input()
    if arguments.password is not None:
        text = "the password is now in the shell's history, and other users could see it in the list of processes"
        context.log.warn(f"PASSWORD: {text} -- {_HOW}")
        return str(arguments.password)
    return _asked_for(key)


def _from_standard_input() -> str:
    """Return all of standard input without the final line end, as a secret's file is read."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("standard input is a terminal, which would show the password", "leave out --password-stdin")
    data = sys.stdin.buffer.read(SECRET_MAX + 1)
    if len(data) > SECRET_MAX:
        raise UsageError(f"the password on standard input is longer than {SECRET_MAX} octets", "send only the password")
    if not data:
        raise UsageError("standard input is empty", "with docker exec, add -i")
    if data.startswith(UTF8_BOM):
        raise UsageError("the password on standard input begins with a byte order mark", "save it as UTF-8 without one")
    return without_line_end(data.decode("utf-8", "surrogateescape"))


def _asked_for(key: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        remedy = "use --password-stdin; or, with docker exec, add -it"
        raise UsageError("there is no password, and no terminal to ask for it", remedy)
    from getpass import getpass  # noqa: PLC0415 -- only for a prompt

    try:
        password = getpass(f"Password for {printable(key)}: ")
        again = getpass("Repeat the password: ")
    except EOFError:
        raise UsageError("no password was entered, so nothing was changed", "run the command again") from None
    except UnicodeError:
        raise UsageError("the password is not UTF-8, so nothing was changed", "set the terminal to UTF-8") from None
    if password != again:
        raise UsageError("the two passwords differ, so nothing was changed", "run the command again")
    return password
