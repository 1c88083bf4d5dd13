"""A private Postfix instance for one test, demo or measurement.

It has its own directory, and never touches the files and processes of the
machine's Postfix. It accepts mail on a loopback port and sends it on; it
delivers nothing to mailboxes. Postfix starts only for root, so all of this
needs root.

    with Postfix(hosts={"world.test": "127.0.0.1"}) as postfix:
        postfix.send("a@example.com", ["b@world.test"], "first")
        postfix.wait_until_queue_empty()

Whatever happens inside the `with`, no process and no directory of the instance
is left afterwards, except after a KILL of the calling program.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from testbed import evidence, processes
from testbed import layout as files
from testbed.certificates import Authority
from testbed.log_socket import LogSocket
from testbed.mailer import Mailer
from testbed.patience import PATIENCE

_END = 2.0
"""Seconds for daemons to end after `postfix stop`."""
_TAIL = 5
"""Number of log lines in an error at the start."""
_POLL = 0.02
"""Seconds between two looks at the queue."""
_FLUSH = 1.0
"""Seconds between two flushes while waiting."""
_BY_CONFIGURATION = frozenset({"qmgr", "trivial-rewrite", "smtp", "master"})
"""Daemons that route or deliver messages; `master` is one that is about to become a daemon."""
_SCAN_INCOMING = b"I"
"""The request that makes qmgr(8) look at the incoming queue."""
_QUEUES = ("maildrop", "incoming", "active", "deferred", "active", "hold")
"""In an order in which no message can move unseen from one to the next."""


class PostfixError(Exception):
    """A Postfix command failed, or something took too long."""


def why_unavailable() -> str | None:
    """Return why no instance can be started here; None if it can."""
    if os.geteuid() != 0:
        return "Postfix starts for root only"
    if shutil.which("postfix", path=_environment()["PATH"]) is None:
        return "Postfix is not installed"
    return None


def _environment() -> dict[str, str]:
    """Return an environment that names no other instance."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MAIL_")}
    path = kept.get("PATH", "/usr/bin:/bin")
    return kept | {"PATH": f"/usr/sbin:/sbin:{path}", "LC_ALL": "C.UTF-8"}


def free_port(host: str = "127.0.0.1") -> int:
    """Return a currently free TCP port."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Postfix:
    """One instance; a context manager, or start, stop and remove."""

    def __init__(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        hosts: Mapping[str, str] | None = None,
        world_port: int | None = None,
        authority: Authority | None = None,
        parent: Path | None = None,
    ) -> None:
        """Create the directories and files of an instance.

        `settings` go into main.cf, and override our own. `hosts` maps the names
        that the instance can look up to addresses. `world_port` is the default
        port of a nexthop (`smtp_tcp_port`). `authority` is the one whose
        certificates it trusts. `parent` is the directory in which to create
        the instance; the user `postfix` must be able to reach it.
        """
        self.layout = files.create(parent)
        self.port = free_port()
        self._mailer = Mailer("127.0.0.1", self.port)
        self._log_socket: LogSocket | None = None
        self._hosts = dict(hosts or {})
        port = {} if world_port is None else {"smtp_tcp_port": str(world_port)}
        try:
            self._write(port | dict(settings or {}), authority or Authority())
        except BaseException:
            self.layout.remove()
            raise

    def _write(self, settings: Mapping[str, str], authority: Authority) -> None:
        authority.write_certificate(self.layout.authority)
        files.write_main_cf(self.layout, files.parameters(self.layout) | dict(settings))
        files.write_master_cf(self.layout, self.port)
        files.write_hosts(self.layout, self._hosts)

    @property
    def config(self) -> Path:
        """The configuration directory (`postfix -c`, `MAIL_CONFIG`)."""
        return self.layout.config

    def __enter__(self) -> Self:
        """Start; if that fails, nothing is left."""
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and remove."""
        try:
            self.stop()
        finally:
            self.layout.remove()

    def start(self) -> None:
        """Start the daemons, and return when they have started. Raises PostfixError with Postfix's log."""
        if self._log_socket is None:
            if not self.layout.log.exists():  # the first start: all is in order, and the checks start 60 programs
                self.layout.quick_start.touch()
            self._log_socket = LogSocket(self.layout.log_socket, self.layout.log)
            evidence.watch(self, f"Postfix in {self.layout.base}", self._evidence)
        try:
            self.command("postfix", "start")
        except PostfixError as error:
            said = "\n".join(self.log().splitlines()[-_TAIL:])
            message = f"{error}\n{said}"
            raise PostfixError(message) from error
        files.write_hosts(self.layout, self._hosts)  # Debian's `postfix start` (3.9 and later) overwrites them

    def stop(self) -> None:
        """Stop the daemons, and return when the last of them is gone."""
        evidence.end(self)
        self._mailer.close()
        if self.running():
            with suppress(PostfixError):
                self.command("postfix", "stop")
        left = processes.wait_until_none(self.processes, _END) and processes.end_all(self.processes, _END)
        if self._log_socket is not None:
            self._log_socket.close()
            self._log_socket = None
        if left:
            message = f"processes that do not end: {left}"
            raise PostfixError(message)
        self.layout.master_pid.unlink(missing_ok=True)

    def reload(self) -> None:
        """Make the daemons read their configuration again."""
        self.command("postfix", "reload")

    def renew(self) -> None:
        """Make the daemons read their configuration again; return when none that routes or delivers uses the old one.

        Does what `postfix reload` does, without its eleven programs, for tests of many configurations. No mail may be in
        transit: the queue's files are not handled. At the end it requests a queue manager, since the old one may have
        consumed the request that master(8) makes for the new one.
        """
        master = self._master()
        if master is None:
            raise PostfixError("renew: there is no master daemon")
        old = processes.children(master)
        os.kill(master, signal.SIGHUP)
        left = processes.wait_until_none(
            lambda: [number for number in old if processes.name(number) in _BY_CONFIGURATION], PATIENCE
        )
        if left:
            raise PostfixError(f"renew: processes that do not end: {left}")
        with socket.socket(socket.AF_UNIX) as queue_manager:
            queue_manager.connect(str(self.layout.queue / "public" / "qmgr"))
            queue_manager.send(_SCAN_INCOMING)

    def running(self) -> bool:
        """Return True if the master daemon runs."""
        return self._master() in processes.in_group(self._master())

    def processes(self) -> list[int]:
        """Return the ids of the instance's processes."""
        return sorted({*processes.in_group(self._master()), *processes.working_in(self.layout.queue)})

    def _master(self) -> int | None:
        """Return the id of the last started master daemon, which is that of its process group."""
        try:
            return int(self.layout.master_pid.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def command(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a Postfix program on this instance.

        Raises PostfixError with its output if it fails and `check` is set, or if
        it does not end.
        """
        try:
            done = subprocess.run(
                [program, "-c", str(self.config), *arguments],
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
                env=_environment(),
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            msg = f"{program} {' '.join(arguments)}: no end after {PATIENCE} s"
            raise PostfixError(msg) from error
        if check and done.returncode != 0:
            msg = f"{program} {' '.join(arguments)}: exit {done.returncode}: {done.stderr}"
            raise PostfixError(msg)
        return done

    def send(self, sender: str, recipients: list[str], message_id: str, n: int = 1) -> list[str]:
        """Submit `n` messages over SMTP and return their ids; see `Mailer.send`."""
        return self._mailer.send(sender, recipients, message_id, n)

    def queue(self) -> list[dict[str, Any]]:
        """Return what waits in the queue, as `postqueue -j` shows it."""
        return [json.loads(line) for line in self.command("postqueue", "-j").stdout.splitlines()]

    def queue_is_empty(self) -> bool:
        """Return True if no message is in the queue, by its files."""
        return not any(self.layout.queued(name) for name in _QUEUES * 2)

    def wait_until_queue_empty(self, timeout: float = PATIENCE) -> None:
        """Wait until no message is in the queue. Raises PostfixError with those that are.

        Flushes the queue now and then: a message that was being delivered
        during a reload stays in the queue for a minute, even if delivered.
        """
        now = time.monotonic()
        end, flush = now + timeout, now + _FLUSH
        while not self.queue_is_empty():
            if (now := time.monotonic()) > end:
                msg = f"not delivered after {timeout} s: {self.queue()[:5]}"
                raise PostfixError(msg)
            if now > flush:
                self.flush()
                flush = now + _FLUSH
            time.sleep(_POLL)

    def flush(self) -> None:
        """Retry everything that is deferred now."""
        self.command("postqueue", "-f")

    def log(self) -> str:
        """Return the log so far."""
        if self._log_socket is not None:
            self._log_socket.sync()
        log = self.layout.log
        return log.read_text(errors="replace") if log.exists() else ""

    def _evidence(self) -> str:
        """Return the contents of the queue, and the end of the log."""
        if self._log_socket is not None:
            self._log_socket.sync()
        found = {name: len(self.layout.queued(name)) for name in sorted({*_QUEUES})}
        return f"in the queue: {found}\n{evidence.last_lines(self.layout.log)}"

    def complaints(self) -> list[str]:
        """Return the log's warnings and errors about Postfix's configuration.

        Omits those about the machine's clock, and, rarely, about its own end.
        """
        words = ("warning: ", "error: ", "fatal: ", "panic: ")
        others = ("file system clock", "resetting file time", "master_sigdeath")
        lines = (line for line in self.log().splitlines() if any(word in line for word in words))
        return [line for line in lines if not any(word in line for word in others)]

    def statuses(self) -> Counter[str]:
        """Count the log's delivery attempts by outcome: sent, deferred, bounced."""
        words = (line.partition(" status=")[2].split(" ", 1)[0] for line in self.log().splitlines())
        return Counter(word for word in words if word)

    def postconf_n(self) -> dict[str, str]:
        """Return the parameters that main.cf sets, as `postconf -n` shows them."""
        pairs = (line.partition("=") for line in self.command("postconf", "-n").stdout.splitlines())
        return {name.strip(): value.strip() for name, _, value in pairs}
