"""main.cf is written under the lock that ``postconf`` takes: neither loses what the other writes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from dms_relay.errors import BusyError, WriteError
from dms_relay.postfix import main_cf, main_cf_file

if TYPE_CHECKING:
    from pathlib import Path

#: How often each side writes.
ROUNDS = 40


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a main.cf."""
    path = tmp_path / "main.cf"
    path.write_text("compatibility_level = 3.6\n# a comment\nmyhostname = mail.example.test\n")
    return path


def test_beside_postconf(file: Path) -> None:
    """With ``postconf -e`` at work at the same time, every parameter of both is there in the end."""

    def theirs() -> None:
        for number in range(ROUNDS):
            subprocess.run(["postconf", "-c", file.parent, "-e", f"their_{number} = x"], check=True)

    thread = Thread(target=theirs)
    thread.start()
    for number in range(ROUNDS):
        main_cf_file.edit(file, {f"our_{number}": "x"})
    thread.join()
    names = set(main_cf.values(file.read_text()))
    assert names == {"compatibility_level", "myhostname"} | {
        f"{whose}_{number}" for whose in ("our", "their") for number in range(ROUNDS)
    }


def test_a_writer_is_waited_for(file: Path) -> None:
    """What another program writes under the lock is there: main.cf is read when the lock is ours."""
    program = (
        "import fcntl, os, sys, time\n"
        "file = open(sys.argv[1] + '.tmp', 'w')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print(flush=True)\n"
        "time.sleep(0.3)\n"
        "file.write('theirs = x\\n')\n"
        "file.flush()\n"
        "os.rename(file.name, sys.argv[1])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, file], stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        main_cf_file.edit(file, {"ours": "x"})
    assert main_cf.values(file.read_text()) == {"theirs": "x", "ours": "x"}


def test_a_lock_that_is_never_given_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for without end; nothing is changed, and the other's file stays."""
    monkeypatch.setattr(main_cf_file, "TIMEOUT", 0.1)
    before, temporary = file.read_text(), main_cf_file.temporary_name(file)
    with temporary.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match=f"another program has {temporary} locked -- wait until it ends"):
            main_cf_file.edit(file, {"ours": "x"})
    assert (file.read_text(), temporary.exists()) == (before, True)


def test_what_a_killed_postconf_left(file: Path) -> None:
    """Its content, which may be longer, does not count; its rights, which may be wider, are those of main.cf."""
    temporary = main_cf_file.temporary_name(file)
    temporary.write_text("left = over\n" * 1000)
    temporary.chmod(0o666)
    file.chmod(0o640)
    main_cf_file.edit(file, {"ours": "x", "myhostname": None})
    assert file.read_text() == "compatibility_level = 3.6\n# a comment\nours = x\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert not temporary.exists()


def test_a_link_in_its_place(file: Path, tmp_path: Path) -> None:
    """A link is not followed: what it leads to is not ours to write."""
    victim = tmp_path / "victim"
    victim.write_text("kept")
    main_cf_file.temporary_name(file).symlink_to(victim)
    before = file.read_text()
    with pytest.raises(WriteError, match=r"main\.cf cannot be written, and is unchanged"):
        main_cf_file.edit(file, {"ours": "x"})
    assert (victim.read_text(), file.read_text()) == ("kept", before)


def test_a_rename_that_fails(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where main.cf cannot be replaced, it is as it was, and nothing is left beside it."""
    before = file.read_text()

    def refuse(*_: object) -> None:
        raise OSError(16, os.strerror(16))

    monkeypatch.setattr(type(file), "rename", refuse)
    with pytest.raises(WriteError, match="busy -- mount the directory, not the single file"):
        main_cf_file.edit(file, {"ours": "x"})
    assert (file.read_text(), list(file.parent.iterdir())) == (before, [file])
