"""Times, ages and sizes for people and for documents. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

#: Seconds of each unit of an age, the biggest first.
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_KIB = 1024


def age(seconds: float) -> str:
    """Return a time span in its two biggest units: ``2 d 5 h``, ``14 min``, ``8 s``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size or parts:
            parts.append(f"{left // size} {unit}")
            left %= size
    shown = [part for part in parts[:2] if not part.startswith("0 ")]
    return " ".join(shown) or f"{left} s"


def octets(size: int) -> str:
    """Return a size with a unit."""
    amount, unit = float(size), "B"
    for bigger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < _KIB:
            break
        amount, unit = amount / _KIB, bigger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def iso(seconds: float) -> str:
    """Return a time in ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
