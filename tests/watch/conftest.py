"""Fixtures of the keeper's tests."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.watch.keeping import Keeping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _postfix_is_there() -> None:
    """Hold every test of this directory to what it needs."""
    if shutil.which("postconf") is None:
        pytest.skip("Postfix is not installed")


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    """Yield a keeper that does not run yet, with a relay and a login that stands in a secret file."""
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    env = {"DEFAULT_RELAY_HOST": "[d.test]:587", "RELAY_USER": "u", "RELAY_PASSWORD__FILE": str(secret)}
    with Keeping(tmp_path / "box", **env) as keeping:
        yield keeping
