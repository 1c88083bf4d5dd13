"""What each test costs: TEST_COSTS=FILE gets a line for each, seconds and processor seconds, set-up and end included.

    TEST_COSTS=/tmp/costs make test; sort -nr /tmp/costs | head

A line is ``SECONDS CPU NAME``. Processor time is that of the test process and of the programs that it has waited for: what a
daemon or a container engine uses is not in it, and what commands on a testbed use (``prepared``) is in the last test's.
Written by each process of pytest-xdist, a line at once.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note what a test costs."""
    begin, used = time.monotonic(), _processor_time()
    result = yield
    if path := os.environ.get("TEST_COSTS"):
        line = f"{time.monotonic() - begin:9.2f} {_processor_time() - used:9.2f} {item.nodeid}\n"
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 -- one write each, whoever else writes
            file.write(line)
    return result


def _processor_time() -> float:
    return sum(os.times()[:4])
