"""Which tests run, where there are very many of a kind, or each takes long.

Adds the option ``--draw-cases``, which ``make test`` gives, and reads ``SEED``. Of a test with ``@pytest.mark.one_in(3)`` a
third of the cases runs then; of a module with ``pytestmark = pytest.mark.one_in(3)`` a third of the tests. A test with a
marker of its own goes by that; with ``one_in(1)`` it always runs. It is a different third in each run, and the same again
from the seed that the summary names. Without the option all run: in ``make soak``, and where a person names a file.
The summary says how many were drawn.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.support.amounts import seed_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARKER = "one_in"
OPTION = "--draw-cases"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(OPTION, action="store_true", help=f"of tests with the marker {MARKER}, run a part")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", f"{MARKER}(n): `make test` draws one in n of its cases; `make soak` runs all")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases that are not drawn; ``make soak`` runs them all."""
    for item in items:
        if item.get_closest_marker(MARKER):
            item.add_marker("soak")
    if config.getoption(OPTION):
        left_out = set(_left_out(items))
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _left_out(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    groups: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        if found := next(item.iter_markers_with_node(MARKER), None):  # the closest
            node, marker = found
            [divisor] = marker.args
            groups.setdefault((node.nodeid.partition("[")[0], divisor), []).append(item)
    for (name, divisor), group in groups.items():
        random.Random(seed_of(name)).shuffle(group)  # noqa: S311 -- no secret
        yield from group[-(-len(group) // divisor) :]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many of the tests that ran were drawn."""
    if terminalreporter.config.getoption(OPTION):
        reports = [report for reports in terminalreporter.stats.values() for report in reports]
        calls = [report for report in reports if getattr(report, "when", "") == "call"]
        count = sum(MARKER in report.keywords for report in calls)
        terminalreporter.write_line(
            f"{count:>9,} tests drawn from those of which there are very many; make soak runs all"
        )
