"""What was mounted empty, and for everybody, is closed before anybody but root runs."""

from __future__ import annotations

from stat import S_IMODE
from typing import TYPE_CHECKING

import pytest

from dms_relay.container.empty_mounts import close
from tests.support.trust import STRANGER, give

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("before", "after"), [(0o777, 0o1777), (0o1777, 0o1777), (0o755, 0o755), (0o775, 0o775), (0o707, 0o1707)]
)
def test_directories_for_everybody(tmp_path: Path, before: int, after: int) -> None:
    """Others may make files there, and replace nobody else's."""
    tmp_path.chmod(before)
    close([str(tmp_path)], str(tmp_path / "none"))
    assert S_IMODE(tmp_path.stat().st_mode) == after


@pytest.mark.parametrize(
    ("before", "after"), [(0o777, 0o755), (0o775, 0o755), (0o1777, 0o1755), (0o2770, 0o2750), (0o700, 0o700)]
)
def test_an_empty_directory_of_inputs(tmp_path: Path, before: int, after: int) -> None:
    """Nobody but root may put files there from now on."""
    tmp_path.chmod(before)
    close([], str(tmp_path))
    assert S_IMODE(tmp_path.stat().st_mode) == after


def test_one_that_is_not_empty(tmp_path: Path) -> None:
    """Who has filled it cannot be known: it is left, and refused later on."""
    (tmp_path / "relay.yaml").touch()
    tmp_path.chmod(0o777)
    close([], str(tmp_path))
    assert S_IMODE(tmp_path.stat().st_mode) == 0o777


def test_one_of_a_user(tmp_path: Path) -> None:
    """What belongs to somebody else is theirs, and a link is not followed."""
    theirs, link = tmp_path / "theirs", tmp_path / "link"
    theirs.mkdir()
    give(theirs, STRANGER, mode=0o777)
    link.symlink_to(tmp_path)
    tmp_path.chmod(0o777)
    close([str(theirs), str(link)], str(theirs))
    assert S_IMODE(theirs.stat().st_mode) == S_IMODE(tmp_path.stat().st_mode) == 0o777
