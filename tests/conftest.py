"""Fixtures for all tests, and the traps: no test may depend on, or touch, the machine's own configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.box import Box

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """Give a fresh pair of directories."""
    return Box(tmp_path)


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine's own environment sets."""
    for name in ("MAIL_CONFIG", "LOG_LEVEL", "LOG_FORMAT", "RELAY_HOST", "DEFAULT_RELAY_HOST"):
        monkeypatch.delenv(name, raising=False)
