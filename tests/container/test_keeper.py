"""``docker/keeper``: when it starts ``dms-relay watch`` and starts it again, and how it ends.

The script is the real one, with other places, and seconds that are a tenth where a test would wait for minutes. What it runs
is a program that ends or does not end as a test wants.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SCRIPT = Path(__file__).parents[2] / "docker/keeper"
#: Seconds until what a test waits for must have come.
PATIENCE = 30.0


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


class Keeper:
    """A keeper of a test's own."""

    def __init__(self, directory: Path) -> None:
        """Take where its files are."""
        self.directory = directory
        self.program, self.master_lock, self.log = directory / "program", directory / "master.pid", directory / "log"
        self.runs = directory / "runs"
        self.processes: list[subprocess.Popen[bytes]] = []

    def be(self, text: str) -> None:
        """Have the program do something, after it has noted its process number and its words."""
        self.program.write_text(f'#!/bin/sh\necho "$$ $*" >> {self.runs}\n{text}\n')
        self.program.chmod(0o755)

    def start(
        self, environ: dict[str, str] | None = None, *, words: Sequence[Path] = (), **constants: object
    ) -> subprocess.Popen[bytes]:
        """Start the script, with other constants."""
        constants = {"PROGRAM": self.program, "MASTER_LOCK": self.master_lock, "LOOK": 0.1, **constants}
        text = SCRIPT.read_text()
        for name, value in constants.items():
            text, count = re.subn(rf"^readonly {name}=.*$", f"readonly {name}={value}", text, flags=re.MULTILINE)
            assert count == 1
        script = self.directory / "keeper"
        script.write_text(text)
        with self.log.open("wb") as log:
            environ = {**os.environ, **(environ or {})}
            process = subprocess.Popen(["sh", script, *words], stdout=log, stderr=log, env=environ)
        self.processes.append(process)
        return process

    def started(self) -> list[int]:
        """Return the process numbers of the program so far."""
        if not self.runs.exists():
            return []
        lines = self.runs.read_text().splitlines()
        assert all(line.endswith(" watch") for line in lines)
        return [int(line.split()[0]) for line in lines]

    def wait_for_runs(self, count: int) -> list[int]:
        """Wait until the program was started a number of times."""
        wait_for(lambda: len(self.started()) >= count, f"{count} starts")
        return self.started()

    def said(self) -> list[str]:
        """Return what it has said."""
        return self.log.read_text().splitlines()


@contextmanager
def running_master(lock: Path) -> Iterator[None]:
    """Run a program under the name of master(8), which writes its number as master(8) does."""
    lock.parent.mkdir(exist_ok=True)
    program = lock.with_name("master")
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "600"]) as process:
        lock.write_text(f"{process.pid:>10}\n")
        yield
        process.kill()


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    """Yield a keeper that has not been started, beside a process that has master(8)'s name, and its number in its file."""
    keeper = Keeper(tmp_path)
    with running_master(keeper.master_lock):
        yield keeper
        for process in keeper.processes:
            process.kill()
            process.wait()
        for number in keeper.started():
            if is_alive(number):
                os.kill(number, signal.SIGKILL)


def is_alive(number: int) -> bool:
    """Return True if a process runs that is not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_waits_for_postfix(keeper: Keeper, tmp_path: Path) -> None:
    """Nothing is started as long as Postfix does not run: there is no file, or a killed Postfix has left one."""
    keeper.be("exec sleep 60")
    (tmp_path / "other").mkdir()
    lock = tmp_path / "other/master.pid"
    process = keeper.start(MASTER_LOCK=lock)
    time.sleep(0.3)
    lock.write_text(f"{os.getpid():>10}\n")  # which is somebody else's by now
    time.sleep(0.3)
    assert keeper.started() == []
    with running_master(lock):
        keeper.wait_for_runs(1)
    assert process.poll() is None


def test_it_is_started_again(keeper: Keeper) -> None:
    """Each end is said once, with the exit code, and each pause is twice as long as the one before, up to the longest."""
    keeper.be("exit 7")
    keeper.start(LAST_PAUSE=2)
    keeper.wait_for_runs(3)
    wait_for(lambda: len(keeper.said()) == 3, "the lines")
    said = (
        "keeper: error: dms-relay watch ended by itself, with exit code 7; Postfix goes on, and it is started again in"
    )
    assert keeper.said() == [f"{said} {seconds} s" for seconds in (1, 2, 2)]


def test_after_a_minute_the_pause_is_short_again(keeper: Keeper) -> None:
    """What ran well for long enough (here: a second) is started again after the first pause."""
    keeper.be(f"[ $(wc -l < {keeper.runs}) -ne 2 ] || sleep 1.1\nexit 1")
    keeper.start(WELL=1)
    keeper.wait_for_runs(3)
    wait_for(lambda: len(keeper.said()) == 3, "the lines")
    assert [line.split()[-2] for line in keeper.said()] == ["1", "1", "2"]


@pytest.mark.parametrize("sign", ["KILL", "TERM"])
def test_a_kill_is_an_end_as_any_other(keeper: Keeper, sign: str) -> None:
    """Whatever signal ends the program, it is started again."""
    keeper.be("exec sleep 60")
    process = keeper.start()
    [first] = keeper.wait_for_runs(1)
    wait_for(lambda: Path(f"/proc/{first}/comm").read_text() == "sleep\n", "the program")
    os.kill(first, getattr(signal, f"SIG{sign}"))
    second = keeper.wait_for_runs(2)[1]
    assert is_alive(second)
    assert process.poll() is None
    assert len(keeper.said()) == 1


@pytest.mark.parametrize("moment", ["waits for Postfix", "runs", "pause"])
def test_term_ends_it(keeper: Keeper, tmp_path: Path, moment: str) -> None:
    """TERM ends it with exit code 0 at any moment, and the program with it; nothing is said."""
    keeper.be("exit 1" if moment == "pause" else "exec sleep 60")
    is_waiting = moment == "waits for Postfix"
    lock = tmp_path / "other" if is_waiting else keeper.master_lock
    process = keeper.start(FIRST_PAUSE=60, LOOK=60 if is_waiting else 0.1, MASTER_LOCK=lock)
    numbers = [] if is_waiting else keeper.wait_for_runs(1)
    if moment == "pause":
        wait_for(keeper.said, "the pause")
    else:
        time.sleep(0.3)
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert not any(is_alive(number) for number in numbers)
    assert len(keeper.said()) == (moment == "pause")


def test_a_program_that_does_not_listen(keeper: Keeper) -> None:
    """A program that takes no TERM gets KILL after a while, and the end is the same."""
    keeper.be("trap '' TERM\nwhile :; do sleep 0.1; done")
    process = keeper.start(GRACE=0.5)
    numbers = keeper.wait_for_runs(1)
    time.sleep(0.2)
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert not any(is_alive(number) for number in numbers)


def test_the_program_has_a_session_of_its_own(keeper: Keeper) -> None:
    """What a terminal sends to its processes, such as Ctrl-C, reaches the program through the script alone."""
    keeper.be("exec sleep 60")
    keeper.start()
    [number] = keeper.wait_for_runs(1)
    assert os.getsid(number) == number


def test_no_watching(keeper: Keeper) -> None:
    """With RELAY_WATCH=no it ends at once, with exit code 0; with anything else it runs, and says what it does not know."""
    keeper.be("exec sleep 60")
    assert keeper.start({"RELAY_WATCH": "no"}).wait(PATIENCE) == 0
    assert keeper.started() == []
    for number, (value, lines) in enumerate({"yes": 0, "": 0, "No": 1}.items(), start=1):
        keeper.start({"RELAY_WATCH": value})
        keeper.wait_for_runs(number)
        assert len(keeper.said()) == lines


def test_it_is_told_when_the_inputs_were_applied(keeper: Keeper, tmp_path: Path) -> None:
    """The file counts as it is when Postfix runs; without one, what the environment says is handed on."""
    seen = tmp_path / "seen"
    keeper.be(f'echo "$DMS_RELAY_APPLIED_AT" >> {seen}\nexec sleep 60')
    environ = {"DMS_RELAY_APPLIED_AT": "12.34"}
    keeper.start(environ, MASTER_LOCK=tmp_path / "other/master.pid", words=[tmp_path / "file"])
    time.sleep(0.3)
    (tmp_path / "file").write_text("56.78\n")
    with running_master(tmp_path / "other/master.pid"):
        keeper.wait_for_runs(1)
    keeper.start(environ, words=[tmp_path / "missing"])
    keeper.wait_for_runs(2)
    assert seen.read_text() == "56.78\n12.34\n"
