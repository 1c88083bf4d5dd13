"""Formats log lines with structlog, in this process or in a second one, so that a boot does not wait for structlog.

structlog's import is a fifth of a boot's time. Unless a boot is told to say little, ``start`` first forks a process that
imports structlog while the boot reads its inputs; each line goes to it through a pipe, and the boot waits for it before
anything else is written (``Writer.close``). It has no part in the work: if it has gone, the boot writes the lines itself,
and only those that were on their way are lost; if the boot is killed, it writes what it was given and ends.

A launcher (``bundle``) runs this module before it imports the package, so this module imports nothing of the package.
Without a launcher or a second processor, or for another command, each process formats its own lines: two processes that
share a processor would take longer than one.
"""

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence
    from typing import TextIO

    from structlog.typing import Processor

#: How wide docker-mailserver (since version 14) shows a level: ``2024-07-20 15:24:02+02:00 INFO  start-mailserver.sh: …``.
_DMS_LEVEL_WIDTH = 5
#: Characters that would hide where a field ends; a value with one of these is quoted, as structlog's console does.
_NEEDS_QUOTES = frozenset(" \t\r\n=\"'")
#: At these levels a boot has enough lines to be worth a process (``log.LEVELS``; "info" if none is set).
_TALKATIVE = frozenset({"info", "debug", "trace"})
#: Where the kernel says how many processes run now, and on which processor each is (proc(5)).
PROC = "/proc"
#: Modules that both the boot and the process that writes its lines need, imported before the fork.
BOTH = ("contextlib", "json", "re")
#: The sets of a bundle's modules: for both, for a boot alone, for the writer of lines alone.
SETS = ("both", "boot", "lines")
#: signal(7); the module signal takes 0.5 ms.
_SIGKILL = 9
#: Types that marshal writes and reads back unchanged.
_PLAIN = frozenset({str, int, float, bool, type(None)})


def emitter(style: str, stream: "TextIO") -> "Callable[..., object]":
    """Return a function that writes one event as a line: ``emit(event, level=…, **fields)``.

    ``style`` is one of ``log.FORMATS``.
    """
    if "structlog" not in sys.modules:
        getattr(sys.meta_path[0], "load", _load_nothing)(SETS[-1])  # a launcher's finder holds it
    # A bundle does not run structlog's __init__ for these names. Its set has what the style console needs.
    from structlog import BoundLogger, PrintLogger  # noqa: PLC0415 -- see the module's docstring

    logger = BoundLogger(PrintLogger(stream), _processors(style, stream), {})
    emit: Callable[..., object] = logger.msg
    return emit


def _processors(style: str, stream: "TextIO") -> "list[Processor]":
    if style == "dms":
        return [_as_dms]
    from structlog.processors import JSONRenderer, TimeStamper  # noqa: PLC0415 -- see the module's docstring

    time = TimeStamper(fmt="iso", utc=True)
    if style == "json":
        return [time, JSONRenderer(), _without_del]
    from structlog.dev import ConsoleRenderer  # noqa: PLC0415 -- see the module's docstring

    return [time, ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)]


def _load_nothing(_name: str) -> None:
    pass


def _without_del(_logger: object, _method: str, text: object) -> str:
    """Escape the one control character that JSON does not."""
    return str(text).replace("\x7f", "\\u007f")


def _as_dms(_logger: object, _method: str, event: "MutableMapping[str, object]") -> str:
    """Render an event as docker-mailserver's ``_log`` does; its fields follow the text."""
    from datetime import datetime  # noqa: PLC0415 -- structlog has already loaded it

    time = datetime.now().astimezone().isoformat(" ", "seconds")
    level, text = str(event.pop("level")).upper(), str(event.pop("event"))
    shown = {name: repr(value) if _NEEDS_QUOTES.intersection(str(value)) else value for name, value in event.items()}
    fields = "".join(f" {name}={value}" for name, value in sorted(shown.items()))
    return f"{time} {level:{_DMS_LEVEL_WIDTH}} dms-relay: {text}{fields}"


class Writer:
    """The boot's handle on the process that writes lines. Raises ``OSError`` if that process has gone."""

    def __init__(self, pid: int, pipe: int) -> None:
        """Store its process ID, and the writing end of the pipe."""
        self._pid = pid
        self._pipe = pipe
        self._is_used = False
        self._is_awaited = True
        self.is_open = True

    def send(self, style: str, level: str, event: str, fields: "Mapping[str, object]") -> None:
        """Send one event."""
        plain = {name: value if type(value) in _PLAIN else str(value) for name, value in fields.items()}
        self._is_used = True
        left = marshal.dumps((style, level, event, plain))
        while left:
            left = left[os.write(self._pipe, left) :]

    def end(self) -> None:
        """Let it write what it was sent, and end; no more can be sent. Does not wait: its end takes more than 1 ms."""
        if self.is_open:
            self.is_open = False
            os.close(self._pipe)
            if not self._is_used:
                try:
                    os.kill(self._pid, _SIGKILL)  # it may still import structlog, for nothing
                except ProcessLookupError:
                    return

    def close(self) -> None:
        """Wait until all is written; no more can be sent."""
        self.end()
        if self._is_awaited:
            self._is_awaited = False
            try:
                os.waitpid(self._pid, 0)
            except ChildProcessError:
                return  # SIGCHLD is ignored: it has ended, and its exit code does not matter


def start(argv: "Sequence[str]", environ: "Mapping[str, str]", load: "Callable[[str], None]") -> Writer | None:
    """Start a process that writes lines; return ``None`` if it would not save time or cannot be started.

    ``load`` imports each of ``SETS``.
    """
    if not any(word == "apply" or word.endswith("-relay") for word in argv[1:]):
        return None
    both, boot, lines = SETS
    load(both)
    writer = _start(lambda: load(lines)) if _is_worth_it(argv, environ) else None
    load(boot)
    return writer


def _start(load: "Callable[[], None]") -> Writer | None:
    theirs, ours = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(theirs)
        os.close(ours)
        return None
    if pid == 0:
        try:
            os.close(ours)
            _leave_processor_of_parent()
            load()
            _write_lines(theirs)
        finally:
            os._exit(0)
    os.close(theirs)
    return Writer(pid, ours)


def _is_worth_it(argv: "Sequence[str]", environ: "Mapping[str, str]") -> bool:
    """Return True if a boot may have lines to write and there is a processor for another process."""
    options = dict(zip(argv[1:], argv[2:], strict=False))  # noqa: RUF007 -- itertools is one more import
    level = options.get("--log-level") or environ.get("LOG_LEVEL", "").lower() or "info"
    return level in _TALKATIVE and _has_second_processor()


def _has_second_processor() -> bool:
    """Return True if there are at least two processors, and no more running processes than processors; ours counts.

    A process that runs beside ours is often a part of the kernel, and has finished a moment later.
    """
    try:
        running = int(_read("loadavg").split()[3].partition(b"/")[0])
    except (OSError, ValueError, IndexError):
        return False
    return max(running, 2) <= len(os.sched_getaffinity(0))


def _leave_processor_of_parent() -> None:
    """Move this process to another processor than its parent's, if it can; from then on the kernel may move it as usual.

    Linux 6.18 starts every second child on the processor of its parent, though another one is idle. There the two take
    turns of 4 ms.
    """
    try:
        # Field 39, processor; the fields behind the name begin with the third.
        parents = int(_read(f"{os.getppid()}/stat").rpartition(b")")[2].split()[36])
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, allowed - {parents})
        os.sched_setaffinity(0, allowed)
    except (OSError, ValueError, IndexError):
        return


def _read(name: str) -> bytes:
    with open(f"{PROC}/{name}", "rb") as file:  # noqa: PTH123 -- pathlib takes 3 ms
        return file.read()


def _write_lines(pipe: int) -> None:
    """Write each event that arrives, until the pipe is closed."""
    # Only this process needs it; the module signal takes 0.5 ms.
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415

    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # the boot decides when to end
    emit = None
    with open(pipe, "rb") as events:
        while True:
            try:
                style, level, event, fields = marshal.load(events)  # noqa: S302 -- from the process that forked this one
            except EOFError:
                return
            try:
                emit = emit or emitter(style, sys.stderr)
                emit(event, level=level, **fields)
                sys.stderr.flush()
            except (OSError, ValueError):  # the line is lost, as in ``log``
                continue
