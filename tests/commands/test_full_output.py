"""Standard output that cannot be written: the exit code says so, and standard error why."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dms_relay.container import boot
from tests.support.machine import MASTER_CF

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

FULL = "/dev/full"
#: More than fits into the buffers of a stream, and less.
MANY, FEW = 3000, 1
COMMANDS = (
    "show",
    "show --json",
    "plan",
    "plan --exit-code",
    "apply",
    "check",
    "check --json",
    "check --strict",
    "explain a@d0.test",
    "explain --json a@d0.test b@c.test",
    "list",
    "list --json",
    "schema",
    "test",
    "test --json",
    "man",
    "completion bash",
    "completion zsh",
    "--help",
    "apply --help",
    "--version",
    "add-domain --no-apply e.test r.test 587",
    "exclude-domain --no-apply e.test",
    "remove-domain --no-apply d0.test",
    "remove-auth --no-apply d0.test",
)


def write_inputs(sandbox: Sandbox, number: int) -> dict[str, str]:
    """Write so many domains, all with the same relay; return the environment."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    sandbox.write("postfix-relaymap.cf", "".join(f"@d{n}.test [127.0.0.1]:1\n" for n in range(number)))
    sandbox.write("postfix-sasl-password.cf", "".join(f"@d{n}.test u{n}:p\n" for n in range(number))).chmod(0o600)
    return {"PATH": os.environ["PATH"]}


def run(sandbox: Sandbox, command: list[str], env: dict[str, str], out: str | int) -> subprocess.CompletedProcess[str]:
    """Run a command whose standard output goes to a file, or to a descriptor."""
    arguments = [sys.executable, "-m", "dms_relay", *sandbox.arguments(*command)]
    stream = os.open(out, os.O_WRONLY) if isinstance(out, str) else out
    try:
        return subprocess.run(
            arguments, stdout=stream, stderr=subprocess.PIPE, env=env, text=True, check=False, timeout=60
        )
    finally:
        os.close(stream)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("number", [FEW, MANY])
@pytest.mark.parametrize("command", COMMANDS)
def test_full(sandbox: Sandbox, command: str, number: int) -> None:
    """Each command, in each form, exits 74 where what it says cannot be written, and says why, once."""
    if number == MANY and command.startswith("test"):
        number = FEW  # three thousand relays are another test
    done = run(sandbox, command.split(), write_inputs(sandbox, number), FULL)
    assert done.returncode == os.EX_IOERR
    assert done.stderr.count("standard output cannot be written, so the output is incomplete: No space left") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["show --json", "plan", "--help"])
def test_reader_that_is_gone(sandbox: Sandbox, command: str) -> None:
    """Where the reader has seen enough, the exit code is the same, and no word is said."""
    reader, writer = os.pipe()
    os.close(reader)
    done = run(sandbox, command.split(), write_inputs(sandbox, MANY), writer)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "output" in line]) == (os.EX_IOERR, [])


def test_apply_is_done(sandbox: Sandbox) -> None:
    """What a command does is done all the same."""
    env = write_inputs(sandbox, FEW)
    assert run(sandbox, ["apply"], env, FULL).returncode == os.EX_IOERR
    assert sandbox.table("relayhost_map") == {"@d0.test": "[127.0.0.1]:1"}


def test_a_start_goes_on(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A boot whose words are lost is no failed one: Postfix is started."""
    with (tmp_path / "out").open("w") as stream:
        os.dup2(os.open(FULL, os.O_WRONLY), stream.fileno())
        monkeypatch.setattr(sys, "stdout", stream)
        env = {"MAIL_CONFIG": str(sandbox.postfix_dir), "DEFAULT_RELAY_HOST": "[d.test]:587"}
        assert boot.main(["20-relay"], env) == os.EX_OK
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space left"):
            stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    assert "relayhost" in sandbox.main_cf.read_text()
