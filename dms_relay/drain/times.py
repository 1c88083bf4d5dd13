"""How long a drain may take, as a text: ``30s``, ``2m``, or a number of seconds. Pure."""

from __future__ import annotations

import re

#: Seconds that a drain may take by default.
TIMEOUT = 60.0
#: Seconds in a unit, and the maximum seconds of a drain: a day.
_UNITS = {"": 1, "s": 1, "m": 60}
LONGEST = 86_400.0
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([sm]?)", re.ASCII)


def seconds(text: str) -> float | None:
    """Return the seconds; ``None`` if the text is no time, is zero, or is too long."""
    found = _DURATION.fullmatch(text)
    number = float(found[1]) * _UNITS[found[2]] if found else 0.0
    return number if 0 < number <= LONGEST else None
