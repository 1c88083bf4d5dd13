"""Finds packing in a value, which is hardly part of it: quotes, a comment, the variable's name, a line end. Pure.

A login is used as it is, character for character, so most findings are notes: the text may be part of the password. No
message shows any part of a value.

Known limits: a comment is a ``#`` after a blank; a path counts only below the usual directories, as a password in base64 may
begin with a slash.
"""

from __future__ import annotations

from dms_relay.model.values import frozen
from dms_relay.postfix.nexthop import SyntaxProblem, refuse_quotes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Login

#: The identifier of the findings here (docs/checks.md).
PACKED = "packed-login"
USERNAME, PASSWORD = "user name", "password"
_QUOTES = frozenset("\"'")
#: The beginnings of a reference or a path.
_BEGINS = (
    *("$", "%", "{", "/run/", "/var/", "/etc/", "/tmp/", "/secret", "/config/", "/mnt/", "/home/", "/opt/"),  # noqa: S108 -- words
    *("/root/", "/srv/", "/data/"),
)


@frozen
class Note:
    """The packing in a part of a login, and what to write instead. ``what`` is the part."""

    what: str
    text: str
    remedy: str
    rule: str = PACKED


def packing(login: Login) -> Iterator[Note]:
    """Yield text that is used as part of a login but hardly belongs to it."""
    username, password = login.username, login.password
    if username and password.startswith(f"{username}:"):
        yield Note(PASSWORD, "the password begins with the user name and a colon", "write only the password")
    if not (_is_suspect(username) or _is_suspect(password)):
        return
    from dms_relay.sources.packed_parts import of_part  # noqa: PLC0415 -- its patterns take 8 ms, and are rarely needed

    if username[:1] in _QUOTES and password[-1:] == username[:1] and not (_is_quoted(username) or _is_quoted(password)):
        text = "the login has quotes around it, which are taken as part of user name and password"
        yield Note(USERNAME, text, "remove the quotes, unless they belong to it")
    if username[-1:].isspace() or password[:1].isspace():
        text = "the login has a space beside the colon, which is taken as part of it"
        yield Note(PASSWORD, text, "write user:password without a space")
    for what, value in ((USERNAME, username), (PASSWORD, password)):
        for text, remedy, rule in of_part(what, value):
            yield Note(what, text, remedy, rule or PACKED)


def _is_suspect(value: str) -> bool:
    """Return True if the detailed check is worth its time: not for most passwords, base64 included."""
    is_plain = value.isascii() and not any(map(str.isspace, value)) and "=" not in value.rstrip("=")
    return not is_plain or value[:1] in _QUOTES or value.startswith(_BEGINS)


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES


def plain(value: str, what: str = "value") -> str:
    """Return the value of a setting that is no secret, trimmed. Raises ``SyntaxProblem`` if it includes its packing."""
    text = value.strip(" \t")
    if text and text[-1] in "\r\n":
        raise SyntaxProblem("the value ends in a line end", "remove the line end: printf writes none, echo does")
    if any(character < " " and character != "\t" for character in text):
        raise SyntaxProblem("the value contains a line end or a control character", "write one line")
    refuse_quotes(text)
    if " #" in text or "\t#" in text:
        raise SyntaxProblem(f"a comment follows the {what}", "write comments on separate lines")
    return text


def refuse_line_ends(value: str, what: str) -> None:
    """Raise ``SyntaxProblem`` if a part of a login has a line end or a NUL: no lookup table can hold these."""
    if not any(character in value for character in "\r\n\0"):
        return
    text, remedy = f"the {what} contains a line end or a NUL", f"write only the {what}, on one line"
    if "\0" not in value and not any(character in value.strip("\r\n") for character in "\r\n"):
        is_last = value[-1] in "\r\n"
        text = f"the {what} {'ends in' if is_last else 'begins with'} a line end"
        remedy = f"remove the line end, which is hardly part of the {what}: printf writes none, echo and editors do"
    raise SyntaxProblem(f"{text}, which a lookup table cannot hold", remedy)
