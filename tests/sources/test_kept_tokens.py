"""Access tokens that are kept, as an input."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from dms_relay import Paths, merge, read, tokens
from tests.sources.test_oauth2_settings import MICROSOFT, ROUTED, entry
from tests.support.trust import STRANGER, give

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

ENV = {**ROUTED, **MICROSOFT}


def kept(sandbox: Sandbox) -> tuple[Paths, Path]:
    """Keep a token of the login, and return where."""
    oauth2 = entry(sandbox, ENV).login.oauth2
    assert oauth2
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir, sandbox.config_dir / "state")
    (service,) = merge(read(paths, ENV)).transports.services  # type: ignore[union-attr]
    name = tokens.login_id(service.relay.name, "me@a.test", oauth2)
    tokens.save(paths.state_dir, name, tokens.Kept("token", time.time(), time.time() + 3600))
    return paths, paths.state_dir / "tokens" / f"{name}.json"


def test_token_is_taken(sandbox: Sandbox) -> None:
    """The one that was kept for the login."""
    kept(sandbox)
    assert entry(sandbox, ENV).login.password == "token"


@pytest.mark.parametrize("way", ["owner", "mode"])
def test_token_that_others_could_have_written(sandbox: Sandbox, way: str) -> None:
    """It is not taken, and said, at the level of a warning: mail waits for another. What is to be done is printed."""
    paths, path = kept(sandbox)
    give(path, STRANGER if way == "owner" else os.geteuid(), mode=0o600 if way == "owner" else 0o666)
    inputs = read(paths, ENV)
    assert inputs.tokens == {}
    (problem,) = inputs.problems
    assert (str(problem.origin), problem.rule, problem.is_error) == (str(path), "untrusted-input", False)
    command = problem.remedy.partition("run ")[2].partition(",")[0]
    subprocess.run(command, shell=True, check=True)  # noqa: S602 -- as it is written there
    assert entry(sandbox, ENV).login.password == "token"
