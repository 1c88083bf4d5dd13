"""Log lines, through structlog, to standard error.

For a person (console), for a program (JSON, one object a line), or as docker-mailserver does (dms).
The levels are the five of docker-mailserver: error, warn, info, debug, trace. structlog is imported with the first line
that is shown, so a run that has nothing to say does not pay for it; ``deferral`` spares a boot what no line needs of it, and
``log_lines`` has a boot's lines formatted in a process of their own.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from io import StringIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TextIO

    from dms_relay.log_lines import Writer
    from dms_relay.model import Problem

#: From the one that says least to the one that says most.
LEVELS = ("error", "warn", "info", "debug", "trace")
FORMATS = ("console", "json", "dms")


def printable(text: str) -> str:
    """Return ``text`` with an escape, as Python writes it, for each sign that a terminal would obey or not show.

    This is the door for every text that comes from outside: all log lines go through it, and all data
    (``commands.Context``). It leaves alone what it has escaped, so who needs the width of a text may call it before.
    """
    return text if text.isprintable() else "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


class Log:
    """Writes events of at least one level. ``level`` is one of ``LEVELS``, ``style`` one of ``FORMATS``."""

    def __init__(
        self, level: str = "info", style: str = "console", stream: TextIO | None = None, writer: Writer | None = None
    ) -> None:
        """Take where to write; standard error where ``stream`` is ``None``. ``writer`` is a process that writes there."""
        self._shown = LEVELS[: LEVELS.index(level) + 1]
        self._style = style
        self._stream = stream
        self._writer = writer
        self._emit: Callable[..., object] | None = None
        self._held: list[tuple[str, str, dict[str, object]]] | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep lines until ``release`` is called, or until the end of the body, however that comes about.

        structlog is then imported while a program of Postfix's works, which takes a seventh of a boot's time.
        """
        if not self._has_writer():
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

    def finish(self) -> None:
        """Wait until every line is written: what others write next comes after them."""
        if self._writer:
            self._writer.close()

    def _has_writer(self) -> bool:
        return self._writer is not None and self._writer.is_open

    def shows(self, level: str) -> bool:
        """Return True if events of a level are written: what has very many need not make them in vain."""
        return level in self._shown

    def problems(self, problems: Iterable[Problem]) -> None:
        """Write warnings and notes first, errors last, a line each."""
        for problem in sorted(problems, key=lambda problem: problem.is_error):
            level = "error" if problem.is_error else "info" if problem.is_note else "warn"
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
        if self._style != "json":  # which has escapes of its own
            event = printable(event)
            fields = {name: value if type(value) is int else printable(str(value)) for name, value in fields.items()}
        if self._held is not None:
            self._held.append((level, event, fields))
            return
        # A log never decides what happens to the machine: a reader that went away, a full disk or a closed descriptor
        # costs the line, not the work.
        with suppress(OSError, ValueError):
            if self._writer and self._writer.is_open:
                self._writer.send(self._style, level, event, fields)
                return
            self._emit = self._emit or _emitter(self._style, self._stream or sys.stderr or StringIO())
            self._emit(event, level=level, **fields)


def log_of(
    environ: Mapping[str, str], level: str | None = None, style: str | None = None, writer: Writer | None = None
) -> Log:
    """Make the log that ``LOG_LEVEL`` and ``LOG_FORMAT`` ask for, or the arguments where they are given.

    A level or format in the environment that we do not know counts as not set, with a warning.
    """
    said = environ.get("LOG_LEVEL", "").lower()
    told_level, told_style = {"warning": "warn"}.get(said, said), environ.get("LOG_FORMAT", "").lower()
    log = Log(
        level or (told_level if told_level in LEVELS else "info"),
        style or (told_style if told_style in FORMATS else "console"),
        writer=writer,
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


def write_bug() -> None:
    """Write where the exception that is handled now came from: it is a bug of ours."""
    from traceback import format_exc  # noqa: PLC0415 -- only then

    lines = [
        *format_exc().splitlines(),
        "dms-relay: this is a bug in dms-relay -- please report it with the lines above",
    ]
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))


def _emitter(style: str, stream: TextIO) -> Callable[..., object]:
    from dms_relay.log_lines import emitter  # noqa: PLC0415 -- only where there is something to say

    return emitter(style, stream)
