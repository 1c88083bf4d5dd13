"""Whatever stands in the inputs, ``check`` ends with findings; never with a crash, never with a password."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dms_relay.checks.rules import RULES
from tests.support.amounts import Figures, amount
from tests.support.any_input import FILES, SECRET, contents, environments

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

PROPERTY = settings(max_examples=amount(20, 1000), deadline=None, suppress_health_check=list(HealthCheck))
#: The rules of merging that another rule says better, or that is not so (``checks.routes.is_contradicted``).
REPLACED = frozenset({"relay-without-login", "no-login", "implicit-tls-port"})


@pytest.mark.soak
@PROPERTY
@given(
    st.dictionaries(st.sampled_from(FILES), contents, max_size=4), environments, st.sampled_from(["maps", "transports"])
)
def test_any_input(
    sandbox: Sandbox, figures: Figures, files: dict[str, bytes], env: dict[str, str], routing: str
) -> None:
    """Where inputs cannot be used, its exit code is that of ``plan``; all that ``plan`` says is among the findings."""
    for name in FILES:
        sandbox.write(name, files.get(name, b"")).unlink()
    for name, content in files.items():
        sandbox.write(name, content)
    env = {**env, "RELAY_ROUTING": routing, "LOG_FORMAT": "json", "LOG_LEVEL": "info"}
    plan, result = sandbox.run("plan", env=env), sandbox.run("check", "--json", env=env)
    event(f"exit code {plan.code}")
    found = json.loads(result.out)["findings"]
    assert result.code == plan.code if plan.code else result.code in {0, 1}
    assert {finding["id"] for finding in found} <= RULES.keys()
    said = [json.loads(line) for line in plan.err.splitlines()]
    shown = {(finding["origin"], finding["text"]) for finding in found if finding["id"] not in REPLACED}
    expected = {(line["origin"], line["event"]) for line in said if "origin" in line}
    assert {pair for pair in expected - shown if not _is_replaced(pair[1])} == set()
    assert result.err == ""
    assert SECRET not in result.out
    figures(1, "random inputs: check finds what plan says, and shows no password")


def _is_replaced(text: str) -> bool:
    return "has no login: RELAY_USER" in text or text.startswith("no login is set") or "needs implicit TLS" in text
