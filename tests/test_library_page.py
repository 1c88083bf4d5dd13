"""docs/library.md: each example runs as pasted, in a process of its own, on inputs as an operator has them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay
from dms_relay import errors
from dms_relay.drain.work import TIME_OVER
from testbed import Inputs, Testbed
from tests.drain.conftest import greeting, wait_for
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

PAGE = (Path(__file__).parent.parent / "docs/library.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SECRET = "s3cret-P4ss"
#: A relay at a port of this machine where nobody answers.
ENV = {
    "DEFAULT_RELAY_HOST": "[127.0.0.1]:1",
    "RELAY_USER": "user",
    "RELAY_PASSWORD": SECRET,
    "PATH": "/usr/sbin:/usr/bin",
}


def pasted(sandbox: Sandbox, example: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run an example, on the directories of the sandbox in place of the machine's own."""
    return run(example, (sandbox.config_dir, sandbox.postfix_dir), env)


def run(example: str, directories: tuple[Path, ...], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run an example on some directories."""
    assert "Paths()" in example
    places = ", ".join(f"Path({str(directory)!r})" for directory in directories)
    code = f"from pathlib import Path\n{example.replace('Paths()', f'Paths({places})', 1)}"
    return subprocess.run([sys.executable, "-c", code], env={**ENV, **env}, capture_output=True, text=True, check=False)


def test_the_steps(sandbox: Sandbox) -> None:
    """The first example applies, and finds nothing to do the second time."""
    for said in ("there are changes", "nothing to do"):
        done = pasted(sandbox, EXAMPLES[0])
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{said}\n"
    assert sandbox.table("sasl_passwd") == {"[127.0.0.1]:1": f"user:{SECRET}"}


def test_wrong_inputs(sandbox: Sandbox) -> None:
    """The first example names what is wrong, and where; nothing is written."""
    before = sandbox.snapshot()
    done = pasted(sandbox, EXAMPLES[0], DEFAULT_RELAY_HOST="[127.0.0.1]:0")
    assert done.returncode == 78
    assert done.stdout.startswith("env DEFAULT_RELAY_HOST; ")
    assert sandbox.snapshot() == before


def test_check_explain_and_test(sandbox: Sandbox) -> None:
    """The second example finds something, explains, tries the relay, and shows no password."""
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n", "utf-8")
    before = sandbox.snapshot()
    done = pasted(sandbox, EXAMPLES[1])
    assert done.returncode == 0, done.stderr
    assert "secret-in-environment" in done.stdout
    assert "example.org True None" in done.stdout
    assert "cannot connect" in done.stdout or "refused" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert sandbox.snapshot() == before


@pytest.mark.long
def test_queue_status_metrics_and_drain(tmp_path: Path) -> None:
    """The other examples say what waits and why, and that no keeper runs; they drain Postfix, which takes mail again."""
    require_postfix()
    with Testbed() as testbed:
        postfix, inputs = testbed.postfix(), Inputs(tmp_path / "config", DEFAULT_RELAY_HOST=ENV["DEFAULT_RELAY_HOST"])
        inputs.apply(postfix)
        postfix.send("anna@a.test", ["bob@b.test"], "waits")
        postfix.flush()
        wait_for(lambda: any("delay_reason" in str(message) for message in postfix.queue()))
        directories = (inputs.directory, postfix.config, tmp_path / "state")
        said, drained = (run(example, directories, {}) for example in EXAMPLES[2:])
        assert (said.returncode, said.stderr, drained.returncode, drained.stderr) == (0, "", 0, "")
        assert said.stdout.startswith("1 ")
        assert "[127.0.0.1]:1; 1; connection refused; " in said.stdout
        assert "no dms-relay watch runs" in said.stdout
        assert '\ndms_relay_queue_messages{relay="[127.0.0.1]:1"} 1.0\n' in said.stdout
        assert drained.stdout == f"[127.0.0.1]:1 1 {TIME_OVER}\n"
        assert greeting(postfix)[0] == 220


def test_every_example_is_tried() -> None:
    """There is no fifth one."""
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("name", [name for name in dms_relay.__all__ if name.endswith("Error") or name.islower()])
def test_every_public_function_and_error_is_named(name: str) -> None:
    """The page has each of them; classes of data stand in the code."""
    if not name.startswith("__") and (name.islower() or hasattr(errors, name)):
        assert f"`{name}" in PAGE
