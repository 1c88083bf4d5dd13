"""The keeper's loop: checks every few seconds which jobs are due, starts children that do them, and reports the results.

Each task is a ``jobs.Job``. Signals are waited for, not caught, so none is ever missed: TERM and INT end the keeper
with its children, HUP makes it check and apply everything at once. Log lines go through a child too
(``dms-relay keep say``), since structlog is larger than all of this. Writes the record (``record``). No failure of a
child raises an error here.
"""

from __future__ import annotations

import os
import signal
import time

from dms_relay.watch import children, jobs, record
from dms_relay.watch.metrics_job import Metrics
from dms_relay.watch.token_jobs import Queue, Renewals, Tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The signals to wait for. SIGCHLD arrives when a child has ended.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_ENDING = (signal.SIGTERM, signal.SIGINT)
#: Seconds after which ending children are left alone: a disk or a network file system may block them.
_END_LIMIT = 4.8
#: Seconds between two looks at children that are ending.
_END_INTERVAL = 0.02
#: Seconds that writing log lines may take, and how many lines may wait for it: the reader may have stopped reading.
_SAY_LIMIT = 30.0
_LINES_MAX = 100


class Settings:
    """The keeper's settings. ``command`` is the program to run, with all its arguments before the command's name."""

    def __init__(  # noqa: PLR0913 -- each is a fact of its own, given by name
        self,
        *,
        command: list[str],
        config_dir: str,
        is_named: bool,
        state_dir: str,
        interval: float,
        test_interval: float,
        metrics: list[str | int] | None,
        has_state: bool,
        lock: int | None,
        troubles: list[str],
    ) -> None:
        """Keep the settings. ``is_named``: somebody has named the directory of the inputs, so it must exist.

        ``metrics`` are the host and the port of the metrics, ``None`` for no metrics.
        ``lock`` is the descriptor that holds the lock; ``troubles`` last as long as the keeper runs.
        """
        self.command, self.state_dir, self.interval, self.test_interval = command, state_dir, interval, test_interval
        self.inputs = {"config_dir": config_dir, "is_named": is_named}
        self.metrics, self.has_state, self.lock, self.troubles = metrics, has_state, lock, troubles


class Keeper:
    """One keeper."""

    def __init__(self, settings: Settings) -> None:
        """Set the settings, and read the previous keeper's record."""
        self.settings = settings
        self.children: dict[int, children.Child] = {}
        self.lines: list[dict[str, Any]] = []
        self.started = time.time()
        before = record.load(settings.state_dir)
        self.jobs = jobs_of(settings, before)
        self._record = record.Record(settings.state_dir)
        self._unwritten = "" if settings.has_state else "it"
        self._next_look = 0.0

    def run(self) -> int:
        """Work until a signal ends it."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a parent may have ignored it, and then exit codes are lost
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        if self.settings.lock is not None:
            os.set_inheritable(self.settings.lock, False)
        while True:
            self.turn()
            rest = min(record.BEAT, max(0.0, self._next_look - time.monotonic()))
            got = signal.sigtimedwait(_SIGNALS, rest)
            if got and got.si_signo in _ENDING:
                return self.end()
            if got and got.si_signo == signal.SIGHUP:
                self._next_look = 0.0
                for job in self.jobs:
                    job.ask()

    def turn(self) -> None:
        """Process ended children, and start the jobs that are due, if it is time to look."""
        for child, code in children.ended(self.children):
            if isinstance(child.data, jobs.Job):
                child.data.end(child, code, self.say)
            else:
                child.said()
        for child in self.children.values():
            child.check()
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self.settings.interval
            for job in self.jobs:
                self._look(job)
        self._say_lines()
        self._write()

    def _look(self, job: jobs.Job) -> None:
        busy = {child.name for child in self.children.values()}
        if job.name in busy or not job.is_due():
            return
        words, feed = job.task()
        try:
            child = children.Child(job.name, [*self.settings.command, *words], feed, job.limit, job)
        except OSError as error:
            job.fail(f"cannot be started: {error.strerror}", self.say)
        else:
            self.children[child.pid] = child

    def say(self, level: str, event: str, **fields: object) -> None:
        """Queue a log line, unless too many are waiting."""
        if len(self.lines) < _LINES_MAX:
            self.lines.append({"level": level, "event": event, "fields": fields})

    def _say_lines(self) -> None:
        if not self.lines or any(child.name == "say" for child in self.children.values()):
            return
        command = [*self.settings.command, "keep", "say"]
        try:
            child = children.Child("say", command, self.lines, _SAY_LIMIT)
        except OSError:
            return  # the lines wait
        self.children[child.pid] = child
        self.lines = []

    def _write(self) -> None:
        if not self.settings.has_state:
            return
        troubles = [*self.settings.troubles, *(line for job in self.jobs for line in job.troubles())]
        why = self._record.write(self.document(), troubles)
        if why and why != self._unwritten:
            self.say("error", f"{why} -- free space, or mount a volume there; the keeper works on, without a record")
        self._unwritten = why

    def document(self) -> dict[str, Any]:
        """Return the record for ``dms-relay status``."""
        own = [child for child in self.children.values() if isinstance(child.data, jobs.Job)]
        servers, busy = ({c.name: c.pid for c in own if c.data.is_server == is_server} for is_server in (True, False))
        said = {"pid": os.getpid(), "started": self.started, "interval": self.settings.interval}
        return {**said, "children": busy, "servers": servers, **{job.name: job.document() for job in self.jobs}}

    def end(self) -> int:
        """End all children, and return the exit code. A renewal of tokens gets longer: its answer may be on its way."""
        now = time.monotonic()
        for child in self.children.values():
            child.kill(signal.SIGTERM)
        while self.children and time.monotonic() < now + _END_LIMIT:
            for child, code in children.ended(self.children):
                if isinstance(child.data, jobs.Job):
                    child.data.end(child, code, lambda *_, **__: None)
            for child in self.children.values():
                if time.monotonic() > now + getattr(child.data, "grace", jobs.Job.grace):
                    child.kill(signal.SIGKILL)
            time.sleep(_END_INTERVAL)
        self._write()
        return os.EX_OK


def jobs_of(settings: Settings, before: dict[str, Any]) -> list[jobs.Job]:
    """Return all jobs, in the order in which they are looked at. ``before`` is the record of the previous keeper."""
    inputs = jobs.Inputs(settings.inputs, before.get("apply") or {})
    tests = jobs.Tests(settings, before.get("tests") or {}, lambda: inputs.result.get("code") == os.EX_OK)
    tokens = Tokens(settings.state_dir)
    renewals = Renewals(tokens)
    queue = Queue(tokens, renewals, lambda: inputs.result.get("queue", ""))
    served = [Metrics(settings.inputs, settings.metrics)] if settings.metrics else []
    return [inputs, tokens, renewals, queue, tests, *served]
