"""The compose file: what it says to do, done in a checkout of its own. No login gets into a file that git has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
#: What the instructions use, and what decides what git takes.
USED = ("compose.yaml", ".gitignore", "examples")


def instructions() -> list[str]:
    """Return the commands that the head of compose.yaml says, but for Docker's."""
    lines = (ROOT / "compose.yaml").read_text("utf-8").splitlines()
    found = [line.removeprefix("#     ") for line in lines if line.startswith("#     ")]
    return [line for line in found if not line.startswith("docker ")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout, and follow the instructions there, with the umask that most users have."""
    for name in USED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    subprocess.run(["sh", "-ec", "umask 022\n" + "\n".join(instructions())], cwd=tmp_path, check=True)
    return tmp_path


def given(checkout: Path) -> list[Path]:
    """Return what the containers get of the user's own: the configuration directory and the secrets, by compose.yaml."""
    relay = yaml.safe_load((checkout / "compose.yaml").read_text("utf-8"))
    mounted = [volume.partition(":")[0] for volume in relay["services"]["relay"]["volumes"]]
    places = [*(name for name in mounted if "/" in name), *(secret["file"] for secret in relay["secrets"].values())]
    return [checkout / place for place in places]


def test_everything_that_is_named_is_made(checkout: Path) -> None:
    """After the instructions, all that compose.yaml names is there, the examples to be edited included."""
    directory, secret = given(checkout)
    assert secret.is_file()
    assert {path.name for path in directory.iterdir()} == {path.name for path in (ROOT / "examples/config").iterdir()}


def test_nothing_is_in_git(checkout: Path) -> None:
    """Whatever is written where compose.yaml looks, git neither has it nor offers to take it."""
    for place in given(checkout):
        if place.is_dir():
            for path in [*place.iterdir(), place / "relay.yaml"]:
                path.write_text("changed", "utf-8")
        else:
            place.write_text("changed", "utf-8")
    done = subprocess.run(["git", "diff", "--name-only"], cwd=checkout, check=True, capture_output=True, text=True)
    assert done.stdout == ""
    done = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=checkout, check=True, capture_output=True, text=True
    )
    assert done.stdout == ""


def test_only_its_owner_reads_it(checkout: Path) -> None:
    """Files have mode 0600, directories 0700, up to the checkout."""
    for place in given(checkout):
        paths = [place, *place.rglob("*"), *place.parents[: len(place.relative_to(checkout).parts) - 1]]
        for path in paths:
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_the_examples_have_no_place_for_a_login_of_a_user() -> None:
    """The examples say where to put a login: not into the examples."""
    for path in (ROOT / "examples").rglob("*"):
        if path.is_file():
            assert "examples/secrets" not in path.read_text("utf-8"), path
