"""docs/checks.md has every rule, with its severity, its meaning, and an example as it is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay.checks.rules import RULES
from dms_relay.commands.check import lines_of
from tests.checks.test_rules import CASES
from tools.fold import unfold

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

#: The page, with each line whole that it shows as several.
DOCUMENT = unfold((Path(__file__).parents[2] / "docs/checks.md").read_text("utf-8"))
SECTIONS = {
    match[1]: (match[2], match[3])
    for match in re.finditer(r"^### `([a-z-]+)` \((\w+)\)\n\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
}


def test_every_rule_is_there() -> None:
    """In the order of the registry, with the severity that it has, and no other."""
    assert [(name, severity) for name, (severity, _) in SECTIONS.items()] == [
        (name, rule.severity) for name, rule in RULES.items()
    ]


@pytest.mark.parametrize("name", RULES)
def test_meaning_and_remedy(name: str) -> None:
    """Each begins with what the rule means, and says how to fix it."""
    meaning = RULES[name].meaning
    text = SECTIONS[name][1].partition("\n\n")[0].replace("\n", " ")
    assert text.startswith(f"{meaning[0].upper()}{meaning[1:]}. ")
    assert text.endswith(".")
    assert len(text) > len(meaning) + len(". ")


@pytest.mark.parametrize("name", RULES)
def test_example(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """Each example is what is printed of the rule's first case, to the letter."""
    case = next(case for case in CASES if case.rule == name)
    finding = next(finding for finding in case.fires(sandbox) if finding.rule == name)
    example = "\n".join(f"    {line}" for line in lines_of(finding)).replace(str(tmp_path), "")
    assert example in SECTIONS[name][1]
