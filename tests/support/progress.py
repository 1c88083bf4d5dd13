"""Shows that a run lives, also without a terminal: every few seconds how far it is, and what runs for how long.

     42 %  1,234 of 2,940 tests, 96 s; running: tests/apply/test_killed.py::test_killed_anywhere[on to off] (31 s)

Writes each failure's name at once. In place of a dot for each test; with ``-v`` pytest names each test, and this only what
takes long.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERVAL = 15.0
"""Seconds between two lines."""
_SHOWN_MAX = 3
"""Tests that a line names, those that run longest."""
_LONG = 1.0
"""Seconds from which a test is named."""


class Progress:
    """Counts the tests that have ended, and knows those that run."""

    def __init__(self, config: pytest.Config) -> None:
        """Begin."""
        self.config = config
        self.session: pytest.Session | None = None
        # A test's own output is captured while it runs, and what another thread writes to standard output with it.
        self.output = os.dup(1)
        self.begin = time.monotonic()
        self.ended = 0
        self.running: dict[str, float] = {}
        self.is_over = threading.Event()

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionstart(self, session: pytest.Session) -> Iterator[None]:
        """Begin to say how far it is."""
        self.session = session
        threading.Thread(target=self._say_again, daemon=True).start()
        return (yield)

    def pytest_sessionfinish(self) -> None:
        """Say no more."""
        self.is_over.set()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note that a test runs."""
        self.running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note that it has ended."""
        self.running.pop(nodeid, None)
        self.ended += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Name what failed at once."""
        if report.failed:
            self._line(f"{report.outcome.upper()} {report.nodeid} ({report.when})")

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Write no letter for a test that passed, or whose name is written."""
        is_plain = report.when == "call" and report.outcome in {"passed", "failed"} and not hasattr(report, "wasxfail")
        if self.config.get_verbosity() > 0 or not is_plain:
            return None
        return (report.outcome, "", report.outcome.upper())

    def line(self) -> str:
        """Say how far it is."""
        now = time.monotonic()
        total = self.session.testscollected if self.session else 0
        part = f"{self.ended / total:4.0%}  " if total else ""
        long = sorted((begin, name) for name, begin in self.running.copy().items() if now - begin >= _LONG)
        names = ", ".join(f"{name} ({now - begin:.0f} s)" for begin, name in long[:_SHOWN_MAX])
        text = f"{part}{self.ended:,} of {total:,} tests, {now - self.begin:.0f} s"
        return f"{text}; running: {names}" if names else text

    def _say_again(self) -> None:
        while not self.is_over.wait(INTERVAL):
            self._line(self.line())

    def _line(self, text: str) -> None:
        os.write(self.output, f"{text}\n".encode())


def pytest_configure(config: pytest.Config) -> None:
    """Show it where the run is shown: not in the processes that pytest-xdist starts."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(config))
