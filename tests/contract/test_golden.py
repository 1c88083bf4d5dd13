"""The recorded runs of the original: what went in, and what Postfix then saw."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.sandbox import BASE_MAIN_CF, DATA, Sandbox

CASES = json.loads((DATA / "relay-sh-cases.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_recorded_run(sandbox: Sandbox, case: dict[str, Any]) -> None:
    """Where the original does right, ours gives Postfix the same tables and the same parameters."""
    for name, text in case["config"].items():
        sandbox.write(name, text)
    if "vhost" in case:
        sandbox.write("vhost", case["vhost"])
    before = sandbox.postconf_n()
    sandbox.apply(**case["env"])
    assert {name: sandbox.table(name) for name in ("relayhost_map", "sasl_passwd")} == {
        name: case["expect"][name] for name in ("relayhost_map", "sasl_passwd")
    }
    after = sandbox.postconf_n()
    assert before.keys() <= after.keys()
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    assert changed == {
        name: value.replace("/etc/postfix", str(sandbox.postfix_dir))
        for name, value in case["expect"]["main_cf"].items()
    }
    assert BASE_MAIN_CF.splitlines()[0] in sandbox.main_cf.read_text("ascii")
