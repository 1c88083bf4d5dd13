"""Log lines, through structlog, to standard error.

Styles: for a person (console), for a program (JSON, one object per line), or like docker-mailserver (dms).
The levels are the five of docker-mailserver: error, warn, info, debug, trace. structlog is imported with the first line
that is shown, so a silent run does not pay for it; ``deferral`` spares a boot the parts of it that no line needs, and
``log_lines`` formats a boot's lines in a separate process.
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

#: From the quietest to the most talkative.
LEVELS = ("error", "warn", "info", "debug", "trace")
FORMATS = ("console", "json", "dms")


def printable(text: str) -> str:
    """Return ``text`` with a Python escape for each character that a terminal would obey or not show.

    All text from outside passes through here: every log line, and all data (``commands.Context``). Escaping twice changes
    nothing, so a caller that needs the width of a text may escape it first.
    """
    return text if text.isprintable() else "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


class Log:
    """Writes events of at least one level. ``level`` is one of ``LEVELS``, ``style`` one of ``FORMATS``."""

    def __init__(
        self, level: str = "info", style: str = "console", stream: TextIO | None = None, writer: Writer | None = None
    ) -> None:
        """Write to ``stream``, by default standard error; ``writer`` is a process that writes there."""
        self._shown = LEVELS[: LEVELS.index(level) + 1]
        self._style = style
        self._stream = stream
        self._writer = writer
        self._emit: Callable[..., object] | None = None
        self._held: list[tuple[str, str, dict[str, object]]] | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep lines until ``release`` is called or the body ends, even by an exception.

        structlog is then imported while a program of Postfix works; the import takes a fifth of a boot's time.
        """
        if not self._has_writer():
            self._held = []
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Write the kept lines in their order, and stop keeping lines."""
        held, self._held = self._held or [], None
        for line in held:
            self._write(*line)

    def expect_no_more(self) -> None:
        """Let the process that writes lines end, while the run does the rest; a later line is written by this process."""
        if self._writer:
            self._writer.end()

    def finish(self) -> None:
        """Wait until every line is written, so that later output of others comes after them."""
        if self._writer:
            self._writer.close()

    def _has_writer(self) -> bool:
        return self._writer is not None and self._writer.is_open

    def shows(self, level: str) -> bool:
        """Return True if events of a level are written; a caller with very many can skip making them."""
        return level in self._shown

    def problems(self, problems: Iterable[Problem]) -> None:
        """Write warnings and notes first, errors last, one line each."""
        for problem in sorted(problems, key=lambda problem: problem.is_error):
            level = "error" if problem.is_error else "info" if problem.is_note else "warn"
            if self._style == "json":
                self._write(level, problem.text, {"origin": str(problem.origin), "remedy": problem.remedy})
            else:
                self._write(level, str(problem), {})

    def refusal(self, headline: str, problems: Sequence[Problem]) -> None:
        """Write warnings first, then the headline, then the errors, so that these are read last."""
        self.problems(problem for problem in problems if not problem.is_error)
        self.error(headline)
        self.problems(problem for problem in problems if problem.is_error)

    def error(self, event: str, **fields: object) -> None:
        """Say that something did not work."""
        self._write("error", event, fields)

    def warn(self, event: str, **fields: object) -> None:
        """Say that something probably does not work as intended."""
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
        if self._style != "json":  # JSON has its own escapes
            event = printable(event)
            fields = {name: value if type(value) is int else printable(str(value)) for name, value in fields.items()}
        if self._held is not None:
            self._held.append((level, event, fields))
            return
        # Logging never stops the work: if the reader has gone, the disk is full or the descriptor is closed, only the
        # line is lost.
        with suppress(OSError, ValueError):
            if self._writer and self._writer.is_open:
                with suppress(OSError):  # it has gone, so this process writes the line
                    self._writer.send(self._style, level, event, fields)
                    return
            self.finish()
            self._emit = self._emit or _emitter(self._style, self._stream or sys.stderr or StringIO())
            self._emit(event, level=level, **fields)


def log_of(
    environ: Mapping[str, str], level: str | None = None, style: str | None = None, writer: Writer | None = None
) -> Log:
    """Return the log that ``LOG_LEVEL`` and ``LOG_FORMAT`` ask for; arguments win over them.

    An unknown level or format in the environment counts as not set, with a warning.
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
    """Write the traceback of the exception that is being handled: it is a bug of ours."""
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
