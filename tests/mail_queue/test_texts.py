"""Ages and sizes are short, and right at their limits."""

from __future__ import annotations

import pytest

from dms_relay.mail_queue.texts import age, octets

AGES = {-5: "0 s", 0: "0 s", 59: "59 s", 60: "1 min", 3599: "59 min", 3600: "1 h", 3660: "1 h 1 min", 90000: "1 d 1 h"}
SIZES = {0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 5 << 29: "2.5 GiB", 1 << 50: "1024.0 TiB"}


@pytest.mark.parametrize(("seconds", "text"), AGES.items())
def test_age(seconds: float, text: str) -> None:
    """The two biggest units are shown; a clock that went back makes no age."""
    assert age(seconds) == text


@pytest.mark.parametrize(("size", "text"), SIZES.items())
def test_octets(size: int, text: str) -> None:
    """The unit is the biggest of which there is one."""
    assert octets(size) == text
