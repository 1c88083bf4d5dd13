"""The command in a fork of a process that has imported it is the command that Python starts: ``tests.support.prepared``."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from testbed.inputs import started
from tests.support.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox import Sandbox

ENV = {"PATH": os.environ["PATH"], "DEFAULT_RELAY_HOST": "[smtp.example.com]:587", "LOG_LEVEL": "debug"}
#: A command each that succeeds, is refused, is no command, reads its standard input, and has more to say than a pipe holds.
COMMANDS = [
    (["show"], ""),
    (["show", "--json"], ""),
    (["explain"], ""),
    (["nonsense"], ""),
    (["add-auth", "one.test", "me", "--password-stdin", "--no-apply"], "pässword\n"),
    (["add-domain", "one.test", "no host", "--no-apply"], ""),
    (["man"], ""),
    (["plan"], ""),
]


@pytest.fixture
def prepared() -> Iterator[Prepared]:
    """Yield one that ends with the test."""
    with closing(Prepared()) as prepared:
        yield prepared


def test_same_as_started(sandbox: Sandbox, prepared: Prepared) -> None:
    """Exit code, both outputs and what is written are the same, with the environment and the input of each command."""
    login = sandbox.config_dir / "postfix-sasl-password.cf"
    for command, feed in COMMANDS:
        found = []
        for run in (started, prepared.run):
            login.unlink(missing_ok=True)
            done = run(sandbox.arguments(*command), ENV, feed)
            said = re.sub(r"\d\d:\d\d:\d\d(\.\d+)?", "", done.stderr)
            found.append((done.returncode, done.stdout, said, login.read_bytes() if login.exists() else None))
        assert found[0] == found[1], command


def test_one_knows_nothing_of_the_other(sandbox: Sandbox, prepared: Prepared) -> None:
    """What one command was given is not there for the next one."""
    first = prepared.run(sandbox.arguments("show"), ENV)
    assert "smtp.example.com" in first.stdout
    assert "smtp.example.com" not in prepared.run(sandbox.arguments("show"), {"PATH": ENV["PATH"]}).stdout


def test_no_end(sandbox: Sandbox) -> None:
    """A command that does not end is killed, and that is an error, as with ``subprocess.run``."""
    with closing(Prepared(patience=1)) as hasty, pytest.raises(subprocess.TimeoutExpired):
        hasty.run(sandbox.arguments("watch"), ENV)
