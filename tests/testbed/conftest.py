"""Fixtures for the tests of the testbed."""

import pytest

from tests.running.needs import require_postfix


@pytest.fixture(scope="module")
def real_postfix() -> None:
    """Hold a test to what Postfix needs."""
    require_postfix()
