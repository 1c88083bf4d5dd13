"""Many edits at once lose nothing, neither in the file nor in Postfix's table."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from tests.files.test_in_place import mounted
from tests.support.scene import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

RELAYMAP = "postfix-relaymap.cf"


@pytest.mark.parametrize(("edits", "is_mounted"), [(100, False), (30, True)], ids=["by rename", "mounted singly"])
def test_all_of_them_arrive(sandbox: Sandbox, tmp_path: Path, edits: int, is_mounted: bool) -> None:  # noqa: FBT001 -- a case
    """A hundred ``add-domain`` at once, each with the ``apply`` that follows: a hundred domains, and each says 0."""
    outside = tmp_path / "outside"
    outside.write_text("# mine\n")
    path = sandbox.write(RELAYMAP, "# mine\n")
    with mounted(outside, path) if is_mounted else nullcontext():
        command = [sys.executable, "-m", "dms_relay", *sandbox.arguments("--log-level", "error", "add-domain")]
        processes = [
            subprocess.Popen(
                [*command, f"d{number}.test", "r.test", str(number + 1)],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            for number in range(edits)
        ]
        ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
        assert ended == [(b"", 0)] * edits
        first, *lines = path.read_text().splitlines()
    expected = {f"@d{number}.test": f"[r.test]:{number + 1}" for number in range(edits)}
    assert first == "# mine"
    assert sorted(lines) == sorted(f"{key}  {value}" for key, value in expected.items())
    assert sandbox.table("relayhost_map") == expected
    assert sorted(found.name for found in sandbox.config_dir.iterdir()) == [RELAYMAP]
