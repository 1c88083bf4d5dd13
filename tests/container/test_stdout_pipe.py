"""``stdout_pipe``: a program whose standard output is a socket gets a pipe, which it can open by name."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay.container import stdout_pipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    Ends = tuple[socket.socket, socket.socket]

#: Seconds for one program.
TIMEOUT = 30
#: Waits for the copier's end, as docker-entrypoint.sh does.
END = "exec >&-; read -r _ <&9; true"


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Yield a socket, and what its reader has."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def begin(theirs: socket.socket, script: str) -> subprocess.Popen[bytes]:
    """Start a shell behind the pipe."""
    command = [sys.executable, "-IS", stdout_pipe.__file__, "/bin/sh", "-c", script]
    started = subprocess.Popen(command, stdout=theirs.fileno(), stderr=subprocess.PIPE)
    theirs.close()
    return started


def read(ours: socket.socket) -> bytes:
    """Read to the end."""
    return b"".join(iter(lambda: ours.recv(65_536), b""))


def test_a_socket_cannot_be_opened_by_name(ends: Ends) -> None:
    """The same without the pipe fails, which is why there is one."""
    done = subprocess.run(["/bin/sh", "-c", "echo x >> /dev/stdout"], stdout=ends[1].fileno(), check=False)
    assert done.returncode != 0


def test_by_name_and_by_number(ends: Ends) -> None:
    """What the program writes by descriptor and by name arrives in order, and its exit code is its own."""
    started = begin(ends[1], f"echo one; echo two >> /dev/stdout; echo three; {END}; exit 7")
    assert read(ends[0]) == b"one\ntwo\nthree\n"
    assert (started.communicate(timeout=TIMEOUT)[1], started.returncode) == (b"", 7)


@pytest.mark.parametrize("blocking", [True, False])
def test_much_to_a_slow_reader(ends: Ends, blocking: bool) -> None:  # noqa: FBT001 -- a case
    """More than pipe and socket hold arrives whole, and descriptor 9 ends only then; also to a non-blocking socket."""
    ends[1].setblocking(blocking)
    started = begin(ends[1], f"seq 300000; {END}")
    with pytest.raises(subprocess.TimeoutExpired):
        started.wait(0.5)  # nobody reads yet
    assert read(ends[0]) == b"".join(b"%d\n" % number for number in range(1, 300_001))
    assert started.communicate(timeout=TIMEOUT)[1] == b""
    assert started.returncode == 0


def test_signals_to_the_group(ends: Ends) -> None:
    """TERM, INT, HUP and QUIT do not end the copier: what is said after them arrives."""
    send = "; ".join(f"kill -{name} $DMS_RELAY_STDOUT_PIPE" for name in ("TERM", "INT", "HUP", "QUIT"))
    # Until the copier has said what came first it may still be on its way to ignore them.
    started = begin(ends[1], f"echo first; sleep 0.5; {send}; sleep 0.1; echo last; {END}")
    assert read(ends[0]) == b"first\nlast\n"
    assert started.communicate(timeout=TIMEOUT)[1] == b""
    assert started.returncode == 0


def test_a_reader_that_has_gone(ends: Ends) -> None:
    """The program runs on, whatever it writes, and one line on standard error says what is lost."""
    ends[0].close()
    started = begin(ends[1], f"seq 300000; seq 300000; {END}; exit 5")
    said = started.communicate(timeout=TIMEOUT)[1].decode()
    assert started.returncode == 5
    lost = "standard output takes nothing more (Broken pipe), so Postfix's log is lost from here on"
    assert said.splitlines() == [f"docker-entrypoint: error: {lost}"]


def test_copy_ends_with_its_writers() -> None:
    """Each writer counts, not the first alone."""
    source, writing = os.pipe()
    reading, sink = os.pipe()
    second = os.dup(writing)
    thread = threading.Thread(target=stdout_pipe.copy, args=(source, sink))
    thread.start()
    os.write(writing, b"a")
    os.close(writing)
    os.write(second, b"b")
    assert thread.is_alive()
    os.close(second)
    thread.join(TIMEOUT)
    os.close(sink)
    assert Path(f"/dev/fd/{reading}").read_bytes() == b"ab"
    for descriptor in (source, reading):
        os.close(descriptor)


def test_signals_are_as_in_any_process(ends: Ends) -> None:
    """What Python ignores is not ignored in the program: a hook whose reader has ended would run for ever."""
    started = begin(ends[1], f"(while echo x; do :; done; echo on >&2) | true; grep ^SigIgn /proc/self/status; {END}")
    ignored, complaint = int(read(ends[0]).split()[1], 16), started.communicate(timeout=TIMEOUT)[1]
    # What whoever runs the tests ignores is another matter.
    assert (ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1), complaint) == (0, b"")


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have deliveries counted, and return the state directory."""
    monkeypatch.setenv("RELAY_METRICS", ":9154")
    monkeypatch.setenv("DMS_RELAY_STATE_DIR", str(tmp_path))
    return tmp_path


OUTCOME = "relay=none, delay=1, delays=1/0/0/0, dsn=4.0.0, status=deferred (x)"
LOG_LINE = f"Nov 26 12:00:00 mail postfix/smtp[1]: A1: to=<b@r.test>, {OUTCOME}"


def test_counting(ends: Ends, counting: Path) -> None:
    """With metrics, what passes is counted, and arrives as it is; what was counted is written at the end, and goes on."""
    for count in (1, 2):
        ours, theirs = ends if count == 1 else socket.socketpair()
        started = begin(theirs, f"echo '{LOG_LINE}'; printf '\\377\\n'; {END}")
        assert read(ours) == f"{LOG_LINE}\n".encode() + b"\xff\n"
        assert started.communicate(timeout=TIMEOUT)[1] == b""
        ours.close()
        assert f'"tried\\tunknown\\tdeferred\\t4": {count}' in (counting / "deliveries.json").read_text()


def test_counters_are_written_while_it_runs(ends: Ends, counting: Path) -> None:
    """A second after a line, what is counted can be read, though nothing more comes."""
    started = begin(ends[1], f"echo '{LOG_LINE}'; until [ -e {counting}/deliveries.json ]; do sleep 0.1; done; {END}")
    assert read(ends[0]) == f"{LOG_LINE}\n".encode()
    assert started.communicate(timeout=TIMEOUT)[1] == b""


def test_counting_goes_on_without_a_reader(ends: Ends, counting: Path) -> None:
    """Where the log is lost, deliveries are counted all the same."""
    ends[0].close()
    started = begin(ends[1], f"for n in 1 2 3; do echo '{LOG_LINE}'; done; {END}")
    assert b"standard output takes nothing more" in started.communicate(timeout=TIMEOUT)[1]
    assert '"tried\\tunknown\\tdeferred\\t4": 3' in (counting / "deliveries.json").read_text()


def test_counters_that_cannot_be_written(ends: Ends, counting: Path) -> None:
    """One line says so, whatever comes, and the log goes on."""
    counting.rmdir()
    started = begin(ends[1], f"echo '{LOG_LINE}'; sleep 2.5; echo '{LOG_LINE}'; {END}")
    assert read(ends[0]).decode() == f"{LOG_LINE}\n" * 2
    what = f"{counting} cannot be written: No such file or directory, so deliveries are counted in memory only"
    said = started.communicate(timeout=TIMEOUT)[1].decode()
    assert said == f"docker-entrypoint: error: {what} -- free space, or mount a volume there\n"


def test_a_bug_in_counting(ends: Ends, counting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts may fail as it likes: that is said once, and the log goes on."""
    copy = counting / "package/container/stdout_pipe.py"
    (counting / "package/metrics").mkdir(parents=True)
    copy.parent.mkdir()
    copy.write_text(Path(stdout_pipe.__file__).read_text())
    (counting / "package/metrics/deliveries.py").write_text(
        "class Deliveries:\n def __init__(self, _): self.counters = self\n def rest(self): return None\n"
        " def take(self, _): raise KeyError('x')\n"
    )
    monkeypatch.setattr(stdout_pipe, "__file__", str(copy))
    started = begin(ends[1], f"seq 100000; {END}")
    assert read(ends[0]) == b"".join(b"%d\n" % number for number in range(1, 100_001))
    said = started.communicate(timeout=TIMEOUT)[1].decode()
    assert (
        said == "docker-entrypoint: error: deliveries are not counted from here on: KeyError: 'x' -- report this bug\n"
    )
