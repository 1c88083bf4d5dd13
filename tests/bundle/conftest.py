"""Fixtures of the bundle's tests: an installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.runtime import Runtime
from tests.bundle.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return an installation, made once."""
    return Installation(Runtime(tmp_path_factory.mktemp("installed")))


@pytest.fixture
def installation(installed: Installation) -> Iterator[Installation]:
    """Return the installation, and put back what a test changes."""
    kept = installed.bundle.read_bytes()
    yield installed
    installed.bundle.write_bytes(kept)
