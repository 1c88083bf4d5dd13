"""Fixtures of what more than one module here needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import dms_relay.sources


@pytest.fixture
def our_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be where the hook is that applies an operator's own files: any program will do."""
    monkeypatch.setattr(dms_relay.sources, "USER_FILES_HOOK", Path(sys.executable))
