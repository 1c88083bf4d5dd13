"""Log lines that another process writes: the same lines, in their order, and no part in what the run does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay import log_lines
from dms_relay.log import FORMATS
from tests.support.scene import wait_until

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
ON = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}
#: Runs the command as a launcher does: the process that writes lines is started before the package is imported.
LAUNCHER = """
import os, sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("log_lines", sys.argv.pop(1))
lines = module_from_spec(spec)
spec.loader.exec_module(lines)
lines.PROC = {proc!r}
{before}
writer = lines.start(sys.argv, os.environ, lambda _: None) if {is_apart} else None
{after}
from dms_relay.cli import run
run(writer)
"""


def launch(
    sandbox: Sandbox, *options: str, is_apart: bool = True, before: str = "", after: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``apply``, with or without a process for its lines."""
    script = LAUNCHER.format(proc=log_lines.PROC, is_apart=is_apart, before=before, after=after)
    command = [sys.executable, "-c", script, log_lines.__file__, *sandbox.arguments(*options, "apply")]
    environ = {"PATH": os.environ["PATH"], **ON, **env}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def untimed(text: str) -> list[str]:
    """Return lines without what differs from run to run: the times."""
    return [line.partition("Z ")[2] or line[25:] for line in text.splitlines()]


@pytest.mark.parametrize("style", FORMATS)
def test_the_same_lines(sandbox: Sandbox, style: str) -> None:
    """To the octet, but for the time, and all of them, in every format."""
    before = sandbox.snapshot()
    found = []
    for is_apart in (True, False):
        done = launch(sandbox, "--log-format", style, "--log-level", "trace", is_apart=is_apart)
        assert done.returncode == 0
        found.append([sorted(line.split(",")) if style == "json" else line for line in _shown(done.stderr, style)])
        sandbox.run("apply", env={})
        assert sandbox.snapshot().keys() == before.keys()
    assert found[0] == found[1]
    assert len(found[0]) > 5


def _shown(text: str, style: str) -> list[str]:
    if style != "json":
        return untimed(text)
    return [line.partition('"timestamp"')[0] for line in text.splitlines()]


def test_lines_come_before_what_is_said(sandbox: Sandbox) -> None:
    """On one stream, the last line is what the command says: a reader sees it when all else is there."""
    script = LAUNCHER.format(proc=log_lines.PROC, is_apart=True, before="os.dup2(1, 2)", after="")
    command = [sys.executable, "-c", script, log_lines.__file__, *sandbox.arguments("apply")]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": os.environ["PATH"], **ON}, capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    assert lines[-1].startswith("applied: ")
    assert len(lines) > 5


def test_errors_are_shown(sandbox: Sandbox) -> None:
    """A run that fails says so through the same process, and ends with its exit code when that has written."""
    sandbox.write("postfix-relaymap.cf", "@a.test [r.test\n")
    done = launch(sandbox)
    assert done.returncode == os.EX_CONFIG
    assert "wrong inputs, nothing was changed" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("no closing bracket -- write [host]:port")


def test_it_is_killed(sandbox: Sandbox) -> None:
    """The run does its work, does not wait for ever, and writes its lines itself."""
    done = launch(sandbox, after="os.kill(writer._pid, 9)")
    assert (done.returncode, done.stdout) == (0, "applied: 2 tables and 6 parameters changed\n")
    assert "[info     ] default relay" in done.stderr
    assert "parameter set" in done.stderr
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "user:s3cret"}


def test_it_cannot_format_lines(sandbox: Sandbox) -> None:
    """Where it ends because it cannot import what it needs, the reason why nothing was changed is shown all the same."""
    sandbox.write("postfix-relaymap.cf", "@a.test [r.test\n")
    done = launch(sandbox, before="lines._write_lines = lambda _: 1 / 0")
    assert done.returncode == os.EX_CONFIG
    assert "wrong inputs, nothing was changed" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("no closing bracket -- write [host]:port")


def test_the_run_is_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was said before is written, and nothing is left running."""
    after = (
        "writer.send('console', 'info', 'said', {})\n"
        "open(sys.argv.pop(), 'w').write(str(writer._pid))\n"
        "os.kill(os.getpid(), 9)"
    )
    script = LAUNCHER.format(proc=log_lines.PROC, is_apart=True, before="", after=after)
    command = [sys.executable, "-c", script, log_lines.__file__, *sandbox.arguments("apply"), str(tmp_path / "pid")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert untimed(done.stderr) == ["[info     ] said"]
    pid = (tmp_path / "pid").read_text()
    wait_until(lambda: not Path(f"/proc/{pid}/root").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text())


def test_a_line_after_the_last_one(sandbox: Sandbox) -> None:
    """A line that nobody expected any more is written all the same, after those before it: the process is still busy."""
    after = (
        "import signal, threading\n"
        "from dms_relay.log import Log\n"
        "log = Log(writer=writer)\n"
        "log.info('first')\n"
        "os.kill(writer._pid, signal.SIGSTOP)\n"
        "log.expect_no_more()\n"
        "threading.Timer(0.5, os.kill, (writer._pid, signal.SIGCONT)).start()\n"
        "log.warn('second')\n"
    )
    assert untimed(launch(sandbox, after=after).stderr)[:2] == ["[info     ] first", "[warn     ] second"]


def test_nobody_reads(sandbox: Sandbox) -> None:
    """Where standard error is closed, or its reader is gone, the run does its work."""
    for before in ("os.close(2)", "r, w = os.pipe(); os.dup2(w, 2); os.close(r); os.close(w)"):
        assert launch(sandbox, before=before).returncode == 0
        assert sandbox.table("sasl_passwd") == {"[r.test]:587": "user:s3cret"}
        sandbox.run("apply", env={})


def test_an_interrupt_is_the_runs_alone(sandbox: Sandbox) -> None:
    """Ctrl-C goes to both: the run says how it ended, and the other process writes that."""
    done = launch(sandbox, after="import time; os.kill(writer._pid, 0); time.sleep(0.5); os.kill(writer._pid, 2)")
    assert done.returncode == 0
    assert "parameter set" in done.stderr


FORESEEN = {
    "as it is": ({}, [], True),
    "another level": ({"LOG_LEVEL": "DEBUG"}, [], True),
    "little to say": ({"LOG_LEVEL": "error"}, [], False),
    "warnings only": ({}, ["--log-level", "warn"], False),
    "what is said on the command line counts": ({"LOG_LEVEL": "error"}, ["--log-level", "info"], True),
}


@pytest.mark.parametrize("name", FORESEEN)
def test_when_it_is_worth_it(tmp_path: Path, name: str) -> None:
    """A process is started where lines are foreseen, and nowhere else."""
    environ, options, is_worth_it = FORESEEN[name]
    argv = ["dms-relay", *options, "--postfix-dir", str(tmp_path), "apply"]
    assert started(argv, environ) == is_worth_it


def test_when_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for another command, and not with one processor; in a container it is."""
    environ = {"MAIL_CONFIG": str(tmp_path)}
    assert started(["boot", "--start", "/docker-entrypoint.d/20-relay"], environ)
    assert not started(["boot", "--start", "/docker-entrypoint.d/10-postfix"], environ)
    assert not started(["dms-relay", "plan"], environ)
    assert started(["dms-relay", "apply"], environ)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert not started(["dms-relay", "apply"], environ)


def test_a_busy_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every processor has something to do, or nobody knows, lines are formatted where they arise."""
    monkeypatch.setattr(log_lines, "PROC", "/proc")
    environ = {"MAIL_CONFIG": str(tmp_path)}
    number = len(os.sched_getaffinity(0)) + 1  # one of them may be moved to another processor just now
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        assert not started(["dms-relay", "apply"], environ)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    monkeypatch.setattr(log_lines, "PROC", str(tmp_path / "nowhere"))
    assert not started(["dms-relay", "apply"], environ)


def test_something_else_runs_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more process than ours, such as a part of the kernel, is no reason to format lines where they arise; two are."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    for running, is_started in ((2, True), (3, False)):
        (tmp_path / "loadavg").write_text(f"0.00 0.00 0.00 {running}/100 1\n")
        assert started(["dms-relay", "apply"], {"MAIL_CONFIG": str(tmp_path)}) == is_started


#: A process stays on one processor. Its child is there too; it may leave, does so, and says where it was, where it is, and
#: where it may be.
ON_ONE_PROCESSOR = """
import os
from pathlib import Path
from dms_relay import log_lines

def place():
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[36])

allowed = os.sched_getaffinity(0)
one = min(allowed)
os.sched_setaffinity(0, {one})
if child := os.fork():
    while not os.waitpid(child, os.WNOHANG)[0]:
        pass
else:
    was_there = place() == one
    os.sched_setaffinity(0, allowed)
    log_lines._leave_processor_of_parent()
    print(was_there, place() == one, os.sched_getaffinity(0) == allowed)
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="there is one processor")
def test_it_does_not_stay_on_the_processor_of_the_run() -> None:
    """The two would take turns though another processor is idle; later it may run wherever the kernel wants."""
    done = subprocess.run(
        [sys.executable, "-c", ON_ONE_PROCESSOR], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True False True\n"


@pytest.fixture(autouse=True)
def _idle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have a processor idle, whatever else this machine does."""
    (tmp_path / "loadavg").write_text("0.00 0.00 0.00 1/100 1\n")
    monkeypatch.setattr(log_lines, "PROC", str(tmp_path))


def started(argv: list[str], environ: dict[str, str]) -> bool:
    """Start it, and end it."""
    writer = log_lines.start(argv, environ, lambda _: None)
    if writer is None:
        return False
    writer.close()
    writer.close()  # a second time is nothing
    return True


def test_a_value_of_any_kind(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What cannot go through the pipe as it is goes as its text; what is longer than a pipe goes in pieces."""
    writer = log_lines.start(["dms-relay", "apply"], {"MAIL_CONFIG": str(tmp_path)}, lambda _: None)
    assert writer
    writer.send("console", "info", "one", {"path": tmp_path, "number": 3, "nothing": None})
    writer.send("console", "info", "x" * 200_000, {})
    writer.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        writer.send("console", "info", "late", {})
    first, second = untimed(capfd.readouterr().err)
    assert first == f"[info     ] one nothing=None number=3 path={tmp_path}"
    assert len(second) > 200_000
