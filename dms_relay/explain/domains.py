"""Whether a domain is in one of the lists by which Postfix tells the classes of addresses (match_list.c, match_ops.c)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.explain.tables import Key, LookupFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.explain.tables import Tables
    from dms_relay.explain.values import Values

_PARENTS = "parent_domain_matches_subdomains"


class Domains:
    """The lists of domains of one machine. Raises ``LookupFailedError`` where a table or a file of one cannot be read."""

    def __init__(self, values: Values, tables: Tables) -> None:
        """Take the parameters that hold the lists, and who looks tables up."""
        self._values = values
        self._tables = tables

    def has(self, parameter: str, domain: str) -> bool:
        """Whether a list has a domain: the first pattern that matches decides."""
        is_parent = self.matches_parents(parameter)
        for pattern, is_match in _patterns(self._values.words(parameter), is_match=True):
            if self._matches(parameter, pattern, domain.casefold(), is_parent=is_parent):
                return is_match
        return False

    def is_own(self, domain: str) -> bool:
        """Whether users of a domain are users of this machine (mail_addr_find(3))."""
        return domain.casefold() == self._values.get("myorigin").casefold() or self.has("mydestination", domain)

    def matches_parents(self, parameter: str) -> bool:
        """Whether a domain in this list stands for its subdomains as well."""
        return parameter in self._values.words(_PARENTS)

    def _matches(self, parameter: str, pattern: str, domain: str, *, is_parent: bool) -> bool:
        if ":" in pattern and not pattern.startswith("["):
            labels = domain.split(".")
            names = [".".join(labels[number:]) for number in range(len(labels) if is_parent else 1)]
            return self._tables.find(parameter, pattern, [Key(name, is_partial=False) for name in names]) is not None
        return domain == pattern.casefold() or (is_parent and domain.endswith(f".{pattern.casefold()}"))


def _patterns(words: list[str], *, is_match: bool) -> Iterator[tuple[str, bool]]:
    """Give each pattern and whether it says yes; the lines of a file that is named are patterns as well."""
    for word in words:
        item = word.lstrip("!")
        is_this = is_match ^ bool((len(word) - len(item)) % 2)
        if item.startswith("/"):
            yield from _patterns(_file_words(item), is_match=is_this)
        else:
            yield item, is_this


def _file_words(name: str) -> list[str]:
    try:
        lines = Path(name).read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise LookupFailedError(f"{name} cannot be read: {error.strerror}") from None
    return [word for line in lines if not line.startswith("#") for word in line.replace(",", " ").split()]
