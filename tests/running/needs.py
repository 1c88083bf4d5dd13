"""What these tests need, and what happens where it is missing."""

import os

import pytest

from testbed import why_unavailable


def require_postfix() -> None:
    """Skip where no Postfix can be started; fail instead with REQUIRE_POSTFIX_TESTS=1."""
    reason = why_unavailable()
    if reason is None:
        return
    if os.environ.get("REQUIRE_POSTFIX_TESTS") == "1":
        pytest.fail(f"REQUIRE_POSTFIX_TESTS=1, but: {reason}", pytrace=False)
    pytest.skip(reason)
