"""What a reader sees of the pages: no block is so wide that it must be scrolled sideways, and folding loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.fold import MARK, WIDTH, blocks, fold, folded_page, unfold

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "charts/*/*.md", "sasl/*.md")
    for path in ROOT.glob(pattern)
)
#: The source of a drawing, which the reader does not see.
DRAWING = "mermaid"


@pytest.mark.parametrize("page", PAGES)
def test_no_block_is_too_wide(page: str) -> None:
    """No line of a block of code, or of what a command prints, has more columns than are seen."""
    lines = blocks((ROOT / page).read_text("utf-8"))
    assert {number + 1: line for number, language, line in lines if len(line) > WIDTH and language != DRAWING} == {}


@pytest.mark.parametrize("page", PAGES)
def test_who_folds_says_so(page: str) -> None:
    """A page that has folded lines says what the mark means, before it or right after the block."""
    text = (ROOT / page).read_text("utf-8")
    assert f"`{MARK.strip()}` marks the rest of a long line" in text or MARK not in text


@given(st.lists(st.text("abc-;:/", min_size=1, max_size=120), min_size=1), st.integers(0, 12))
def test_nothing_is_lost(words: list[str], indent: int) -> None:
    """Whatever a line has, unfolding what it was folded to brings it back; only a word can be wider than the block."""
    line = " " * indent + " ".join(words)
    folded = fold(line)
    assert unfold("\n".join(folded)) == line
    assert all(len(part) <= WIDTH or " " not in part.strip().removeprefix(MARK) for part in folded)


def test_remedy_begins_a_line() -> None:
    """What to do is seen at once: it begins a line, if there must be more than one."""
    line = "    relay.yaml:1:1: " + "what is wrong " * 5 + "-- " + "what to write " * 6
    assert fold(line.rstrip())[1].lstrip().startswith(f"{MARK}-- what to write")


def test_columns_are_left_alone() -> None:
    """A line is broken at two spaces first, and both come back, but not at more; one that is short enough is not broken."""
    line = f"  key  {'a ' * 30} (table{'x' * 40}, file)"
    assert fold(line)[1] == f"    {MARK} (table{'x' * 40}, file)"
    assert unfold("\n".join(fold(line))) == line
    row = "a" * 60 + "   " + "b" * 60
    assert fold(row) == [row]
    assert fold("short") == ["short"]


def test_a_page() -> None:
    """Only output is folded: prose, lists and blocks with a language stay as they are, and folding twice is folding once."""
    wide = "x " * 80 + "x"
    page = f"{wide}\n\n1. {wide}\n    {wide}\n\n```sh\n{wide}\n```\n\n    {wide}\n"
    folded = folded_page(page)
    assert unfold(folded) == page
    assert folded.count(MARK) == 1
    assert folded_page(folded) == folded
