"""What a value carries of how it was packed: quotes, a comment, the name it is set to, a line end. Pure.

A login is taken as it is, character for character, so most of this is a note: the text may be part of the password. No text
shows any part of a value.

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

#: The identifier of what is found here (docs/checks.md).
PACKED = "packed-login"
USERNAME, PASSWORD = "user name", "password"
_QUOTES = frozenset("\"'")
#: How a value begins that is a reference or a path.
_BEGINS = (
    *("$", "%", "{", "/run/", "/var/", "/etc/", "/tmp/", "/secret", "/config/", "/mnt/", "/home/", "/opt/"),  # noqa: S108 -- words
    *("/root/", "/srv/", "/data/"),
)


@frozen
class Note:
    """What a part of a login carries, and what to write instead. ``what`` is the part."""

    what: str
    text: str
    remedy: str
    rule: str = PACKED


def packing(login: Login) -> Iterator[Note]:
    """Yield what is hardly part of a login, and is taken as part of it."""
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
    """Return True if a closer look is worth it: not for what most passwords look like, base64 among them."""
    is_plain = value.isascii() and not any(map(str.isspace, value)) and "=" not in value.rstrip("=")
    return not is_plain or value[:1] in _QUOTES or value.startswith(_BEGINS)


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES


def plain(value: str, what: str = "value") -> str:
    """Return the value of a setting that is no secret, trimmed. Raises ``SyntaxProblem`` where it carries its packing."""
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
    """Raise ``SyntaxProblem`` where a part of a login has a line end or a NUL: no lookup table can hold it."""
    if not any(character in value for character in "\r\n\0"):
        return
    text, remedy = f"the {what} contains a line end or a NUL", f"write only the {what}, on one line"
    if "\0" not in value and not any(character in value.strip("\r\n") for character in "\r\n"):
        is_last = value[-1] in "\r\n"
        text = f"the {what} {'ends in' if is_last else 'begins with'} a line end"
        remedy = f"remove the line end, which is hardly part of the {what}: printf writes none, echo and editors do"
    raise SyntaxProblem(f"{text}, which a lookup table cannot hold", remedy)
