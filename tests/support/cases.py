"""Which cases of a test run, where very many cases try one rule.

Adds the option ``--draw-cases``, which ``make test`` gives, and reads ``SEED``. Of a test with ``@pytest.mark.one_in(3)`` a
third of the cases runs then: a different third in each run, the same again from the seed that the summary names. Without the
option all run: in ``make soak``, and where a person names a file or a case. The summary says how many were drawn.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.support.amounts import seed_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARKER = "one_in"
_OPTION = "--draw-cases"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(_OPTION, action="store_true", help=f"run a part of the cases of tests with the marker {MARKER}")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", f"{MARKER}(n): `make test` draws one in n of its cases; `make soak` runs all")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases that are not drawn; ``make soak`` runs them all."""
    for item in items:
        if item.get_closest_marker(MARKER):
            item.add_marker("soak")
    if config.getoption(_OPTION):
        left_out = set(_left_out(items))
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _left_out(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker(MARKER):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for name, cases in tests.items():
        [divisor] = next(iter(cases[0].iter_markers(MARKER))).args
        random.Random(seed_of(name)).shuffle(cases)  # noqa: S311 -- no secret
        yield from cases[-(-len(cases) // divisor) :]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many of the tests that ran were drawn."""
    if terminalreporter.config.getoption(_OPTION):
        reports = [report for reports in terminalreporter.stats.values() for report in reports]
        calls = [report for report in reports if getattr(report, "when", "") == "call"]
        count = sum(MARKER in report.keywords for report in calls)
        terminalreporter.write_line(f"{count:>9,} cases drawn from those of tests with very many; make soak runs all")
