"""``postfix-sasl-password.cf``: the logins, by sender or by nexthop.

Lines: ``@domain user:password``, ``user@domain user:password``, ``nexthop user:password``. The first colon ends the user
name, as for Postfix. Reads that file, writes nothing. A mistake becomes a ``Problem``, which never shows any part of the
line: a wrong key may well be a login.
"""

from __future__ import annotations

from dms_relay.model import Login, LoginEntry, Problem
from dms_relay.postfix.nexthop import SyntaxProblem, check_nexthop
from dms_relay.sources.packing import refuse_line_ends
from dms_relay.sources.text import check_sender_key, read_entries
from dms_relay.sources.wildcards import refuse_everybody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import Origin, Paths

NAME = "postfix-sasl-password.cf"
#: Maximum octets of user name and password together. RFC 4954, section 4, allows 12,288 octets for the base64 of the PLAIN
#: message (RFC 4616), which adds two NULs.
LOGIN_MAX = 12288 // 4 * 3 - 2


def read_logins(paths: Paths, problems: list[Problem]) -> tuple[LoginEntry, ...] | None:
    """Return the logins in the order of the file; ``None`` if there is no such file."""
    entries: list[LoginEntry] = []

    def entry(key: str, value: str, origin: Origin) -> None:
        check_login_key(key, value)
        login = parse_login(value)
        entries.append(LoginEntry(key, login, origin))
        if not login.password:
            warn(origin, "the password is empty", "write user:password after the key")
        if key.startswith("*@"):
            warn(origin, "* is not a wildcard here", "write @domain for every sender of the domain")

    def warn(origin: Origin, text: str, remedy: str) -> None:
        problems.append(Problem(origin, text, remedy, is_error=False))

    found = read_entries(paths.config_dir / NAME, NAME, problems, entry)
    return tuple(entries) if found else None


def check_login_key(key: str, value: str) -> None:
    """Raise ``SyntaxProblem`` unless ``key`` is a sender key or a nexthop, and a login follows it."""
    if not value:
        raise SyntaxProblem("the line has only one field", "write a key and a login: @domain user:password")
    refuse_everybody(key, "write the relay's nexthop as the key: such a login serves every sender")
    if "@" in key:
        check_sender_key(key)
        return
    if "," in key:
        raise SyntaxProblem("the key is a list", "write one line for each nexthop, with its login")
    try:
        check_nexthop(key)
    except SyntaxProblem:
        raise SyntaxProblem(
            "the key is neither @domain, user@domain nor a nexthop", "write the key first, then user:password"
        ) from None


def parse_login(value: str) -> Login:
    """Split ``user:password`` at its first colon. Raises ``SyntaxProblem``."""
    username, colon, password = value.partition(":")
    if not colon:
        raise SyntaxProblem("the login has no colon", "write user:password after the key")
    if not username:
        raise SyntaxProblem("the login has no user name", "write user:password after the key")
    check_login_length(username, password)
    return Login(username, password)


def check_login_length(username: str, password: str) -> None:
    """Raise ``SyntaxProblem`` if the login is too long for any SMTP server."""
    if len((username + password).encode()) > LOGIN_MAX:
        raise SyntaxProblem(f"the login is longer than {LOGIN_MAX} octets", "use the login that the relay gave you")


def check_login_part(value: str, *, is_username: bool) -> None:
    """Raise ``SyntaxProblem`` unless a user name or password is not empty and a Postfix table can hold it unchanged."""
    what = "user name" if is_username else "password"
    refuse_line_ends(value, what)
    if value[0] in " \t\v\f" or value[-1] in " \t\v\f":
        raise SyntaxProblem(
            f"the {what} begins or ends with a space, which a lookup table cannot hold", "remove the space"
        )
    if is_username and ":" in value:
        remedy = "write only the user name; if the colon belongs to it, use another login"
        raise SyntaxProblem("the user name contains a colon, where Postfix ends it", remedy)
    check_login_length(value, "")
