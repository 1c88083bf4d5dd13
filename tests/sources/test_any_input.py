"""Whatever stands in the inputs, a run ends with a result or with a refusal; never with a crash, never with a password."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.support.amounts import Figures, amount
from tests.support.any_input import FILES, SECRET, contents, environments
from tests.support.rested import write_rested

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

PROPERTY = settings(max_examples=amount(80, 10_000), deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.soak
@PROPERTY
@given(st.dictionaries(st.sampled_from(FILES), contents, max_size=4), environments)
def test_any_input(sandbox: Sandbox, figures: Figures, files: dict[str, bytes], env: dict[str, str]) -> None:
    """Any text in any file and any variable: done, or 66 or 78 with a line for each error; and no password is shown."""
    for name in FILES:
        path = (sandbox.postfix_dir if name == "vhost" else sandbox.config_dir) / name
        path.unlink(missing_ok=True)
        if name in files:
            write_rested(path, files[name])
    for command in ("show", "plan"):
        result = sandbox.run(command, env=env)
        event(f"{command}: {result.code}")
        assert result.code in {os.EX_OK, os.EX_NOINPUT, os.EX_CONFIG}
        if result.code != os.EX_OK:
            assert result.out == ""
        assert SECRET not in result.out + result.err
    figures(1, "random inputs: done or refused, and no password is shown")
