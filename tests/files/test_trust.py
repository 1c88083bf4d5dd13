"""Whom a run believes: owners, modes, links, mounts, and files that are swapped while they are opened."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from dms_relay.files import trust
from dms_relay.files.trust import GROUP, OTHERS, OWNER, DistrustError, fault, require_believed, require_way, steps
from dms_relay.model import places
from dms_relay.sources.text import read_file
from tests.support.trust import OPERATOR, STRANGER, give, mounted

if TYPE_CHECKING:
    from pathlib import Path

FILE, DIRECTORY, LINK, DEVICE = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR


def looks(kind: int, mode: int, uid: int, gid: int) -> os.stat_result:
    """Return how something looks."""
    return os.stat_result((kind | mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("kind", "mode", "uid", "gid", "why"),
    [
        (FILE, 0o600, 0, 0, ""),
        (FILE, 0o644, 1000, 1000, ""),
        (FILE, 0o600, 1001, 0, OWNER),
        (FILE, 0o400, 65534, 0, OWNER),
        (FILE, 0o664, 0, 0, ""),
        (FILE, 0o664, 0, 1000, ""),
        (FILE, 0o664, 0, 1001, GROUP),
        (FILE, 0o620, 1000, 1001, GROUP),
        (FILE, 0o666, 0, 0, OTHERS),
        (FILE, 0o602, 0, 0, OTHERS),
        # The bit means nothing on a file.
        (FILE, 0o1666, 0, 0, OTHERS),
        (DIRECTORY, 0o755, 0, 0, ""),
        (DIRECTORY, 0o777, 0, 0, OTHERS),
        (DIRECTORY, 0o1777, 0, 0, ""),
        (DIRECTORY, 0o1777, 1001, 0, OWNER),
        (DIRECTORY, 0o775, 0, 1001, GROUP),
        (DIRECTORY, 0o1775, 0, 1001, ""),
        (LINK, 0o777, 0, 0, ""),
        (LINK, 0o777, 1001, 0, OWNER),
        (DEVICE, 0o666, 0, 0, ""),
    ],
)
def test_the_rule(kind: int, mode: int, uid: int, gid: int, why: str) -> None:
    """By root and user 1000 alone, and their groups, with what is sticky."""
    ids = frozenset({0, 1000}), frozenset({0, 1000})
    assert fault(looks(kind, mode, uid, gid), *ids) == why


def refused(path: Path) -> tuple[str, str]:
    """Return what is not believed, and why; two empty texts where all is."""
    try:
        require_believed(str(path))
    except DistrustError as error:
        return error.path, error.why
    return "", ""


@pytest.fixture
def way(tmp_path: Path) -> Path:
    """Return a file below two directories of ours."""
    path = tmp_path / "one/two/file"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    return path


@pytest.mark.parametrize("above", [0, 1, 2])
def test_each_thing_on_the_way_counts(way: Path, above: int) -> None:
    """The file, its directory, and the directory of that."""
    at = [way, *way.parents][above]
    assert refused(way) == ("", "")
    at.chmod(0o777)
    assert refused(way) == (str(at), OTHERS)
    at.chmod(0o755)
    give(at, STRANGER)
    assert refused(way) == (str(at), OWNER)


def test_below_a_sticky_directory_the_owner_counts(tmp_path: Path) -> None:
    """What is in /tmp is its owner's: nobody else can rename or remove it."""
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    for name, owner in (("ours", os.geteuid()), ("theirs", STRANGER)):
        (shared / name).mkdir()
        (shared / name / "file").write_text("x")
        if owner == STRANGER:
            give(shared / name, owner)
    assert refused(shared / "ours/file") == ("", "")
    assert refused(shared / "theirs/file") == (str(shared / "theirs"), OWNER)


@pytest.mark.parametrize("target", ["../two/file", "/one/two/file", "hop"])
@pytest.mark.usefixtures("way")
def test_each_hop_of_a_link_counts(tmp_path: Path, target: str) -> None:
    """Where a link leads through a directory that others can write to, they choose what it means."""
    link = tmp_path / "here/link"
    link.parent.mkdir()
    if target == "hop":
        (tmp_path / "one/hop").symlink_to("two/file")
    where = {"../two/file": "../one/two/../two/file", "hop": "../one/hop"}.get(target, f"{tmp_path}{target}")
    link.symlink_to(where)
    assert (link.read_text(), refused(link)) == ("x", ("", ""))
    (tmp_path / "one").chmod(0o777)
    assert refused(link) == (str(tmp_path / "one"), OTHERS)
    (tmp_path / "one").chmod(0o755)
    give(link, STRANGER)
    assert refused(link) == (str(link), OWNER)


def test_a_volume_of_kubernetes(tmp_path: Path) -> None:
    """Its files are links through ``..data``, which is replaced as a whole; the volume is for all users, and read-only."""
    volume = tmp_path / "volume"
    (volume / "..2026").mkdir(parents=True)
    (volume / "..2026/relay.yaml").write_text("x")
    (volume / "..data").symlink_to("..2026")
    (volume / "relay.yaml").symlink_to("..data/relay.yaml")
    volume.chmod(0o777)
    assert refused(volume / "relay.yaml") == (str(volume), OTHERS)
    with mounted(volume, volume, "ro"):
        assert refused(volume / "relay.yaml") == ("", "")
        assert refused(volume) == ("", "")


def test_a_relative_path_begins_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at from the working directory on, and the way to that counts as well."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below/file").touch(0o600)
    monkeypatch.chdir(tmp_path / "below")
    expected = {at for at, *_ in steps(str(tmp_path / "below/file"))}
    assert [{at for at, *_ in steps(path)} for path in ("file", "./file", "../below/file")] == [expected] * 3


def test_links_in_a_circle_and_too_many(tmp_path: Path) -> None:
    """They lead nowhere, which is an error of the system's kind."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        require_believed(str(tmp_path / "a"))


def test_what_is_mounted_is_its_owners(way: Path, tmp_path: Path) -> None:
    """The owner of what is mounted is believed in it, and nobody else; not so where the same is not mounted."""
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    for path in (outside / "sub/file", outside / "sub", outside):
        path.write_text("x") if path.name == "file" else None
        give(path, OPERATOR, mode=0o775 if path.is_dir() else 0o664)
    assert refused(outside / "sub/file") == (str(outside), OWNER)
    with mounted(outside, way.parent):
        assert refused(way.parent / "sub/file") == ("", "")
        give(outside / "sub/file", STRANGER)
        assert refused(way.parent / "sub/file") == (str(way.parent / "sub/file"), OWNER)
        give(outside / "sub/file", OPERATOR, STRANGER)
        assert refused(way.parent / "sub/file") == (str(way.parent / "sub/file"), GROUP)
        give(outside / "sub/file", OPERATOR, mode=0o666)
        assert refused(way.parent / "sub/file") == (str(way.parent / "sub/file"), OTHERS)


def test_a_file_that_is_mounted_is_its_owners(way: Path, tmp_path: Path) -> None:
    """So compose gives a container its secrets: single files of the host's user."""
    outside = tmp_path / "outside"
    outside.write_text("x")
    give(outside, OPERATOR, mode=0o600)
    with mounted(outside, way):
        assert refused(way) == ("", "")


def test_who_put_a_directory_there(tmp_path: Path) -> None:
    """A directory that root gave away may be written to; one that a stranger made where every user can, may not."""
    given = tmp_path / "given"
    given.mkdir()
    give(given, STRANGER)
    require_way(str(given))
    tmp_path.chmod(0o1777)
    with pytest.raises(DistrustError):
        require_way(str(given))
    give(given, 0)
    require_way(str(given))
    tmp_path.chmod(0o777)
    with pytest.raises(DistrustError):
        require_way(str(given))


@pytest.mark.parametrize("times", [1, 4, 5])
def test_a_file_that_is_replaced_when_it_is_opened(way: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """What counts is that the file that was opened is the one that is believed: else it is opened again, and again."""
    opened, left = os.open, [times]

    def swap(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        if left[0]:
            left[0] -= 1
            new = way.with_name("new")
            new.write_text(f"{left[0]} left")
            new.rename(way)
        return descriptor

    monkeypatch.setattr(os, "open", swap)
    if times == 5:
        with pytest.raises(OSError, match="it is being replaced"):
            read_file(way)
    else:
        assert read_file(way) == b"0 left"


def lines(*mounts: str) -> list[places.Mount]:
    """Return mounts, written as ``number parent place kind options``."""
    fields = [mount.split(" ") for mount in mounts]
    return [
        places._mount(f"{number} {parent} 0:1 / {place} rw - {kind} x {options}\n")  # noqa: SLF001 -- its format is the system's
        for number, parent, place, kind, options in fields
    ]


def place_of(path: str, known: list[places.Mount]) -> str:
    """Return where the mount is that holds a path."""
    found = places.mount_of(path, known)
    return f"{found.number}{'!' * found.is_of_user}" if found else ""


def test_which_mount_holds_a_path() -> None:
    """The last one on the way; what is below a directory that was mounted over later is out of sight."""
    known = lines("1 0 / ext4 rw", "2 1 /tmp/config ext4 rw", "3 2 /tmp/config/in\\040side ext4 rw", "4 1 /srv ext4 rw")
    assert place_of("/tmp/config", known) == "2"  # noqa: S108 -- a name
    assert place_of("/tmp/config/file", known) == "2"  # noqa: S108 -- the same
    assert place_of("/tmp/config/in side/x", known) == "3"  # noqa: S108 -- the same
    assert place_of("/tmp/configuration", known) == "1"  # noqa: S108 -- the same
    assert place_of("/srv", [*known, *lines("5 4 /srv tmpfs rw")]) == "5"
    assert place_of("/tmp/config", [*known, *lines("6 1 /tmp tmpfs rw")]) == "6"  # noqa: S108 -- the same
    assert place_of("/x", lines("2 1 /tmp ext4 rw")) == ""


def test_what_a_user_has_mounted() -> None:
    """A user can mount with FUSE at a directory of their own, and so nothing follows from it; root's do count."""
    options = "rw,user_id={},group_id=0"
    for kind, number, is_of_user in (("fuse.sshfs", 1000, True), ("fuse.sshfs", 0, False), ("fuseblk", 1000, True)):
        (mount,) = lines(f"1 0 / {kind} {options.format(number)}")
        assert mount.is_of_user is is_of_user
    assert not lines("1 0 / ext4 rw")[0].is_of_user


def test_the_mounts_of_this_machine(way: Path, tmp_path: Path) -> None:
    """What is mounted is known as such, whatever its name is; what is not, is not."""
    target = tmp_path / "a b\\c"
    target.mkdir()
    assert not places.is_mounted(str(target))
    with mounted(way.parent, target):
        assert places.is_mounted(str(target))
        assert not places.is_mounted(str(target / "file"))
    assert not places.is_mounted(str(target))
    assert not places.is_mounted(str(tmp_path / "missing"))


def test_others_cannot_replace_what_is_mounted(tmp_path: Path) -> None:
    """A directory for all users is no danger to what is mounted in it (EBUSY), as in a pod with an emptyDir at /tmp."""
    shared, place = tmp_path / "tmp", tmp_path / "tmp/config"
    place.mkdir(parents=True)
    (place / "file").write_text("x")
    shared.chmod(0o777)
    assert refused(place / "file") == (str(shared), OTHERS)
    with mounted(place, place):
        assert refused(place / "file") == ("", "")
        require_way(str(place))
        (shared / "link").symlink_to("config/file")
        assert refused(shared / "link") == (str(shared), OTHERS)
        (shared / "beside").write_text("x")
        assert refused(shared / "config/../beside") == (str(shared), OTHERS)
        assert refused(shared / "config/..") == (str(shared), OTHERS)
        place.chmod(0o777)
        assert refused(place / "file") == (str(place), OTHERS)
    assert refused(place / "file") == (str(shared), OTHERS)


def test_nothing_in_a_directory_for_all_is_not_there(tmp_path: Path) -> None:
    """Where others could put something and nobody has, nothing is read, and nothing is refused."""
    tmp_path.chmod(0o777)
    with pytest.raises(FileNotFoundError):
        require_believed(str(tmp_path / "config"))


@pytest.mark.parametrize("is_in_container", [True, False])
def test_the_group_of_a_volume_of_a_pod(way: Path, monkeypatch: pytest.MonkeyPatch, *, is_in_container: bool) -> None:
    """Kubernetes gives a volume to root and to the pod's ``fsGroup``, which no user in the container has but the first."""
    monkeypatch.setattr(trust, "is_container", lambda: is_in_container)
    for path in (way, way.parent):
        give(path, 0, OPERATOR, mode=0o2775 if path.is_dir() else 0o664)
    monkeypatch.setattr(os, "getgroups", lambda: [OPERATOR])
    assert refused(way) == (str(way.parent), GROUP)
    with mounted(way.parent, way.parent):
        assert refused(way) == (("", "") if is_in_container else (str(way.parent), GROUP))
        monkeypatch.setattr(os, "getgroups", lambda: [0])
        assert refused(way) == (str(way.parent), GROUP)
