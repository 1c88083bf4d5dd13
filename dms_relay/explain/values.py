"""The values of Postfix's parameters, as one program of Postfix's sees them: main.cf with what its service overrides. Pure.

Postfix expands ``$name``, ``${name}`` and ``$(name)`` when it reads a value, so what a service overrides counts in every
value that names it (postconf(5)). Known limits: a value with a condition (``${name?…}``) is taken as postconf(1) expands it
for main.cf alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dms_relay.postfix import main_cf

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"\$(?:(\$)|(\w+)|\((\w+)\)|\{(\w+)\})")
_CONDITION = re.compile(r"\$[({]\s*(?:\w+\s*[?:]|[{$])")
#: How deep one value may name another; Postfix stops at 100 (mac_expand.c).
_DEPTH_MAX = 20


class Values:
    """Parameters by name. ``raw`` is as main.cf and the defaults have them, ``expanded`` as ``postconf -x`` prints them."""

    def __init__(
        self, raw: Mapping[str, str], expanded: Mapping[str, str], overrides: Mapping[str, str] | None = None
    ) -> None:
        """Take every parameter, and what a service overrides."""
        self._raw = {**raw, **(overrides or {})}
        self._base = raw
        self._expanded = expanded

    def get(self, name: str) -> str:
        """Return a value, expanded; empty where there is no such parameter."""
        return self._expand(name, 0).strip(" \t")

    def is_yes(self, name: str) -> bool:
        """Return True if a boolean parameter is on."""
        return main_cf.is_yes(self.get(name))

    def words(self, name: str) -> list[str]:
        """Return a list of words, separated by commas or spaces; text in braces is one word."""
        return main_cf.split(self.get(name))

    def with_overrides(self, overrides: Mapping[str, str]) -> Values:
        """Return what a program sees whose service overrides some."""
        return Values(self._base, self._expanded, overrides)

    def with_changes(self, changes: Mapping[str, str]) -> Values:
        """Return what a program sees once main.cf has other values."""
        return Values({**self._base, **changes}, self._expanded)

    def _expand(self, name: str, depth: int) -> str:
        value = self._raw.get(name, "")
        if "$" not in value or depth > _DEPTH_MAX:
            return value
        if _CONDITION.search(value):
            return self._expanded.get(name, value)
        return _NAME.sub(lambda m: "$" if m[1] else self._expand(m[2] or m[3] or m[4], depth + 1), value)
