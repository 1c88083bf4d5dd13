"""Fixtures with a real Postfix and real relays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Inputs, Testbed
from tests.running.needs import require_postfix


@pytest.fixture(scope="session", autouse=True)
def _postfix_is_there() -> None:
    """Hold every test of this directory to what it needs."""
    require_postfix()


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    """Yield an empty testbed; what is started on it ends with the test."""
    with Testbed() as testbed:
        yield testbed


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Return an empty configuration directory, and no settings."""
    return Inputs(tmp_path / "config")
