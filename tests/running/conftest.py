"""Fixtures with a real Postfix and real relays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Inputs, Stage
from tests.running.needs import require_postfix


@pytest.fixture(scope="session", autouse=True)
def _postfix_is_there() -> None:
    """Hold every test of this directory to what it needs."""
    require_postfix()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give an empty stage; what is started on it ends with the test."""
    with Stage() as stage:
        yield stage


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Give an empty configuration directory, and no settings."""
    return Inputs(tmp_path / "config")
