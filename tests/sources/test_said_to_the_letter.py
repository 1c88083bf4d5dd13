"""Every remedy for a wrong or a doubtful input is followed to the letter: then nothing is found any more."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import dms_relay
from dms_relay.checks.rules import RULES
from tests.checks.given import MAIN, findings
from tests.running.test_remedies_followed import WALKS
from tests.running.test_remedies_walked import shown
from tests.sources.said import DIRECTORY, HERE, Said, cf_files, in_oauth2, in_relay_yaml, in_settings
from tests.sources.test_said_remedies import ASIDE
from tests.support.sandbox import Sandbox
from tests.support.written_remedies import source_of

#: How remedies begin that are not followed here, and why.
NOT_FOLLOWED = {
    "write relay: and login: below it": "what is neither a name nor a mapping is asked for a name",
    "mount the directory there": "there is nothing to mount on: tests/container and tests/image have a container",
    "put it in quotes, without quotes": "no value is both at once: the two halves stand in one function",
}
#: Said once at most, though the source is read as if it could be said of what has it already.
AGAIN = "; a value with a comma in it goes in quotes" * 2
#: What is found beside it where there is no Postfix, and where no token was asked for yet.
NOT_OF_INPUTS = {"machine-not-looked-at", "no-token"}
#: Where the inputs are read and understood: what is said there has a case here, or a walk (``tests/running/walks``).
PLACES = ("sources/", "shape/", "merge/", "postfix/nexthop.py", "postfix/relay_host.py")
CASES = (*cf_files.CASES, *in_settings.CASES, *in_relay_yaml.CASES, *in_oauth2.CASES)


def found(root: Path, files: dict[str, str | bytes | None], env: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return what is found with these inputs: the rule, the remedy and the text."""
    sandbox = Sandbox(root)
    for name, content in files.items():
        if content == DIRECTORY:
            (sandbox.config_dir / name).mkdir()
        elif content is not None:
            text = content.replace(HERE, str(sandbox.config_dir)) if isinstance(content, str) else content
            sandbox.write(name, text).chmod(0o600)
    # Postfix has no say in what the inputs are, and takes its time.
    sandbox.main_cf.unlink()
    env = {name: value.replace(HERE, str(sandbox.config_dir)) for name, value in env.items()}
    return [(f.rule, f.remedy, f.text) for f in findings(sandbox, env) if f.rule not in ASIDE | NOT_OF_INPUTS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.remedy[:40])
def test_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Said) -> None:
    """It is said before; afterwards nothing is. ``postfix-main.cf`` is an input in our image only."""
    if MAIN in case.files:
        monkeypatch.setattr("dms_relay.sources.USER_FILES_HOOK", sys.executable)
    before = found(tmp_path / "before", dict(case.files), dict(case.env))
    said = [remedy for rule, remedy, _ in before if rule in {"wrong-input", "doubtful-input"}]
    assert case.remedy.replace(HERE, str(tmp_path / "before/config")) in said, before
    after = {**case.files, **case.then}
    assert found(tmp_path / "after", after, dict(case.env if case.then_env is None else case.then_env)) == []


def remedies() -> set[str]:
    """Return the patterns of what the source can say of an input that is wrong or doubtful."""
    written = source_of(Path(dms_relay.__file__).parent).remedies(*PLACES)
    return {remedy for rules, remedy in written if not rules & (RULES.keys() - {"wrong-input", "doubtful-input"})}


def is_followed(pattern: str) -> bool:
    """Return True if a remedy that matches has a case, or a walk on a real Postfix."""
    return any(re.fullmatch(pattern, remedy) for remedy in (*(c.remedy for c in CASES), *(w.remedy for w in WALKS)))


def test_every_remedy_is_followed() -> None:
    """Each text that stands in the source; the exceptions are listed, and needed."""
    left = {shown(pattern) for pattern in remedies() if not is_followed(pattern) and AGAIN not in shown(pattern)}
    assert {text for text in left if not text.startswith(tuple(NOT_FOLLOWED))} == set()
    assert {words for words in NOT_FOLLOWED if not any(text.startswith(words) for text in left)} == set()
