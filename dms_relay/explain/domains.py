"""The domain lists that define Postfix's address classes (match_list.c, match_ops.c)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.explain.tables import Key, LookupFailedError
from dms_relay.files.content import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.explain.tables import Tables
    from dms_relay.explain.values import Values

_PARENTS = "parent_domain_matches_subdomains"
#: The only list in which a pattern can match subdomains: the others hold plain strings (resolve.c, resolve_local.c).
_WITH_SUBDOMAINS = "relay_domains"


class Domains:
    """The domain lists of one machine. Raises ``LookupFailedError`` if a table or a file cannot be read."""

    def __init__(self, values: Values, tables: Tables) -> None:
        """Store the parameters that contain the lists, and the lookup tables."""
        self._values = values
        self._tables = tables

    def has(self, parameter: str, domain: str) -> bool:
        """Return True if a domain is in a list: the first pattern that matches decides."""
        for pattern, is_match in _patterns(self._values.words(parameter), is_match=True):
            if self._matches(parameter, pattern, domain.casefold()):
                return is_match
        return False

    def is_own(self, domain: str) -> bool:
        """Return True if users of a domain are local users (mail_addr_find(3))."""
        return domain.casefold() == self._values.get("myorigin").casefold() or self.has("mydestination", domain)

    def matches_parents(self, parameter: str) -> bool:
        """Return True if a domain in this list also matches its subdomains."""
        return parameter in self._values.words(_PARENTS)

    def _matches(self, parameter: str, pattern: str, domain: str) -> bool:
        """Return True if a pattern matches; only in ``relay_domains`` can it also match subdomains."""
        names = [domain]
        if parameter == _WITH_SUBDOMAINS:
            labels = domain.split(".")
            dot = "" if self.matches_parents(parameter) else "."
            names += [dot + ".".join(labels[number:]) for number in range(1, len(labels))]
        if ":" in pattern and not pattern.startswith("["):
            keys = [Key(name, is_partial=number > 0) for number, name in enumerate(names)]
            return self._tables.find(parameter, pattern, keys) is not None
        return pattern.casefold() in names


def _patterns(words: list[str], *, is_match: bool) -> Iterator[tuple[str, bool]]:
    """Yield each pattern, with False if it is negated; a file name means the patterns in the file."""
    for word in words:
        item = word.lstrip("!")
        is_this = is_match ^ bool((len(word) - len(item)) % 2)
        if item.startswith("/"):
            yield from _patterns(_file_words(item), is_match=is_this)
        else:
            yield item, is_this


def _file_words(name: str) -> list[str]:
    try:
        lines = read_whole(Path(name)).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise LookupFailedError(f"{name} cannot be read: {error.strerror}") from None
    return [word for line in lines for word in _words(line)]


def _words(line: str) -> list[str]:
    """Return the words of a line, without a comment at its end."""
    words = line.replace(",", " ").split()
    return words[: next((number for number, word in enumerate(words) if word.startswith("#")), None)]
