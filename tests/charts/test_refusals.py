"""Values that do not go together are refused before anything is rendered, each with what to write, which then is taken."""

from __future__ import annotations

import re

import pytest

from tests.charts.helm import refusal, refusals
from tests.charts.refusal_cases import CASES


@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", CASES)
def test_refused_with_what_to_write(case: str) -> None:
    """One line refuses the values, and what it says to write in their place is taken."""
    wanted = CASES[case]
    [said] = refusal(wanted.values)
    what, _, remedy = said.partition(" -- ")
    assert what.startswith(wanted.what) if wanted.what.endswith(": ") else what == wanted.what
    assert remedy
    for cure in wanted.cures:
        assert refusal(cure) == []


def test_all_at_once() -> None:
    """Wrong values in several places are said together."""
    names = ("two ConfigMaps", "nobody by Postfix", "no volume, and no other replica", "nothing may be away")
    cases = [CASES[name] for name in names]
    values = {key: value for case in cases for key, value in case.values.items()}
    said = [line.partition(" -- ")[0] for line in refusal(values)]
    assert sorted(said) == sorted(case.what for case in cases)


def test_every_refusal_has_a_case() -> None:
    """Each line of _checks.tpl is that of a case, whatever is filled in there."""
    said = refusals()
    assert len(said) > 30
    patterns = {re.sub(r"(\\\*)+", ".*", re.escape(what)) for what in said}
    cases = [case.what for case in CASES.values()]
    assert {pattern for pattern in patterns if not any(re.fullmatch(pattern, what) for what in cases)} == set()
