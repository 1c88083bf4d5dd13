"""Files that a rename cannot replace, and files that are not ours: mode, owner and content, through failures and kills."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from errno import EINVAL, EIO, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dms_relay.files import in_place
from tests.support.amounts import step
from tests.support.console import of_level
from tests.support.sandbox import Sandbox
from tests.support.scene import ROOT, needs_root
from tests.support.trust import mounted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.support.amounts import Figures

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
OLD = "# logins\n@a.test  user:old-password-that-is-longer\n@b.test  other:x\n"
NEW = "# logins\n@a.test  user:new\n@b.test  other:x\n"
#: What a kill in the middle of the writing leaves: the new text first, then the old one.
HALF = NEW[:25] + OLD[25:]
EDIT = ("add-auth", "a.test", "user", "new", "--no-apply")
#: Operations from one that is tried to the next.
STEP = step(4)
KEPT = f".{LOGINS}.dms-relay.old"


@pytest.fixture
def single(sandbox: Sandbox, tmp_path: Path) -> Iterator[Path]:
    """Yield a password file that is mounted singly; what is given is the file on the outside."""
    outside = tmp_path / "outside"
    outside.write_text(OLD)
    outside.chmod(0o640)
    os.chown(outside, 1234, 4321)
    with mounted(outside, sandbox.write(LOGINS, "")):
        yield outside


def names(sandbox: Sandbox) -> list[str]:
    """Return what lies in the configuration directory."""
    return sorted(path.name for path in sandbox.config_dir.iterdir())


def test_a_file_that_is_mounted_singly(sandbox: Sandbox, single: Path) -> None:
    """A rename over it fails with EBUSY: it is written in place; mode, owner and inode stay, and nothing lies beside it."""
    before = single.stat()
    result = sandbox.run(*EDIT)
    assert (result.code, result.out) == (0, f"{LOGINS}: @a.test logs in as user\n")
    assert single.read_text() == NEW
    after = single.stat()
    assert (after.st_ino, after.st_mode, after.st_uid, after.st_gid) == (
        before.st_ino,
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert names(sandbox) == [LOGINS]


def test_a_file_that_is_mounted_read_only(sandbox: Sandbox, tmp_path: Path) -> None:
    """The message says that the mount is read-only, and what to do; exit code 73."""
    outside = tmp_path / "outside"
    outside.write_text(OLD)
    with mounted(outside, sandbox.write(LOGINS, ""), "ro"):
        result = sandbox.run(*EDIT)
        assert names(sandbox) == [LOGINS]
    remedy = "mount it without :ro, or edit it where it comes from"
    path = sandbox.config_dir / LOGINS
    assert of_level(result, "error") == [
        f"{path} cannot be written, and is unchanged: Read-only file system -- {remedy}"
    ]
    assert result.code == os.EX_CANTCREAT
    assert outside.read_text() == OLD


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_that_is_mounted_read_only(sandbox: Sandbox, there: bool) -> None:  # noqa: FBT001 -- a case
    """So it is where the whole directory is, whether the file is there or not; what is so already is so all the same."""
    if there:
        sandbox.write(LOGINS, OLD)
    with mounted(sandbox.config_dir, sandbox.config_dir, "ro"):
        result = sandbox.run(*EDIT)
        same = sandbox.run("add-auth", "b.test", "other", "x", "--no-apply")
    assert "Read-only file system" in of_level(result, "error")[0]
    assert "mount it without :ro, or edit it where it comes from" in of_level(result, "error")[0]
    assert (result.code, same.code) == (os.EX_CANTCREAT, 0 if there else os.EX_CANTCREAT)


def test_mode_and_owner_stay(sandbox: Sandbox) -> None:
    """What root edits keeps the owner and the mode that the operator gave it; its new time is now."""
    if os.geteuid() != 0:
        needs_root("only root can give a file away")
    path = sandbox.write(LOGINS, OLD)
    os.chown(path, 1234, 4321)
    path.chmod(0o620)
    os.utime(path, (1, 1))
    assert sandbox.run(*EDIT).code == 0
    status = path.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o620, 1234, 4321)
    assert status.st_mtime > 1


def test_a_new_file_belongs_to_the_owner_of_its_directory(sandbox: Sandbox) -> None:
    """The operator on the host, to whom the directory belongs, can read what root made in a container."""
    if os.geteuid() != 0:
        needs_root("only root can give a file away")
    os.chown(sandbox.config_dir, 1234, 4321)
    assert sandbox.run(*EDIT).code == 0
    status = (sandbox.config_dir / LOGINS).stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o600, 1234, 4321)


def test_a_link_stays_a_link(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the file is a link, what it points to is edited."""
    target = tmp_path / "elsewhere"
    target.write_text(OLD)
    (sandbox.config_dir / LOGINS).symlink_to(target)
    assert sandbox.run(*EDIT).code == 0
    assert (sandbox.config_dir / LOGINS).readlink() == target
    assert target.read_text() == NEW


def test_a_device_is_not_written_to(sandbox: Sandbox) -> None:
    """``/dev/null`` that is mounted over the file, to hide it, takes everything and keeps nothing."""
    with mounted(Path("/dev/null"), sandbox.write(LOGINS, "")):
        result = sandbox.run(*EDIT)
    assert "is not a file -- remove it, or mount a file there" in of_level(result, "error")[0]
    assert result.code == os.EX_CANTCREAT


def test_a_file_of_somebody_else() -> None:
    """Who cannot give a file to its owner writes it in place, and so the owner stays."""
    if os.geteuid() != 0:
        needs_root("only root can become another user")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        sandbox = Sandbox(root)
        sandbox.config_dir.chmod(0o777)
        path = sandbox.write(LOGINS, OLD)
        path.chmod(0o666)
        before = path.stat()
        code = (
            "import os, sys, structlog, grp, shlex; from dms_relay import arguments, cli\n"
            "from dms_relay.commands import add_auth\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(cli.main(sys.argv[1:], {}))"
        )
        done = subprocess.run([sys.executable, "-c", code, *sandbox.arguments(*EDIT)], cwd=ROOT, check=False)
        after = path.stat()
        assert (done.returncode, path.read_text(), names(sandbox)) == (0, NEW, [LOGINS])
        assert (after.st_ino, after.st_uid, after.st_mode) == (before.st_ino, 0, before.st_mode)


@pytest.mark.parametrize("failure", [ENOSPC, EIO])
def test_the_room_ends_while_it_is_written(
    sandbox: Sandbox,
    single: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: int,
) -> None:
    """What was written is taken back, the file is the old one, and nothing is left beside it."""
    written = in_place._write  # noqa: SLF001 -- the failure is injected where the writing is

    def fail(descriptor: int, content: bytes) -> None:
        written(descriptor, content[:9] if content == NEW.encode() else content)
        if content == NEW.encode():
            raise OSError(failure, os.strerror(failure))

    monkeypatch.setattr(in_place, "_write", fail)
    result = sandbox.run(*EDIT)
    assert of_level(result, "error")[0].startswith(
        f"{sandbox.config_dir}/{LOGINS} cannot be written, and is unchanged: {os.strerror(failure)}"
    )
    assert result.code == os.EX_CANTCREAT
    assert single.read_text() == OLD
    assert names(sandbox) == [LOGINS]


def test_nor_can_the_old_text_be_written_back(sandbox: Sandbox, single: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where the old text stands; nothing is made of the half one; the next edit puts the old back."""

    def fail(descriptor: int, _content: bytes) -> None:
        os.pwrite(descriptor, HALF.encode(), 0)
        os.ftruncate(descriptor, len(HALF))
        os.close(descriptor)
        raise OSError(EIO, os.strerror(EIO))

    monkeypatch.setattr(in_place, "_write", fail)
    result = sandbox.run(*EDIT)
    kept = sandbox.config_dir / KEPT
    remedy = f"its old content is in {kept}; free space or repair the file system, then run again"
    path = sandbox.config_dir / LOGINS
    assert of_level(result, "error") == [f"{path} is half written: Input/output error -- {remedy}"]
    monkeypatch.undo()
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == (OLD, 0o600)
    refused = sandbox.run("plan")
    text = "an edit was interrupted, so the file may be incomplete"
    assert f"{LOGINS}: {text} -- repeat that edit, or put {kept} back in its place" in of_level(refused, "error")
    assert refused.code == os.EX_CONFIG
    again = sandbox.run(*EDIT)
    assert of_level(again, "warn")[1] == f"{LOGINS}: an interrupted edit was undone -- repeat it if you still need it"
    assert (single.read_text(), names(sandbox)) == (NEW, [LOGINS])


def keep(sandbox: Sandbox, old: str, new: str) -> None:
    """Leave beside the file what a writing in place keeps there."""
    sandbox.write(KEPT, old).chmod(0o600)
    sandbox.write(KEPT.replace(".old", ".new"), new).chmod(0o600)


@pytest.mark.parametrize(
    "text", [f"{OLD}@hand.test  user:x\n", "@hand.test  user:x\n", NEW.replace("other", "OTHER"), ""]
)
def test_an_edit_by_hand_after_a_kill(sandbox: Sandbox, text: str) -> None:
    """What somebody wrote into the file after a kill counts: it is no half of anything, and is not thrown away."""
    sandbox.write(RELAYMAP, "@a.test [r.test]\n@b.test [r.test]\n@hand.test [r.test]\n")
    sandbox.write(LOGINS, text)
    keep(sandbox, OLD, NEW)
    assert sandbox.run("plan").code == 0
    result = sandbox.run("add-auth", "c.test", "user", "x", "--no-apply")
    assert "an interrupted edit was undone" not in result.err
    assert (sandbox.config_dir / LOGINS).read_text() == f"{text}@c.test  user:x\n"
    assert names(sandbox) == [RELAYMAP, LOGINS]


@pytest.mark.parametrize("text", [OLD, NEW])
def test_killed_before_or_after_the_writing(sandbox: Sandbox, text: str) -> None:
    """A file that is wholly the old one or wholly the new one is whole, and an edit that is done is not taken back."""
    sandbox.write(RELAYMAP, "@a.test [r.test]\n@b.test [r.test]\n")
    sandbox.write(LOGINS, text)
    keep(sandbox, OLD, NEW)
    assert sandbox.run("plan").code == 0
    assert sandbox.run("add-auth", "c.test", "user", "x", "--no-apply").code == 0
    assert (sandbox.config_dir / LOGINS).read_text() == f"{text}@c.test  user:x\n"


def test_a_file_that_was_taken_away_after_a_kill(sandbox: Sandbox) -> None:
    """What was kept of it goes too, and does not come back."""
    keep(sandbox, OLD, NEW)
    for domain in ("c.test", "d.test"):
        assert sandbox.run("add-auth", domain, "user", "x", "--no-apply").code == 0
    assert (sandbox.config_dir / LOGINS).read_text() == "@c.test  user:x\n@d.test  user:x\n"
    assert names(sandbox) == [LOGINS]


@pytest.mark.parametrize("old", ["", "a", "abcdef\n", "abXdef\nlonger\n"])
@pytest.mark.parametrize("new", ["", "b", "abcdeg\n", "ab\n"])
def test_each_half_is_known(sandbox: Sandbox, old: str, new: str) -> None:
    """After any number of octets of the writing, a file that is neither the old nor the new one is known as cut short."""
    keep(sandbox, old, new)
    for written in range(len(new) + 1):
        half = new[:written] + old[written:]
        path = sandbox.write(LOGINS, half)
        assert in_place.is_cut_short(path) == (half not in {old, new})


def test_interrupted_while_it_is_written(sandbox: Sandbox, single: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C takes the writing back, and nothing is left beside the file."""
    written = in_place._write  # noqa: SLF001 -- the interrupt comes where the writing is

    def interrupt(descriptor: int, content: bytes) -> None:
        written(descriptor, content)
        if content == NEW.encode():
            raise KeyboardInterrupt

    monkeypatch.setattr(in_place, "_write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sandbox.run(*EDIT)
    assert (single.read_text(), names(sandbox)) == (OLD, [LOGINS])


@pytest.mark.parametrize("there", [True, False])
def test_root_that_may_not_give_files_away(sandbox: Sandbox, there: bool) -> None:  # noqa: FBT001 -- a case
    """In a container without CAP_CHOWN the file keeps its owner, written in place; a new one belongs to root."""
    if os.geteuid() != 0:
        needs_root("only root can give up a capability")
    os.chown(sandbox.config_dir, 1234, 4321)
    path = sandbox.config_dir / LOGINS
    if there:
        sandbox.write(LOGINS, OLD)
        os.chown(path, 1234, 4321)
    command = [sys.executable, "-m", "dms_relay", *sandbox.arguments(*EDIT)]
    done = subprocess.run(["setpriv", "--bounding-set=-chown", *command], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, names(sandbox)) == (0, [LOGINS])
    assert path.read_text() == (NEW if there else "@a.test  user:new\n")
    assert path.stat().st_uid == (1234 if there else 0)


@pytest.mark.parametrize(("failure", "code"), [(EINVAL, 0), (EIO, os.EX_CANTCREAT)])
def test_a_directory_that_cannot_be_synced(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, failure: int, code: int
) -> None:
    """File systems that cannot do it are no failure; where the disk fails, it is not said that the old file stands."""

    def fail(_path: Path) -> None:
        raise OSError(failure, os.strerror(failure))

    sandbox.write(LOGINS, OLD)
    monkeypatch.setattr("dms_relay.files.sync_directory", fail)
    result = sandbox.run(*EDIT)
    assert result.code == code
    assert (sandbox.config_dir / LOGINS).read_text() == NEW
    assert "is unchanged" not in result.err


def test_the_old_text_put_back_by_hand(sandbox: Sandbox) -> None:
    """Who puts it back and leaves it lying has a whole file again: nothing is wrong with it."""
    sandbox.write(LOGINS, OLD)
    sandbox.write(RELAYMAP, "@a.test [r.test]\n@b.test [r.test]\n")
    keep(sandbox, OLD, NEW)
    assert sandbox.run("plan").code == 0
    result = sandbox.run(*EDIT)
    assert "an interrupted edit was undone" not in result.err
    assert names(sandbox) == [RELAYMAP, LOGINS]


def killed(sandbox: Sandbox, number: int) -> int:
    """Run the edit until its ``number``-th operation; give the exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.killer", str(number), *sandbox.arguments(*EDIT)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    return done.returncode


def kills(sandbox: Sandbox, drawn: Random, figures: Figures, restore: Any) -> int:  # noqa: ANN401 -- a function without arguments
    """Kill the edit at each operation; after each, the file is old or new or known to be cut short, and an edit ends it."""
    for number in range(drawn.randint(1, STEP), 100, STEP):
        restore()
        code = killed(sandbox, number)
        content = (sandbox.config_dir / LOGINS).read_text()
        assert content in {OLD, NEW} or sandbox.run("plan").code == os.EX_CONFIG
        assert sandbox.run(*EDIT).code == 0
        assert (sandbox.config_dir / LOGINS).read_text() == NEW
        assert names(sandbox) == [LOGINS]
        if code == 0:
            return number
        assert code == -signal.SIGKILL
        figures(1, "kills at one operation of an edit: the file is old or new, and the next edit ends it")
    raise AssertionError("it never ended")


@pytest.mark.soak
def test_killed_at_any_operation(sandbox: Sandbox, drawn: Random, figures: Figures) -> None:
    """By rename, the file is the old one or the new one at each moment, and the next edit leaves nothing lying about."""

    def restore() -> None:
        shutil.rmtree(sandbox.config_dir)
        sandbox.config_dir.mkdir()
        sandbox.write(LOGINS, OLD).chmod(0o600)

    assert kills(sandbox, drawn, figures, restore) > 5


@pytest.mark.soak
def test_killed_at_any_operation_in_place(sandbox: Sandbox, single: Path, drawn: Random, figures: Figures) -> None:
    """In place, a file that is half written is known as such, and the next edit puts the old text back before it begins."""

    def restore() -> None:
        single.write_text(OLD)
        for path in sandbox.config_dir.glob(".*"):
            path.unlink()

    assert kills(sandbox, drawn, figures, restore) > 10
