"""How much the random tests try, from which seed they draw it, and what they have tried in the end.

Reads ``SOAK`` and ``SEED``. Each run draws new examples. ``SEED`` is what the summary of a run names: with it, each test
draws the same again, also where it runs alone or in another process. ``SOAK`` is a factor: without it tests try few examples
each; with 1 they try as many as ``make soak`` is there for, with 0.1 a tenth of them.

A test names what it has tried through the fixture ``figures``; the summary adds that up. Known limits: what a test does with
threads or with a Postfix is drawn again, but not the moments at which it happens.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import core, settings

if TYPE_CHECKING:
    from collections.abc import Generator

SEED = "SEED"
SOAK = "SOAK"
_SEED_BITS = 32
_FIGURE = "figure: "


class Figures(Protocol):
    """Takes what a test has tried: ``figures(250, "sequences of inputs")``."""

    def __call__(self, count: int, what: str) -> None:
        """Add ``count`` to what the summary says of ``what``."""


def amount(few: int, soak: int) -> int:
    """Return how many of something a test tries: ``few``, or in a soak ``soak`` times its factor, but at least one."""
    factor = os.environ.get(SOAK)
    return max(1, round(soak * float(factor))) if factor else few


def step(otherwise: int) -> int:
    """Return how far it is from one thing that a test tries to the next: ``otherwise``, or in a soak 1 by its factor."""
    factor = os.environ.get(SOAK)
    return max(1, round(1 / float(factor))) if factor else otherwise


def seed_of(name: str) -> int:
    """Return the seed of a test, which depends on that of the run and on the test's name alone."""
    return int.from_bytes(hashlib.sha256(f"{os.environ[SEED]} {name}".encode()).digest()[:8])


def pytest_configure() -> None:
    """Choose a seed unless one is told. The processes of pytest-xdist inherit it; they are started later."""
    os.environ[SEED] = os.environ.get(SEED) or str(random.SystemRandom().getrandbits(_SEED_BITS))
    # Hypothesis draws the same examples in each run where CI is set, unless a profile says otherwise.
    settings.register_profile("drawn", derandomize=False, database=None, print_blob=False)
    settings.load_profile("drawn")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say the seed at once, where the run is shown: a run that is cut short has no summary."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(session.config, "workerinput"):
        terminal.write_line(_seed_line())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have hypothesis draw from the test's seed, unless ``--hypothesis-seed`` tells another."""
    if item.config.getoption("--hypothesis-seed", default=None) is None:
        core.global_force_seed = seed_of(item.nodeid)  # type: ignore[assignment]  # an integer or None


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Return what takes the figures of a test."""
    counts: Counter[str] = Counter()

    def add(count: int, what: str) -> None:
        counts[_FIGURE + what] += count
        others = [pair for pair in request.node.user_properties if pair[0] not in counts]
        request.node.user_properties[:] = [*others, *counts.items()]

    return add


@pytest.fixture
def drawn(request: pytest.FixtureRequest) -> random.Random:
    """Return what a test draws from that does not use hypothesis."""
    return random.Random(seed_of(request.node.nodeid))  # noqa: S311 -- no secret


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say below a failure how to draw the same again."""
    report = yield
    if report.failed and _is_drawn(item):
        how = f"SEED={os.environ[SEED]} .venv/bin/python -m pytest -n0 '{item.nodeid}'"
        soak = f"SOAK={os.environ[SOAK]} " if os.environ.get(SOAK) else ""
        report.sections.append(("Draws the same again", f"{soak}{how}"))
    return report


def _is_drawn(item: pytest.Item) -> bool:
    """Return True if the test draws, or its module has examples drawn."""
    return "drawn" in getattr(item, "fixturenames", ()) or "hypothesis" in {
        getattr(value, "__module__", "").partition(".")[0] for value in vars(_module(item)).values()
    }


def _module(item: pytest.Item) -> object:
    return getattr(item, "module", item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was tried, how long the tests took that tried it, and from which seed it was drawn."""
    counts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", "") == "call":
            _add(report, counts, seconds)
    for what, count in counts.items():
        terminalreporter.write_line(f"{count:>9,} {what} ({seconds[what]} s)")
    terminalreporter.write_line(_seed_line())


def _seed_line() -> str:
    return f"drawn from SEED={os.environ[SEED]}"


def _add(report: pytest.TestReport, counts: Counter[str], seconds: Counter[str]) -> None:
    found = [(name, value) for name, value in report.user_properties if name.startswith(_FIGURE)]
    for name, count in found:
        counts[name.removeprefix(_FIGURE)] += count if isinstance(count, int) else 0
    for name in {name for name, _ in found}:
        seconds[name.removeprefix(_FIGURE)] += round(report.duration)
