"""How the tests draw: new examples in each run, also in CI, and the same again from a seed that is told."""

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
import random
from hypothesis import given, settings, strategies as st
from tests.support.amounts import amount

EXAMPLES = amount(3, 1000)

def test_drawn(drawn, figures):
    print("drawn", drawn.random())
    figures(2, "numbers")
    figures(3, "numbers")

@settings(max_examples=EXAMPLES)
@given(st.integers())
def test_examples(number):
    print("drawn", number)

@given(st.integers(0, 1 << 64))
def test_fails(number):
    print("drawn", number)
    assert number < 0
"""


def run(directory: Path, *arguments: str, **environ: str) -> str:
    """Run the tests of the module, and return what pytest says."""
    path = directory / "test_module.py"
    path.write_text(MODULE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.amounts", "-p", "no:cacheprovider", "-rA", "-c"]
    done = subprocess.run(
        [*command, os.devnull, str(path), *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def drawn(said: str) -> list[str]:
    """Return what the tests of the module have drawn, each once."""
    return re.findall(r"^drawn [^f].*", said, re.MULTILINE)


def test_each_run_draws_new_examples_also_in_ci(tmp_path: Path) -> None:
    """Two runs draw other examples, with CI set, where hypothesis alone would draw the same; each says its seed."""
    runs = [run(tmp_path, CI="true") for _ in range(2)]
    assert len(set(map(tuple, map(drawn, runs)))) == len(runs)
    seeds = {re.search(r"^drawn from SEED=(\d+)$", said, re.MULTILINE)[1] for said in runs}  # type: ignore[index]
    assert len(seeds) == len(runs)


@pytest.mark.long
def test_a_seed_draws_the_same_again(tmp_path: Path) -> None:
    """Also in another process, and where a test runs alone."""
    all_of_them, again = (run(tmp_path, SEED="1") for _ in range(2))
    assert drawn(all_of_them)
    assert drawn(again) == drawn(all_of_them)
    alone = drawn(run(tmp_path, "-k", "test_examples", SEED="1"))
    assert alone
    assert "\n".join(alone) in "\n".join(drawn(all_of_them))
    assert drawn(run(tmp_path, SEED="2")) != drawn(all_of_them)


def test_a_failure_says_how_to_draw_the_same(tmp_path: Path) -> None:
    """Below the failure stands the command, with the seed; a test that passes says nothing of it."""
    said = run(tmp_path, SEED="7")
    (how,) = re.findall(r"^SEED=7 \S+ -m pytest -n0 '(.*)'$", said, re.MULTILINE)
    assert how.endswith("test_module.py::test_fails")


def test_a_soak_tries_more(tmp_path: Path) -> None:
    """SOAK is a factor; the summary adds up what the tests have tried."""
    few, tenth = (run(tmp_path, "-k", "not fails", **soak) for soak in ({}, {"SOAK": "0.1"}))
    assert 0 < len(drawn(few)) <= 4
    assert len(drawn(tenth)) > 50
    assert re.search(r"^ +5 numbers \(0 s\)$", few, re.MULTILINE)
