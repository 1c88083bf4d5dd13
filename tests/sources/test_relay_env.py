"""``relay.env``: what counts there, and what does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay import Paths, read
from dms_relay.model.places import CONFIG_DIR_VARIABLE
from dms_relay.sources.environment import OURS
from dms_relay.sources.relay_env import OF_THE_PROCESS

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

IMAGE, WATCH = (Path(__file__).parents[2] / "docs" / name for name in ("image.md", "watch.md"))


def documented() -> set[str]:
    """Return the variables that tables of docs/image.md and docs/watch.md list, without the settings of relays."""
    tables = [part for path in (IMAGE, WATCH) for part in path.read_text("utf-8").split("\n\n")]
    rows = [row.split("|")[1] for table in tables if table.startswith("| variable ") for row in table.splitlines()]
    return {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}.difference(OURS)


def test_each_variable_of_the_process_is_known() -> None:
    """Each that is documented, and no other; one stands in the help alone."""
    assert documented() | {CONFIG_DIR_VARIABLE} == set(OF_THE_PROCESS)


@pytest.mark.parametrize("name", sorted(OF_THE_PROCESS))
def test_variable_of_the_process(sandbox: Sandbox, name: str) -> None:
    """It is read before the file is, or by another program: a line there has no effect, which is said with its number."""
    sandbox.write("relay.env", f"DEFAULT_RELAY_HOST=[r.test]:587\n{name}=no\n")
    (problem,) = read(Paths(sandbox.config_dir, sandbox.postfix_dir), {}).problems
    assert (str(problem.origin), problem.is_error) == ("relay.env:2", False)
    assert problem.text == f"{name} has no effect here: it counts only in the environment"
    sandbox.write("relay.env", f"DEFAULT_RELAY_HOST=[r.test]:587\n{name}=\n")
    assert read(Paths(sandbox.config_dir, sandbox.postfix_dir), {name: "no"}).problems == ()
