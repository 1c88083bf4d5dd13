"""Every warning, word for word. A warning never stops a run: it says that something works otherwise than it seems meant."""

from __future__ import annotations

import pytest

from tests.merge.warning_cases import CASES, DEFAULT, FULL, Case
from tests.support.console import of_level, said
from tests.support.sandbox import BASE_MAIN_CF, Sandbox


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_warning(sandbox: Sandbox, case: Case) -> None:
    """Each warning comes in these words, from ``apply``, ``plan`` and ``show`` alike; the run succeeds."""
    for name, text in case.files.items():
        sandbox.write(name, text)
    for command in ("show", "plan", "apply"):
        result = sandbox.run(command, env=case.env)
        assert result.code == 0
        assert of_level(result, "warn") == case.warnings
        assert of_level(result, "error") == []
        assert "s3cret" not in result.err + result.out


def test_a_parameter_that_someone_else_changed(sandbox: Sandbox) -> None:
    """A parameter of ours that was changed by hand is not put back, and a warning says what it was before us."""
    sandbox.write_main_cf(BASE_MAIN_CF.replace("relayhost =\n", ""))
    sandbox.apply(**FULL)
    text = sandbox.main_cf.read_text().replace("encrypt", "secure").replace("[r.test]:587", "[by.hand]:587")
    sandbox.write_main_cf(text)
    result = sandbox.apply()
    changed = "was changed since the last apply, so it is not restored -- check it: before dms-relay"
    assert of_level(result, "warn") == [
        f"main.cf: relayhost {changed} it was not set",
        f"main.cf: smtp_tls_security_level {changed} it was set",
    ]
    assert sandbox.postconf_n()["relayhost"] == "[by.hand]:587"


def test_only_warnings_and_errors_at_that_level(sandbox: Sandbox) -> None:
    """``LOG_LEVEL=warn`` shows warnings and no more; ``error`` hides them, and the run does the same."""
    assert [level for level, _ in said(sandbox.run("apply", env={**DEFAULT, "LOG_LEVEL": "warn"}))] == ["warn"]
    assert sandbox.run("apply", env={**FULL, "RELAY_PORT": "1", "LOG_LEVEL": "error"}).err == ""
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "user:s3cret"}
