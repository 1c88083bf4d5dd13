"""Variables that look like a setting and are none: misspelt names of ours, and the names that other images use. Pure.

A variable that some input asks for by its name (``password_env`` of relay.yaml) is a setting, whatever it is called. Known
limits: a value is never looked at, so a variable for another program in the same container is named as well.
"""

from __future__ import annotations

import re

from dms_relay.model import Problem
from dms_relay.sources.environment import FILE_SUFFIXES, OURS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.model import Setting
    from dms_relay.sources.environment import Lookup

_NEAR_MISS = re.compile(r"(?:SMTP|POSTFIX|DMS|MAIL)?(DEFAULT)?RELAY(?:HOST)?([A-Z]*?)(FILE)?")
_MEANT = {
    "RELAY_HOST": ("", "SERVER", "NAME", "ADDRESS", "NEXTHOP", "URL", "URI"),
    "RELAY_PORT": ("PORT", "PORTS"),
    "RELAY_USER": ("USER", "USERNAME", "LOGIN", "ACCOUNT", "USERID"),
    "RELAY_PASSWORD": ("PASS", "PASSWD", "PASSWORD", "PWD", "SECRET", "PASSWORT", "PW"),
}
#: Likeness (difflib, 0 to 1) from which a name counts as a slip of ours: one or two letters in ten.
_LIKENESS = 0.85
#: Letters that may stand in one of two names only: one taken for another. Cheap to see, so that difflib is rarely needed.
_OTHER_LETTERS = 2
#: How the names of other images begin, beside those that have RELAY in them.
_OTHERS = (
    "SMTP",
    "SASL",
    "AWS_SES",
    "SES_",
    "GMAIL_",
    "SMART",
    "MTP_",
    "SMF_",
    "EXT_RELAY",
    "SENDER_",
    "POSTFIX_",
    "POSTCONF_",
)


def report_near_misses(lookup: Lookup, problems: list[Problem]) -> None:
    """Warn of each variable that is set and looks like one of ours, with the name that is right."""
    for source in lookup.sources:
        for name, setting in source.items():
            if setting.value and name.isascii() and name not in lookup.asked and (meant := meant_by(name)):
                problems.append(_problem(name, setting, meant, lookup.sources))


def _problem(name: str, setting: Setting, meant: str, sources: tuple[Mapping[str, Setting], ...]) -> Problem:
    """Say it at the level of a warning; of a note, where what is meant is set: the variable may be another program's."""
    text = f"{name} is not a setting and has no effect"
    words = [word for word in re.split(r"[=,\s]+", meant) if word in OURS]
    is_set = any(word in source and source[word].value for word in words for source in sources)
    is_note = is_set and "RELAY" not in name.upper()
    from dms_relay.sources.other_images import importable  # noqa: PLC0415 -- rarely needed

    there = {found for source in sources for found, value in source.items() if value.value}
    remedy = f"set {meant}{importable(name, there)}"
    return Problem(setting.origin, text, remedy, is_error=False, rule="unknown-setting", is_note=is_note)


def meant_by(name: str) -> str:
    """Return what to set instead of a variable that is not asked for; ``""`` where its name says nothing to us."""
    found = " or ".join(_meant(name))
    if found or not ("RELAY" in name or name.startswith(_OTHERS)):
        return found
    from dms_relay.sources.other_images import meant_elsewhere  # noqa: PLC0415 -- rarely needed

    return meant_elsewhere(name)


def _meant(name: str) -> Iterator[str]:
    if name.upper() in OURS:
        yield name.upper()
        return
    match = _NEAR_MISS.fullmatch(name.upper().replace("_", "").replace("-", ""))
    rights = list(_by_word(match[2], is_default=bool(match[1]))) if match else []
    yield from [right + FILE_SUFFIXES[0] for right in rights] if match and match[3] else rights
    if not rights:
        yield from _slips(name)


def _by_word(word: str, *, is_default: bool) -> Iterator[str]:
    """Yield what is meant by RELAY and a word that others use for what ours says."""
    for right, words in _MEANT.items():
        if word in words and is_default:
            # The port of a default relay stands in its nexthop.
            yield "DEFAULT_RELAY_HOST" if right in {"RELAY_HOST", "RELAY_PORT"} else right
        elif word in words:
            if right == "RELAY_HOST":
                yield "DEFAULT_RELAY_HOST"
            yield right


def _slips(name: str) -> list[str]:
    """Return the setting whose name differs by a letter or two."""
    letters = set(name)
    near = [right for right in OURS if abs(len(name) - len(right)) <= 1]
    close = [right for right in near if len(letters.symmetric_difference(right)) <= _OTHER_LETTERS]
    if not close:
        return []
    from difflib import get_close_matches  # noqa: PLC0415 -- 5 ms, and rarely needed

    return get_close_matches(name, close, n=1, cutoff=_LIKENESS)
