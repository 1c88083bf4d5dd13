"""Whoever owns the configuration directory cannot have root write to another file, or read one, by links laid under it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from errno import EPERM
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level
from tests.support.sandbox import Sandbox
from tests.support.trust import OPERATOR, STRANGER, give, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator

RELAYMAP, LOGINS = "postfix-relaymap.cf", "postfix-sasl-password.cf"
VICTIM = "root:x:0:0:\n"
#: Edits beside a racing process; the first or second one hit without what is tested here.
EDITS = 20
#: As another user: a file and a link to root's take turns under one name.
RACE = """
import os, sys
directory, name, victim, uid = sys.argv[1:]
os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid)); os.chdir(directory)
print("ready", flush=True)
while True:
    for make in (lambda: os.symlink(victim, "new"), lambda: open("new", "w").write("@z.test [z.test]\\n")):
        try:
            make()
            os.rename("new", name)
        except OSError:
            pass
"""


@pytest.fixture
def machine() -> Iterator[Sandbox]:
    """Yield a machine where other users can reach the configuration directory, which a host's user has mounted there."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        sandbox = Sandbox(root)
        (root / "outside").mkdir()
        give(root / "outside", OPERATOR, mode=0o755)
        (root / "victim").write_text(VICTIM)
        (root / "victim").chmod(0o644)
        with mounted(root / "outside", sandbox.config_dir):
            yield sandbox


@contextmanager
def racing(sandbox: Sandbox, name: str) -> Iterator[None]:
    """Have the directory's owner swap a file and a link to root's, as fast as they can."""
    victim = sandbox.postfix_dir.with_name("victim")
    command = [sys.executable, "-c", RACE, str(sandbox.config_dir), name, str(victim), str(OPERATOR)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.send_signal(signal.SIGKILL)


def is_untouched(sandbox: Sandbox) -> bool:
    """Return True if root's file is as it was, and what is in it is nowhere in the directory."""
    victim = sandbox.postfix_dir.with_name("victim")
    copies = [path for path in sandbox.config_dir.iterdir() if b"root:x" in content_of(path)]
    return victim.read_text() == VICTIM and victim.stat().st_uid == 0 and copies == []


def content_of(path: Path) -> bytes:
    """Return what is in a file; nothing of a link, whatever it was a moment ago."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 -- a descriptor, not a path
            return file.read()
    except OSError:
        return b""


def test_a_link_swapped_under_an_edit(machine: Sandbox) -> None:
    """The file is edited or the edit refused; root's file is neither written to nor read."""
    with racing(machine, RELAYMAP):
        for number in range(EDITS):
            result = machine.run("add-domain", f"d{number}.test", "r.test", "--no-apply")
            assert result.code in {0, os.EX_CANTCREAT, os.EX_NOINPUT}, result.err
            assert is_untouched(machine)


def test_a_link_swapped_under_an_edit_in_place(machine: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is where the owner of the file cannot be kept, and it is written in place."""

    def refuse(_descriptor: int, uid: int, _gid: int) -> None:
        if uid != os.geteuid():
            raise PermissionError(EPERM, os.strerror(EPERM))

    monkeypatch.setattr(os, "fchown", refuse)
    with racing(machine, RELAYMAP):
        for number in range(EDITS):
            machine.run("add-domain", f"d{number}.test", "r.test", "--no-apply")
            assert is_untouched(machine)


@pytest.mark.parametrize("how", ["link", "hard link", "kept text", "temporary file"])
def test_what_the_owner_lays_there(machine: Sandbox, how: str) -> None:
    """A link or another name in the place of any file that an edit touches does not lead root to the file behind it."""
    victim = machine.postfix_dir.with_name("victim")
    path = machine.config_dir / RELAYMAP
    if how == "link":
        path.symlink_to(victim)
    elif how == "hard link":
        os.link(victim, machine.config_dir.with_name("outside") / RELAYMAP)
    else:
        give(machine.write(RELAYMAP, "@a.test [r.test]\n"), OPERATOR)
        for end in ("old", "new") if how == "kept text" else ("tmp",):
            path.with_name(f".{RELAYMAP}.dms-relay.{end}").symlink_to(victim)
    machine.run("add-domain", "b.test", "r.test", "--no-apply")
    assert victim.read_text() == VICTIM
    assert victim.stat().st_uid == 0


def test_kept_texts_of_somebody_else(machine: Sandbox) -> None:
    """Who plants them has nothing written back: they are taken away."""
    half = "@new.test [new.test]\n@old.test [old.test]\n"
    path = give(machine.write(RELAYMAP, half), OPERATOR)
    texts = {"old": "@xxx.test [xxx.test]\n@old.test [old.test]\n", "new": "@new.test [new.test]\n"}
    for end, text in texts.items():
        give(machine.write(f".{RELAYMAP}.dms-relay.{end}", text), OPERATOR, mode=0o600)
    result = machine.run("add-domain", "b.test", "r.test", "--no-apply")
    assert "an interrupted edit was undone" not in result.err
    assert path.read_text() == f"{half}@b.test  [r.test]:25\n"
    assert [entry.name for entry in machine.config_dir.iterdir()] == [RELAYMAP]


def test_a_link_of_the_directorys_owner_to_a_file_of_theirs(machine: Sandbox) -> None:
    """It is followed: they could write to that file themselves."""
    (machine.config_dir / "sub").mkdir()
    give(machine.config_dir / "sub", OPERATOR)
    target = give(machine.write("sub/map", "@a.test [r.test]\n"), OPERATOR)
    (machine.config_dir / RELAYMAP).symlink_to("sub/map")
    give(machine.config_dir / RELAYMAP, OPERATOR)
    assert machine.run("add-domain", "b.test", "r.test", "--no-apply").code == 0
    assert target.read_text().startswith("@a.test [r.test]\n@b.test")
    assert (machine.config_dir / RELAYMAP).is_symlink()


def test_a_login_for_a_directory_that_a_stranger_made(tmp_path: Path) -> None:
    """Where every user can make a directory, root writes no login into one that is another's."""
    sandbox = Sandbox(tmp_path / "tmp")
    (tmp_path / "tmp").chmod(0o1777)
    give(sandbox.config_dir, STRANGER)
    result = sandbox.run("add-auth", "a.test", "user", "s3cret", "--no-apply")
    assert result.code == os.EX_CONFIG
    assert f"it belongs to user {STRANGER}" in of_level(result, "error")[-1]
    assert list(sandbox.config_dir.iterdir()) == []


@pytest.mark.parametrize("command", ["edit of another file", "apply", "apply of wrong inputs"])
def test_what_a_killed_run_left(sandbox: Sandbox, command: str) -> None:
    """A temporary file can hold logins: ``check`` names it, and the next edit or run removes it."""
    place = sandbox.postfix_dir if command == "apply of wrong inputs" else sandbox.config_dir
    name = "sasl_passwd" if place == sandbox.postfix_dir else LOGINS
    left = place / f".{name}.dms-relay.tmp"
    left.write_text("@a.test user:s3cret\n")
    found = sandbox.run("check", env={"DEFAULT_RELAY_HOST": "[r.test]:587"}).out
    assert f"leftover-file  {left}" in found
    if command == "edit of another file":
        sandbox.run("add-domain", "b.test", "r.test", "--no-apply")
    else:
        sandbox.run("apply", env={"DEFAULT_RELAY_HOST": "[r.test" + "]" * (command == "apply")})
    assert not left.exists()
    assert "leftover-file" not in sandbox.run("check").out


def test_a_temporary_file_while_another_edit_is_at_work(sandbox: Sandbox) -> None:
    """It is left alone: it is that edit's."""
    left = sandbox.write(f".{LOGINS}.dms-relay.tmp", "@a.test user:s3cret\n")
    code = (
        "import sys, time; from pathlib import Path; from dms_relay import files\n"
        "with files.lock(Path(sys.argv[1]), 1): print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, sandbox.config_dir], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        begin = time.monotonic()
        sandbox.apply(DEFAULT_RELAY_HOST="[r.test]:587")
        assert left.exists() or time.monotonic() - begin > 60
        process.kill()
    sandbox.apply(DEFAULT_RELAY_HOST="[r.test]:587")
    assert not left.exists()


def test_what_only_looks_like_a_leftover(machine: Sandbox, tmp_path: Path) -> None:
    """A directory is none of ours, and a link is removed itself: neither stops an edit, or hides another leftover."""
    beside = tmp_path / "beside"
    beside.mkdir()
    target = beside / ".c.dms-relay.tmp"
    target.write_text("x")
    names = [f".{letter}.dms-relay.tmp" for letter in "abcd"]
    (machine.config_dir / names[0]).mkdir()
    (machine.config_dir / names[1]).symlink_to(target)
    (machine.config_dir / names[2]).write_text("@a.test user:s3cret\n")
    (machine.config_dir / names[3]).symlink_to("missing/file")
    for path in (beside, target, *machine.config_dir.iterdir()):
        give(path, OPERATOR)
    assert names[0] not in machine.run("check").out
    result = machine.run("add-domain", "b.test", "r.test", "--no-apply")
    assert result.code == 0, result.err
    assert sorted(path.name for path in machine.config_dir.iterdir()) == [names[0], RELAYMAP]
    assert target.read_text() == "x"
    assert result.err.count("file of an interrupted run removed") == len(names) - 1


@pytest.mark.parametrize("command", [("add-domain", "b.test", "r.test"), ("add-auth", "b.test", "u", "p")])
def test_a_file_without_an_end_is_not_edited(sandbox: Sandbox, command: tuple[str, ...]) -> None:
    """A file of 200 GB is refused by name, by edits as by all else that reads it."""
    name = LOGINS if command[0] == "add-auth" else RELAYMAP
    os.truncate(sandbox.write(name, "x"), 200 << 30)
    result = sandbox.run(*command, "--no-apply")
    assert result.code == os.EX_NOINPUT
    assert f"{name}: cannot be read: it is larger than 64 MiB -- write the right file there" in result.err
