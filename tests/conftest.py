"""Fixtures for all tests, and the traps: no test may depend on, or touch, the machine's own configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.box import Box

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """Give a fresh pair of directories."""
    return Box(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_machine_is_touched() -> Iterator[None]:
    """Fail where anything in the machine's own configuration differs after the tests."""
    before = _own_files()
    yield
    assert _own_files() == before


def _own_files() -> dict[Path, int]:
    """Give the change times of the machine's own files that a test could take for its own."""
    roots = (Path("/etc/postfix"), Path("/tmp/docker-mailserver"))  # noqa: S108 -- the trap itself
    return {path: path.lstat().st_ctime_ns for root in roots for path in (root, *root.rglob("*")) if path.exists()}


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine's own environment sets."""
    for name in ("MAIL_CONFIG", "LOG_LEVEL", "LOG_FORMAT", "RELAY_HOST", "DEFAULT_RELAY_HOST"):
        monkeypatch.delenv(name, raising=False)
