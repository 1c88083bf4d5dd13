"""Where programs of Postfix find a main.cf for a moment: nowhere that others could put another one."""

from __future__ import annotations

import os
from errno import ENOENT
from typing import TYPE_CHECKING

import pytest

from dms_relay.errors import WriteError
from dms_relay.files import private
from dms_relay.files.private import private_directory
from dms_relay.postfix import trial
from dms_relay.postfix.index_files import table_types
from tests.support.trust import STRANGER, give

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one directory for temporary files, for all users and sticky."""
    place = tmp_path / "tmp"
    place.mkdir()
    place.chmod(0o1777)
    monkeypatch.setattr(private, "_PLACES", (str(place),))
    monkeypatch.delenv("TMPDIR", raising=False)
    return place


def test_it_is_ours_alone_and_goes(place: Path) -> None:
    """It is for nobody else, and nothing is left."""
    with private_directory() as made:
        assert (made.parent, made.stat().st_mode & 0o7777) == (place, 0o700)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("why", ["for all", "another's", "missing", "another's, by TMPDIR"])
def test_the_next_place(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Where others could replace it, or nothing can be made, the next place is taken; where there is none, it is said."""
    first = tmp_path / "first"
    if why != "missing":
        first.mkdir()
    if why == "for all":
        first.chmod(0o777)
    elif why.startswith("another's"):
        give(first, STRANGER)
    if why.endswith("TMPDIR"):
        monkeypatch.setenv("TMPDIR", str(first))
    else:
        monkeypatch.setattr(private, "_PLACES", (str(first), str(place)))
    with private_directory() as made:
        assert made.parent == place
    place.chmod(0o777)
    with pytest.raises(WriteError, match="there is no place for temporary files") as caught, private_directory():
        pass
    assert "TMPDIR" in str(caught.value)


def test_all_who_need_one(place: Path, tmp_path: Path) -> None:
    """Both who have a program of Postfix read a main.cf take this one; a trial that cannot be made says nothing."""
    place.rmdir()
    with pytest.raises(WriteError, match=os.strerror(ENOENT)):
        table_types(tmp_path, {})
    assert trial._is_taken("")  # noqa: SLF001 -- what is asked for each value
