"""A time as an operator writes it: a number of seconds, or of the unit behind it, as in Postfix's own parameters. Pure.

Units are those of postconf(5), "time units": ``s``, ``m``, ``h``, ``d``, ``w``. A fraction, capital letters and a space
before the unit are taken as well, which Postfix does not take.
"""

from __future__ import annotations

import re

#: What a message says to write.
FORMS = "seconds, 90s, 5m, or 1h"
#: Seconds in each unit.
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?|\.[0-9]{1,6}) ?([smhdw]?)", re.IGNORECASE | re.ASCII)


def seconds(text: str) -> float | None:
    """Return the seconds of a text; ``None`` where it is no time."""
    found = _TIME.fullmatch(text.strip())
    return float(found[1]) * _UNITS[found[2].lower()] if found else None


def shown(number: float) -> str:
    """Return a time as a person would write it: ``0.1s``, ``5m``, ``30d``."""
    unit = max((u for u in "smhd" if number % _UNITS[u] == 0), key=_UNITS.__getitem__, default="s")
    return f"{number / _UNITS[unit]:g}{unit}"
