"""What a value carries of how it was packed: quotes, a comment, the name it is set to, a line end. Pure.

A login is taken as it is, character for character, so most of this is a note: the text may be part of the password. No text
shows any part of a value.

Known limits: a comment is a ``#`` after a blank; a path counts only below the usual directories, as a password in base64 may
begin with a slash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from dms_relay.postfix.nexthop import SyntaxProblem, refuse_quotes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Login

#: The identifiers of what is found here (docs/checks.md).
PACKED = "packed-login"
COMMENT = "comment-in-password"
USERNAME, PASSWORD = "user name", "password"
_QUOTES = frozenset("\"'")
#: No login without one of these has any packing, but for a password that begins with its user name.
_SUSPECT = re.compile(r"[\"'\s${%/=\u200b\u2060\ufeff]")
_COMMENT = re.compile(r"\s#")
#: The name of a setting or of a key, before its value.
_NAME = re.compile(
    r"(?:export\s+)?[\w.-]*(?:pass|passwd|password|pwd|secret|token|user|username|login|key)(?:__?file)?\s*(?:=|:\s)",
    re.IGNORECASE | re.ASCII,
)
#: What a shell, compose, Helm, Ansible or Windows would expand.
_REFERENCE = re.compile(r"\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]+|\$\([^)]*\)|\{\{.*\}\}|%[A-Z_][A-Z0-9_]+%", re.DOTALL)
_PATH = re.compile(r"/(?:run|var|etc|tmp|secrets?|config|mnt|home|opt|root|srv|data)/[\w./@-]+")
#: What looks like a blank, or like nothing, and is no blank: it comes with text that is copied from a web page.
_ODD_BLANK = re.compile(r"[^\S \t]|[\u200b\u2060\ufeff]")


class Note(NamedTuple):
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
    if not (_SUSPECT.search(username) or _SUSPECT.search(password)):
        return
    if username[:1] in _QUOTES and password[-1:] == username[:1] and not (_is_quoted(username) or _is_quoted(password)):
        text = "the login has quotes around it, which are taken as part of user name and password"
        yield Note(USERNAME, text, "remove the quotes, unless they belong to it")
    if username[-1:].isspace() or password[:1].isspace():
        text = "the login has a space beside the colon, which is taken as part of it"
        yield Note(PASSWORD, text, "write user:password without a space")
    for what, value in ((USERNAME, username), (PASSWORD, password)):
        yield from _of_part(what, value)


def _of_part(what: str, value: str) -> Iterator[Note]:
    if _is_quoted(value):
        text = f"the {what} has quotes around it, which are taken as part of it"
        yield Note(what, text, "remove the quotes, unless they belong to it")
        value = value[1:-1]
    if _NAME.match(value):
        yield Note(what, f"the {what} begins with the name of a setting", f"write only the {what}")
    elif _REFERENCE.fullmatch(value):
        remedy = f"write the {what} itself; in relay.yaml, password_env names a variable"
        yield Note(what, f"the {what} looks like a reference to a variable, which is not expanded", remedy)
    elif _PATH.fullmatch(value):
        remedy = "set RELAY_PASSWORD__FILE or RELAY_USER__FILE to that path, or write password_file in relay.yaml"
        yield Note(what, f"the {what} looks like the path of a file, which is not read", remedy)
    if _COMMENT.search(value):
        text = f"the {what} contains a space and a #: what looks like a comment is part of it"
        yield Note(what, text, "write comments on separate lines", COMMENT)
    if _ODD_BLANK.search(value):
        yield Note(
            what, f"the {what} contains a no-break space or the like", f"type the {what}, or remove that character"
        )


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
    if _COMMENT.search(text):
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
