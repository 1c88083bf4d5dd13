"""Sets parameters of single services in master.cf, and restores the previous text to the octet. Pure.

``postconf -P`` would do the same, but it reformats the service and cannot restore the previous text. A setting is stored as
the argument of ``-o``, its "word": ``name=value`` or ``{ name = value }``. If a service overrides a parameter twice, the
last one counts, and is the one that we change.

Known limits: an ``-o`` with its argument on the next line is not found; a new one is then added after it, and counts.
"""

from __future__ import annotations

import re

from dms_relay.postfix.main_cf import logical_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The beginning of a line that we add to a service.
_INDENT = "    -o "
#: The number of fields of a service; its arguments follow (master(5)).
_FIELDS = 8


def split_key(key: str) -> tuple[str, str]:
    """Split ``smtp/unix/smtp_helo_name`` into the service ``smtp/unix`` and the parameter ``smtp_helo_name``."""
    service, _, name = key.rpartition("/")
    return service, name


def services(text: str) -> dict[str, tuple[int, int]]:
    """Return the line numbers of each service by name and type, from 0, end excluded; of two alike, those of the first."""
    found: dict[str, tuple[int, int]] = {}
    for line in logical_lines(text):
        fields = line.text.split(None, _FIELDS)
        if len(fields) >= _FIELDS:
            found.setdefault(f"{fields[0]}/{fields[1]}", (line.first, line.end))
    return found


def words(text: str, keys: Iterable[str]) -> dict[str, str]:
    """Return the word of each key that is set."""
    lines, places = text.split("\n"), services(text)
    found = {}
    for key in keys:
        service, name = split_key(key)
        if service in places and (hit := _find(lines, places[service], name)):
            found[key] = hit[1][1]
    return found


def with_words(text: str, wanted: Mapping[str, str | None]) -> str:
    """Return ``text`` with each key set to a word, or removed (``None``). Keys of missing services are ignored."""
    for key, word in wanted.items():
        service, name = split_key(key)
        if place := services(text).get(service):
            text = "\n".join(_set(text.split("\n"), place, name, word))
    return text


def _find(lines: list[str], place: tuple[int, int], name: str) -> tuple[int, re.Match[str]] | None:
    pattern = re.compile(rf"(?<=-o)\s*(\{{\s*{re.escape(name)}\s*=[^{{}}]*\}}|{re.escape(name)}=\S*)")
    for number in range(place[1] - 1, place[0] - 1, -1):
        if not lines[number].lstrip().startswith("#") and (found := list(pattern.finditer(lines[number]))):
            return number, found[-1]
    return None


def _set(lines: list[str], place: tuple[int, int], name: str, word: str | None) -> list[str]:
    hit = _find(lines, place, name)
    if hit is None:
        return lines if word is None else [*lines[: place[1]], f"{_INDENT}{word}", *lines[place[1] :]]
    number, match = hit
    line = lines[number]
    if word is not None:
        new = [line[: match.start(1)] + word + line[match.end(1) :]]
    else:
        rest = (line[: match.start()].removesuffix("-o").rstrip(" \t") + line[match.end() :]).rstrip(" \t")
        new = [rest] if rest else []
    return [*lines[:number], *new, *lines[number + 1 :]]
