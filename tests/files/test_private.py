"""Where programs of Postfix find a main.cf for a moment: nowhere that others could put another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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
    import random
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


#: Two directories, one in the other's time, as an import has them; then what a signal meets.
_SCRIPT = """
import signal, sys, time
from dms_relay.files.private import private_directory
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[1:] == ["nohup"] else signal.SIG_DFL)
with private_directory() as first, private_directory() as second:
    (second / "main.cf").write_text("secret")
    print("ready", flush=True)
    time.sleep(60 if sys.argv[1:] != ["nohup"] else 0.5)
print("over", flush=True)
"""


def _ended(place: Path, number: int, *words: str) -> tuple[int, str]:
    """Send a signal to a process that has two directories; return its exit code and what it said after that."""
    command = [sys.executable, "-c", _SCRIPT, *words]
    env = {"TMPDIR": str(place), "PATH": os.environ["PATH"]}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert len(list(place.iterdir())) == 2
        process.send_signal(number)
        rest, _ = process.communicate()
    return process.returncode, rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing(place: Path, number: signal.Signals) -> None:
    """Whatever ends the process, it ends as it did without, and the directories are gone."""
    assert _ended(place, number) == (-number, "")
    assert list(place.iterdir()) == []


def test_a_signal_that_is_ignored(place: Path) -> None:
    """Under nohup(1), HUP ends nothing."""
    assert _ended(place, signal.SIGHUP, "nohup") == (0, "over\n")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE])
def test_an_import_that_is_ended(place: Path, number: signal.Signals, drawn: random.Random) -> None:
    """It leaves no password behind, at whatever moment it is ended; also where nobody reads what it says."""
    env = {"TMPDIR": str(place), "PATH": os.environ["PATH"], "RELAYHOST": "[r.test]:587"}
    env |= {"RELAYHOST_USERNAME": "u", "RELAYHOST_PASSWORD": "s3cret"}
    command = [sys.executable, "-m", "dms_relay", "import", "--from", "bokysan"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        if number == signal.SIGPIPE:
            process.stdout.close()
        else:
            while process.poll() is None and not list(place.iterdir()):
                time.sleep(0.001)
            time.sleep(drawn.uniform(0, 0.2))
            process.send_signal(number)
        process.wait()
    assert list(place.iterdir()) == []
