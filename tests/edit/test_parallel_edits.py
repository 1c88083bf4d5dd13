"""Many edits at once lose nothing, neither in the file nor in Postfix's table."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from tests.support.amounts import Figures, amount
from tests.support.scene import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox
from tests.support.trust import mounted

RELAYMAP = "postfix-relaymap.cf"
#: Processes that run at the same time, as many as there is memory for on a small machine.
AT_ONCE = 100


@pytest.mark.soak
@pytest.mark.parametrize(
    ("edits", "is_mounted"),
    [(amount(20, 500), False), (amount(8, 100), True)],
    ids=["by rename", "mounted singly"],
)
def test_all_of_them_arrive(
    sandbox: Sandbox,
    tmp_path: Path,
    figures: Figures,
    edits: int,
    is_mounted: bool,  # noqa: FBT001 -- a case
) -> None:
    """Many ``add-domain`` at once, each with the ``apply`` that follows: each domain is there, and each says 0."""
    outside = tmp_path / "outside"
    outside.write_text("# mine\n")
    path = sandbox.write(RELAYMAP, "# mine\n")
    with mounted(outside, path) if is_mounted else nullcontext():
        command = [sys.executable, "-m", "dms_relay", *sandbox.arguments("--log-level", "error", "add-domain")]
        for begin in range(0, edits, AT_ONCE):
            numbers = range(begin, min(begin + AT_ONCE, edits))
            assert _at_once([[*command, f"d{n}.test", "r.test", str(n + 1)] for n in numbers]) == {(b"", 0)}
        figures(edits, "edits at once: all of them arrive")
        first, *lines = path.read_text().splitlines()
    expected = {f"@d{number}.test": f"[r.test]:{number + 1}" for number in range(edits)}
    assert first == "# mine"
    assert sorted(lines) == sorted(f"{key}  {value}" for key, value in expected.items())
    assert sandbox.table("relayhost_map") == expected
    assert sorted(found.name for found in sandbox.config_dir.iterdir()) == [RELAYMAP]


def _at_once(commands: list[list[str]]) -> set[tuple[bytes, int]]:
    """Run commands at the same time; return what they said on standard error, with their exit codes."""
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for command in commands
    ]
    return {(process.communicate(timeout=120)[1], process.returncode) for process in processes}
