"""Of a test with very many cases, `make test` runs a part, which is drawn; everything else runs all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.scene import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """\
import pytest

@pytest.mark.one_in(3)
@pytest.mark.parametrize("number", range(100))
def test_many(number):
    pass

@pytest.mark.parametrize("number", range(5))
def test_few(number):
    pass
"""

WHOLE_MODULE = """\
import pytest

pytestmark = pytest.mark.one_in(2)

@pytest.mark.parametrize("number", range(6))
def test_six(number):
    pass

def test_another():
    pass

@pytest.mark.one_in(3)
@pytest.mark.parametrize("number", range(3))
def test_own(number):
    pass
"""


def run(directory: Path, *arguments: str, seed: str = "1") -> tuple[list[int], str]:
    """Run the tests of the module; return the cases of the test with many that passed, and what pytest says."""
    (directory / "test_module.py").write_text(MODULE)
    (directory / "test_whole.py").write_text(WHOLE_MODULE)
    plugins = [part for name in ("amounts", "cases") for part in ("-p", f"tests.support.{name}")]
    command = [sys.executable, "-m", "pytest", *plugins, "-p", "no:cacheprovider", "-rA", "-c", os.devnull]
    environ = {"PATH": os.environ["PATH"], "SEED": seed}
    done = subprocess.run(
        [*command, str(directory), *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    cases = re.findall(r"^PASSED .*test_many\[(\d+)\]", done.stdout, re.MULTILINE)
    return sorted(map(int, cases)), done.stdout + done.stderr


def count(test: str, said: str) -> int:
    """Return how many tests passed whose name begins so."""
    return len(re.findall(rf"^PASSED .*::{test}", said, re.MULTILINE))


@pytest.mark.long
def test_a_part_is_drawn(tmp_path: Path) -> None:
    """A third of the cases runs, half of a module's tests, and all without a marker; the summary says how many were drawn.

    The same seed draws the same cases, on which the processes of pytest-xdist must agree; another seed draws others.
    """
    cases, said = run(tmp_path, "--draw-cases")
    assert len(cases) == 34, said
    assert count("test_few", said) == 5
    assert (count("test_six", said) + count("test_another", said), count("test_own", said)) == (4, 1)
    assert re.search(r"^ +39 tests drawn ", said, re.MULTILINE)
    assert run(tmp_path, "--draw-cases")[0] == cases
    assert run(tmp_path, "--draw-cases", seed="2")[0] not in ([], cases)


def test_a_soak_runs_all(tmp_path: Path) -> None:
    """Without the option all cases run; `make soak`, which asks for tests with the marker soak, has them too."""
    cases, said = run(tmp_path, "-m", "soak")
    assert cases == list(range(100)), said
    assert [count(test, said) for test in ("test_few", "test_six", "test_another", "test_own")] == [0, 6, 1, 3]
    assert "tests drawn" not in said
