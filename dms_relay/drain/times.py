"""How long a drain may take, for its option and for RELAY_DRAIN. Pure."""

from __future__ import annotations

from dms_relay.model import times

#: Seconds that a drain may take by default.
TIMEOUT = 60.0
#: The maximum seconds of a drain: a day.
LONGEST = 86_400.0
#: What to write, wherever something else is written.
REMEDY = f"write {times.FORMS}; at most {times.shown(LONGEST)}"


def seconds(text: str) -> float | None:
    """Return the seconds; ``None`` if the text is no time, is zero, or is too long."""
    found = times.seconds(text)
    return found if found and found <= LONGEST else None
