"""The parameters of Postfix as one of its programs sees them: main.cf with the overrides of its service. Pure.

Postfix expands ``$name``, ``${name}`` and ``$(name)`` when it reads a value, so an override counts in every value that
names it (postconf(5)). Known limits: a value with a condition (``${name?…}``) is used as postconf(1) expands it for main.cf
alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dms_relay.postfix import main_cf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME = re.compile(r"\$(?:(\$)|(\w+)|\((\w+)\)|\{(\w+)\})")
_CONDITION = re.compile(r"\$[({]\s*(?:\w+\s*[?:]|[{$])")
#: How deeply values may refer to each other; Postfix stops at 100 (mac_expand.c).
_DEPTH_MAX = 20


class Values:
    """Parameters by name: ``raw`` from main.cf and the defaults, and ``expanded`` as ``postconf -x`` prints them."""

    def __init__(
        self, raw: Mapping[str, str], expanded: Mapping[str, str], overrides: Mapping[str, str] | None = None
    ) -> None:
        """Store all parameters, and the overrides of a service."""
        self._raw = {**raw, **(overrides or {})}
        self._base = raw
        self._expanded = expanded

    def get(self, name: str) -> str:
        """Return a value, expanded; ``""`` if there is no such parameter."""
        return self._expand(name, 0).strip(" \t")

    def printed(self, names: Iterable[str]) -> dict[str, str]:
        """Return those of some parameters that there are, as ``postconf -x`` prints them."""
        return {name: self._expanded[name] for name in names if name in self._expanded}

    def is_yes(self, name: str) -> bool:
        """Return True if a boolean parameter is on."""
        return main_cf.is_yes(self.get(name))

    def words(self, name: str) -> list[str]:
        """Return a list of words, separated by commas or spaces; text in braces is one word."""
        return main_cf.split(self.get(name))

    def with_overrides(self, overrides: Mapping[str, str]) -> Values:
        """Return the values that a program sees if its service overrides some."""
        return Values(self._base, self._expanded, overrides)

    def with_changes(self, changes: Mapping[str, str]) -> Values:
        """Return the values that a program sees once main.cf has other values."""
        return Values({**self._base, **changes}, self._expanded)

    def _expand(self, name: str, depth: int) -> str:
        value = self._raw.get(name, "")
        if "$" not in value or depth > _DEPTH_MAX:
            return value
        if _CONDITION.search(value):
            return self._expanded.get(name, value)
        return _NAME.sub(lambda m: "$" if m[1] else self._expand(m[2] or m[3] or m[4], depth + 1), value)
