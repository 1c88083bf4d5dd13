"""Shows below a failure what each Postfix and each relay of the test has last said, so that the failure explains itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import evidence

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget what belonged to the previous test."""
    evidence.forget()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what there is to the report of a failure: that of set-up, of the test, or of its end."""
    report = yield
    if report.failed:
        report.sections += evidence.sections()
    return report
