"""Fixtures with all parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import Testbed
from tests.running.needs import require_postfix
from tests.sasl.plugin import Plugin, find
from tests.together.scene import Together

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """Return the plugin, built as for a machine."""
    require_postfix()
    return find(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def together(plugin: Plugin, tmp_path: Path) -> Iterator[Together]:
    """Yield a scene in which nothing runs yet but a token endpoint."""
    with Testbed() as testbed, Together(testbed, plugin, tmp_path) as scene:
        yield scene
