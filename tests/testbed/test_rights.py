"""`sudo make …` in a tree that is not root's leaves nothing there that its owner cannot remove."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.scene import needs_root

ROOT = Path(__file__).parents[2]
#: A user and a group that no machine has.
OWNER = (64_123, 64_124)
#: Makes what Python and pytest make.
MAKES = "mkdir -p .pytest_cache/v a/__pycache__; touch .pytest_cache/v/x a/__pycache__/x .coverage"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree that is somebody else's, with the script, and with a file of root's that make has not made."""
    if os.geteuid() != 0:
        needs_root("only root can run what is somebody else's")
    path = tmp_path / "tree"
    (path / "a").mkdir(parents=True)
    (path / "demo").mkdir()
    shutil.copy(ROOT / "demo" / "rights.sh", path / "demo")
    for each in (path, *path.rglob("*")):
        os.chown(each, *OWNER)
    (path / "secret").touch(0o600)
    return path


def rights(tree: Path, for_whom: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell's script."""
    return subprocess.run(
        ["demo/rights.sh", for_whom, "sh", "-c", script],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def owners(tree: Path) -> set[tuple[int, int]]:
    """Return who owns what is in the tree, but for the file that root put there."""
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in tree.rglob("*") if path.name != "secret"}


@pytest.mark.parametrize("for_whom", ["owner", "root", "caller"])
def test_what_is_made_belongs_to_the_owner(tree: Path, for_whom: str) -> None:
    """Each way, what make has made is the owner's, the exit code is the command's, and nothing else changes hands."""
    assert rights(tree, for_whom, f"{MAKES}; exit 3").returncode == 3
    assert (tree / ".pytest_cache" / "v" / "x").exists()
    assert owners(tree) == {OWNER}
    assert (tree / "secret").stat().st_uid == 0


@pytest.mark.parametrize(("for_whom", "uid"), [("owner", OWNER[0]), ("root", 0), ("caller", 0)])
def test_who_runs_it(tree: Path, for_whom: str, uid: int) -> None:
    """What needs no root has none; what needs it keeps it."""
    assert rights(tree, for_whom, "id -u").stdout == f"{uid}\n"


@pytest.mark.parametrize("for_whom", ["owner", "root", "caller"])
def test_in_roots_own_tree_nothing_is_between(tree: Path, for_whom: str) -> None:
    """A command in root's own tree takes the place of the script, so that each signal reaches it."""
    os.chown(tree, 0, 0)
    with subprocess.Popen(
        ["demo/rights.sh", for_whom, "sh", "-c", "echo $$"], cwd=tree, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert int(child.stdout.read()) == child.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command(tree: Path, number: signal.Signals) -> None:
    """A signal to make's child alone reaches the command; what it has made is the owner's all the same."""
    script = f"trap 'exit 130' TERM; {MAKES}; echo ready; while :; do sleep 0.1; done"
    # Whoever runs the tests may ignore the signal (nohup), and a shell cannot trap what was ignored before it began.
    command = ["env", "--default-signal=HUP,TERM", "demo/rights.sh", "root", "sh", "-c", script]
    with subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(number)
        try:
            assert child.wait(60) == 130
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    assert owners(tree) == {OWNER}


def test_usage(tmp_path: Path) -> None:
    """Without a word that it knows it does nothing."""
    done = subprocess.run([ROOT / "demo" / "rights.sh", "true"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 2
