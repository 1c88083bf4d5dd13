"""Log lines, through structlog, to standard error.

For a person (console), for a program (JSON, one object a line), or as docker-mailserver does (dms).
The levels are the five of docker-mailserver: error, warn, info, debug, trace. structlog is imported with the first line
that is shown, so a run that has nothing to say does not pay for it; ``deferral`` spares a boot what no line needs of it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
    from typing import TextIO

    from dms_relay.model import Problem

#: From the one that says least to the one that says most.
LEVELS = ("error", "warn", "info", "debug", "trace")
FORMATS = ("console", "json", "dms")
#: How wide docker-mailserver (since version 14) shows a level: ``2024-07-20 15:24:02+02:00 INFO  start-mailserver.sh: …``.
_DMS_LEVEL_WIDTH = 5
#: What would blur where a field ends; a value that holds one of these is quoted, as structlog's console does.
_NEEDS_QUOTES = frozenset(" \t\r\n=\"'")


class Log:
    """Writes events of at least one level. ``level`` is one of ``LEVELS``, ``style`` one of ``FORMATS``."""

    def __init__(self, level: str = "info", style: str = "console", stream: TextIO | None = None) -> None:
        """Take where to write; standard error where ``stream`` is ``None``."""
        self._shown = LEVELS[: LEVELS.index(level) + 1]
        self._style = style
        self._stream = stream
        self._emit: Callable[..., object] | None = None
        self._held: list[tuple[str, str, dict[str, object]]] | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep lines until ``release`` is called, or until the end of the body, however that comes about.

        structlog is then imported while a program of Postfix's works, which takes a seventh of a boot's time.
        """
        self._held = []
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Write what was kept, in its order, and keep nothing more."""
        held, self._held = self._held or [], None
        for line in held:
            self._write(*line)

    def shows(self, level: str) -> bool:
        """Return True if events of a level are written: what has very many need not make them in vain."""
        return level in self._shown

    def problems(self, problems: Iterable[Problem]) -> None:
        """Write warnings first, errors last, a line each."""
        for problem in sorted(problems, key=lambda problem: problem.is_error):
            level = "error" if problem.is_error else "warn"
            if self._style == "json":
                self._write(level, problem.text, {"origin": str(problem.origin), "remedy": problem.remedy})
            else:
                self._write(level, str(problem), {})

    def refusal(self, headline: str, problems: Sequence[Problem]) -> None:
        """Write warnings first, then the headline, then the errors, which so stand last."""
        self.problems(problem for problem in problems if not problem.is_error)
        self.error(headline)
        self.problems(problem for problem in problems if problem.is_error)

    def error(self, event: str, **fields: object) -> None:
        """Say that something did not work."""
        self._write("error", event, fields)

    def warn(self, event: str, **fields: object) -> None:
        """Say that something works otherwise than it seems to be meant."""
        self._write("warn", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Say that something happened."""
        self._write("info", event, fields)

    def debug(self, event: str, **fields: object) -> None:
        """Say how it happened."""
        self._write("debug", event, fields)

    def trace(self, event: str, **fields: object) -> None:
        """Say each detail, such as each route."""
        self._write("trace", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if level not in self._shown:
            return
        if self._held is not None:
            self._held.append((level, event, fields))
            return
        # A log never decides what happens to the machine: a reader that went away, a full disk or a closed descriptor
        # costs the line, not the work.
        with suppress(OSError, ValueError):
            self._emit = self._emit or _emitter(self._style, self._stream or sys.stderr or StringIO())
            self._emit(event, level=level, **fields)


def log_of(environ: Mapping[str, str], level: str | None = None, style: str | None = None) -> Log:
    """Make the log that ``LOG_LEVEL`` and ``LOG_FORMAT`` ask for, or the arguments where they are given.

    A level or format in the environment that we do not know counts as not set, with a warning.
    """
    said = environ.get("LOG_LEVEL", "").lower()
    told_level, told_style = {"warning": "warn"}.get(said, said), environ.get("LOG_FORMAT", "").lower()
    log = Log(
        level or (told_level if told_level in LEVELS else "info"),
        style or (told_style if told_style in FORMATS else "console"),
    )
    if told_level and told_level not in LEVELS:
        log.warn(f"env LOG_LEVEL: the value is not a level, so info is used -- set one of {', '.join(LEVELS)}")
    if told_style and told_style not in FORMATS:
        log.warn(f"env LOG_FORMAT: the value is not a format, so console is used -- set one of {', '.join(FORMATS)}")
    return log


class _NoLog(Log):
    """Writes nothing: the library's default."""

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        pass


NO_LOG = _NoLog()


def _emitter(style: str, stream: TextIO) -> Callable[..., object]:
    import structlog  # noqa: PLC0415 -- see the module's docstring

    time = structlog.processors.TimeStamper(fmt="iso", utc=True)
    processors: dict[str, list[structlog.typing.Processor]] = {
        "json": [time, structlog.processors.JSONRenderer()],
        "console": [time, structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)],
        "dms": [_as_dms],
    }
    logger = structlog.wrap_logger(
        structlog.PrintLogger(stream), processors=processors[style], wrapper_class=structlog.BoundLogger
    )
    emit: Callable[..., object] = logger.msg
    return emit


def _as_dms(_logger: object, _method: str, event: MutableMapping[str, object]) -> str:
    """Render an event as docker-mailserver's ``_log`` does; what it has beside its text follows."""
    from datetime import datetime  # noqa: PLC0415 -- structlog has it loaded by now

    time = datetime.now().astimezone().isoformat(" ", "seconds")
    level, text = str(event.pop("level")).upper(), str(event.pop("event"))
    shown = {name: repr(value) if _NEEDS_QUOTES.intersection(str(value)) else value for name, value in event.items()}
    fields = "".join(f" {name}={value}" for name, value in sorted(shown.items()))
    return f"{time} {level:{_DMS_LEVEL_WIDTH}} dms-relay: {text}{fields}"
