"""Reads what the command said on standard error, in either format, without the time of day."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.sandbox import Result

_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \[(\w+) *\] (.*)")


def said(result: Result) -> list[tuple[str, str]]:
    """Return each line of the console format as level and text; any other line is a failure."""
    found = []
    for line in result.err.splitlines():
        match = _LINE.fullmatch(line)
        assert match, f"not a line of the log: {line!r}"
        found.append((match[1], match[2].rstrip()))
    return found


def of_level(result: Result, level: str) -> list[str]:
    """Return the texts of one level, in their order."""
    return [text for found, text in said(result) if found == level]
