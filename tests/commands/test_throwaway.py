"""Commands that edit, in a container that is for nothing else: ``docker run --rm IMAGE setup relay …``."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.machine import machine_of, prepare

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

RELAYMAP = "postfix-relaymap.cf"
SECRET = "s3cret-P4ss"
THROWN_AWAY = (
    "not applied: this container ends with this command -- docker-mailserver notices a changed file by itself;"
    " elsewhere run dms-relay apply in the container that runs Postfix\n"
)


def with_a_first_process(sandbox: Sandbox, script: str, *words: str) -> str:
    """Run a script as process 1 in a container's stead, which runs a command with ``$COMMAND``; return what it prints."""
    program = [sys.executable, "-m", "dms_relay", "--config-dir", str(sandbox.config_dir), *words]
    command = ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "sh", "-c", script]
    env = {**environment(sandbox), "COMMAND": shlex.join(program)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


def environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment of a command on a machine with a default relay."""
    directories = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(sandbox.postfix_dir), "LC_ALL": "C.UTF-8"}
    return {**directories, "DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": SECRET}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a process 1")
def test_a_container_that_ends_with_the_command(sandbox: Sandbox) -> None:
    """Nothing is applied to a Postfix configuration that is thrown away at once, and that is said.

    Where the configuration is a mount, or where the container goes on, it is applied.
    """
    words = ("add-domain", "a.test", "r.test")
    prepare(sandbox)
    before = machine_of(sandbox)
    assert with_a_first_process(sandbox, "exec $COMMAND", *words).endswith(THROWN_AWAY)
    assert "a.test" in (sandbox.config_dir / RELAYMAP).read_text()
    assert machine_of(sandbox) == before
    mounted = f"mount --bind {sandbox.postfix_dir} {sandbox.postfix_dir}; exec $COMMAND"
    assert "\napplied: " in with_a_first_process(sandbox, mounted, *words)
    assert "\napplied: " in with_a_first_process(sandbox, "eval $COMMAND; true", "add-domain", "b.test", "r.test")
