"""Every rule fires where it should, is silent where it must be, and has an identifier that is registered."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay
from dms_relay.checks import secrets
from dms_relay.checks.rules import RULES, SEVERITIES, Finding
from dms_relay.model import Origin
from tests.checks import (
    input_cases,
    machine_cases,
    operator_cases,
    rewriting_cases,
    secret_cases,
    token_cases,
    trust_cases,
    user_file_cases,
    way_cases,
)
from tests.checks.given import SECRET, Case, findings
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CASES = (
    *input_cases.CASES,
    *secret_cases.CASES,
    *trust_cases.CASES,
    *user_file_cases.CASES,
    *machine_cases.CASES,
    *way_cases.CASES,
    *rewriting_cases.CASES,
    *operator_cases.CASES,
    *token_cases.CASES,
)
_IDENTIFIER = re.compile(r"[a-z]+(-[a-z]+)+")
#: What makes findings and problems; an identifier stands among the arguments.
_MAKERS = frozenset({"Finding", "Problem", "Note", "Found", "_Verdict", "_problem", "dropped", "warn", "_error"})


@pytest.mark.parametrize("case", CASES, ids=[f"{case.rule}-{case.origin}" for case in CASES])
def test_rule(sandbox: Sandbox, tmp_path: Path, case: Case) -> None:
    """It fires once, at the place that it is about, in these words; and not where all is as it should be.

    Whatever else is found beside it can be shown as well.
    """
    shown = list(case.fires(sandbox))
    found = [finding for finding in shown if finding.rule == case.rule]
    assert [str(finding.origin).replace(str(tmp_path), "HERE") for finding in found] == [case.origin]
    assert case.text in found[0].text
    assert [fault for finding in shown for fault in faults(finding)] == []
    other = Sandbox(tmp_path / "silent")
    assert case.rule not in [finding.rule for finding in case.silent(other)]


def faults(finding: Finding) -> list[str]:
    """Say what is wrong with how a finding is worded: it is of one line, ``text -- remedy``, and holds no password."""
    line = f"{finding.origin}: {finding.text} -- {finding.remedy}"
    sentences = (finding.text, finding.remedy)
    wrong = {
        "a severity of its own": finding.severity not in SEVERITIES,
        "an empty sentence": not all(sentences),
        "blanks around a sentence": any(sentence != sentence.strip() for sentence in sentences),
        "a full stop": any(sentence.endswith(".") for sentence in sentences),
        "more than one line": not line.isprintable(),
        "a password": SECRET in line,
    }
    return [f"{fault}: {line!r}" for fault, is_so in wrong.items() if is_so]


@pytest.mark.parametrize(
    ("fault", "text", "remedy"),
    [
        ("an empty sentence", "", "set it"),
        ("an empty sentence", "it is wrong", ""),
        ("blanks around a sentence", "it is wrong", " set it"),
        ("a full stop", "it is wrong.", "set it"),
        ("a full stop", "it is wrong", "set it."),
        ("more than one line", "it is\nwrong", "set it"),
        ("a password", f"it is {SECRET}", "set it"),
        ("a password", "it is wrong", f"set {SECRET}"),
    ],
)
def test_each_fault_is_seen(fault: str, text: str, remedy: str) -> None:
    """What holds every finding to its form sees each way to break it, and nothing in one that is right."""
    rule = next(iter(RULES))
    (seen,) = faults(Finding(rule, Origin("relay.yaml"), text, remedy))
    assert seen.startswith(f"{fault}: ")
    assert faults(Finding(rule, Origin("relay.yaml"), "it is wrong", "set it")) == []


def test_every_rule_has_cases() -> None:
    """No rule is registered without a case where it fires and one where it does not."""
    assert {case.rule for case in CASES} == set(RULES)


def test_every_identifier_is_registered() -> None:
    """Whatever the package says of a finding is a rule that is registered, and no rule is there that nothing says."""
    package = Path(dms_relay.__file__).parent
    said = {text for path in package.rglob("*.py") for text in _identifiers(ast.parse(path.read_text("utf-8")))}
    assert said - {"wrong-input", "doubtful-input"} == RULES.keys() - {"wrong-input", "doubtful-input"}


def _identifiers(tree: ast.Module) -> Iterator[str]:
    """Yield each identifier that is said in a module: where something is found, or where a ``rule`` is chosen."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value]
    constants = {ast.unparse(node).partition(" = ")[0]: getattr(node.value, "value", "") for node in assigned}
    for node in assigned:
        if "rule" in ast.unparse(node).partition("=")[0] and node.value:
            yield from _texts(node.value, constants)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in _MAKERS:
            for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
                yield from _texts(argument, constants)


def _texts(node: ast.AST, constants: Mapping[str, object]) -> Iterator[str]:
    for part in ast.walk(node):
        value = part.value if isinstance(part, ast.Constant) else constants.get(getattr(part, "id", ""))
        if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
            yield value


def test_remedy_of_a_secret_of_docker() -> None:
    """A mounted secret cannot be changed where it is: its mode is said where it comes from."""
    assert "mode: 0400" in secrets._remedy(Path("/run/secrets/relay"), 0o444)  # noqa: SLF001 -- there is no such directory here
    assert secrets._remedy(Path("/config/secret"), 0o644) == "run chmod 600 /config/secret"  # noqa: SLF001 -- the same


def test_remedy_of_a_secret_of_kubernetes(tmp_path: Path) -> None:
    """A volume of Kubernetes is read-only, and its files are links by way of ``..data``: the pod says their mode."""
    volume = tmp_path / "volume"
    (volume / "..2026").mkdir(parents=True)
    (volume / "..2026/password").write_text(SECRET)
    (volume / "..2026/password").chmod(0o644)
    (volume / "..data").symlink_to("..2026")
    (volume / "password").symlink_to("..data/password")
    sandbox = Sandbox(tmp_path / "box")
    env = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "u", "RELAY_PASSWORD__FILE": str(volume / "password")}
    (found,) = (finding for finding in findings(sandbox, env) if finding.rule == "secret-readable")
    assert found.remedy == "set defaultMode: 0400 at the volume, in the pod"
    (volume / "..2026/password").chmod(0o400)
    assert "secret-readable" not in [finding.rule for finding in findings(sandbox, env)]
