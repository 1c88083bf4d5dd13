"""The detailed check of a user name or password for its packing: loaded only if a login looks suspect. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_RULE_OF_COMMENT = "comment-in-password"
_QUOTES = frozenset("\"'")
_COMMENT = re.compile(r"\s#")
#: The name of a setting or of a key, before its value.
_NAME = re.compile(
    r"(?:export\s+)?[\w.-]*(?:pass|passwd|password|pwd|secret|token|user|username|login|key)(?:__?file)?\s*(?:=|:\s)",
    re.IGNORECASE | re.ASCII,
)
#: A reference that a shell, compose, Helm, Ansible or Windows would expand.
_REFERENCE = re.compile(r"\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]+|\$\([^)]*\)|\{\{.*\}\}|%[A-Z_][A-Z0-9_]+%", re.DOTALL)
_PATH = re.compile(r"/(?:run|var|etc|tmp|secrets?|config|mnt|home|opt|root|srv|data)/[\w./@-]+")
#: A character that looks like a blank, or like nothing, but is none: it comes with text copied from a web page.
_ODD_BLANK = re.compile(r"[^\S \t]|[\u200b\u2060\ufeff]")


class Found(NamedTuple):
    """What is wrong, what to do, and the finding's own identifier if it has one."""

    text: str
    remedy: str
    rule: str = ""


def of_part(what: str, value: str) -> Iterator[Found]:
    """Yield the packing that one part of a login includes."""
    if _is_quoted(value):
        text = f"the {what} has quotes around it, which are taken as part of it"
        yield Found(text, "remove the quotes, unless they belong to it")
        value = value[1:-1]
    if _NAME.match(value):
        yield Found(f"the {what} begins with the name of a setting", f"write only the {what}")
    elif _REFERENCE.fullmatch(value):
        remedy = f"write the {what} itself; in relay.yaml, password_env names a variable"
        yield Found(f"the {what} looks like a reference to a variable, which is not expanded", remedy)
    elif _PATH.fullmatch(value):
        remedy = "set RELAY_PASSWORD__FILE or RELAY_USER__FILE to that path, or write password_file in relay.yaml"
        yield Found(f"the {what} looks like the path of a file, which is not read", remedy)
    if _COMMENT.search(value):
        text = f"the {what} contains a space and a #: what looks like a comment is part of it"
        yield Found(text, "write comments on separate lines", rule=_RULE_OF_COMMENT)
    if _ODD_BLANK.search(value):
        yield Found(f"the {what} contains a no-break space or the like", f"type the {what}, or remove that character")


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES
