"""Fixtures for all tests, and the traps: no test may depend on, or touch, the machine's own configuration."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed import Inputs
from tests.support.prepared import Prepared
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytest_plugins = [f"tests.support.{name}" for name in ("amounts", "cases", "costs", "evidence", "progress")]


#: Has short runs of Go programs (the container engine, helm, promtool) collect no garbage: it is a tenth of their CPU time.
#: A build, which needs much memory, does so from the limit on.
GO = {"GOGC": "off", "GOMEMLIMIT": "512MiB"}

#: New objects until the garbage collector looks at the youngest; looks at these until one at older ones (gc.set_threshold).
GARBAGE = (50_000, 20, 20)


def pytest_configure() -> None:
    """Let what tests start be interrupted: a shell's job in the background ignores SIGINT, and its children inherit that."""
    os.environ.update(GO)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each process of pytest-xdist (``--dist worksteal``) its share of the long tests, and these first.

    It cuts the list into as many parts as there are processes. Short tests that are left go to whoever is done; a long one
    at the end would keep one process busy, and no other.
    """
    long = [item for item in items if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    left = len(items)
    items.clear()
    for number in range(processes):
        mine = long[number::processes]
        size = left // (processes - number)
        room = max(0, size - len(mine))
        items += mine + short[:room]
        del short[:room]
        left -= size
    items += short


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what there is now, which stays to the end, and look less often at the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """Return a fresh pair of directories."""
    return Sandbox(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _commands_are_prepared() -> Iterator[None]:
    """Run the commands on a testbed without a start of Python for each."""
    prepared = Prepared()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Inputs, "start", staticmethod(prepared.run))
        yield
    prepared.close()


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_machine_is_touched() -> Iterator[None]:
    """Fail where anything in the machine's own configuration differs after the tests."""
    before = _own_files()
    yield
    assert _own_files() == before


def _own_files() -> dict[Path, int]:
    """Return the change times of the machine's own files that a test could take for its own."""
    roots = (Path("/etc/postfix"), Path("/tmp/docker-mailserver"))  # noqa: S108 -- the trap itself
    return {path: path.lstat().st_ctime_ns for root in roots for path in (root, *root.rglob("*")) if path.exists()}


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine's own environment sets: a test says itself what is set."""
    for name in own_settings(os.environ):
        monkeypatch.delenv(name)


def own_settings(names: Iterable[str]) -> list[str]:
    """Return those of some names of variables that the command reads, or warns of because they look like one of its own."""
    others = {"MAIL_CONFIG", "LOG_LEVEL", "LOG_FORMAT"}
    return [name for name in names if name in others or name.startswith(("RELAY", "DEFAULT_RELAY", "DMS_RELAY"))]
