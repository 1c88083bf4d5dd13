"""Fixtures with the plugin."""

from collections.abc import Iterator

import pytest

from testbed import Testbed
from tests.sasl.plugin import SANITIZED, Plugin, build, find


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """Return the plugin, built as for a machine."""
    return find(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """Return the plugin, built so that it ends at an access to memory that is not its own, and at undefined behaviour."""
    return build(tmp_path_factory.mktemp("sanitized"), SANITIZED)


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    """Yield an empty testbed; what is started on it ends with the test."""
    with Testbed() as testbed:
        yield testbed
