"""Reports each problem once: a writer of log lines (``log.Log``) that drops those of the last run.

Lines about changes to the machine are written at once; warnings and errors wait for ``flush``, which knows those of the
last run, even if the keeper was restarted since. If an error is new, all errors are written, with their headline, so
that everything to fix is in one place. Formats with structlog, like every log line.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from io import StringIO
from typing import TYPE_CHECKING

from dms_relay.log_lines import Writer, emitter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    #: Style, level, event and fields of a line.
    Line = tuple[str, str, str, Mapping[str, object]]


class Once(Writer):
    """The writer. ``problems`` has each warning, error and note so far: level and text."""

    def __init__(self, said: list[list[str]]) -> None:
        """Set the ``problems`` of the last run."""
        # Unlike ``Writer``, this has no process behind it.
        self.is_open = True
        self.problems: list[list[str]] = []
        self._said = {(level, text) for level, text in said}
        self._held: list[Line] = []
        self._emit: Callable[..., object] | None = None

    def send(self, style: str, level: str, event: str, fields: Mapping[str, object]) -> None:
        """Write a line, or keep it for ``flush``."""
        line = (style, level, event, fields)
        if not _is_problem(line):
            self._write(line)
            return
        self._held.append(line)
        self.problems.append([level, _text(line)])

    def end(self) -> None:
        """Do nothing: lines are kept until ``flush``."""

    def close(self) -> None:
        """Do nothing, as ``end``."""

    @property
    def errors(self) -> list[str]:
        """The texts of all errors, in their order."""
        return [text for level, text in self.problems if level == "error"]

    def flush(self, *, is_silent: bool = False) -> None:
        """Write what is new since the last run. ``is_silent``: write nothing, since a boot has just logged it."""
        new = {(level, _text(line)) for line in self._held if (level := line[1])} - self._said
        has_new_error = any(level == "error" for level, _ in new)
        for line in () if is_silent else self._held:
            if (line[1] == "error" and has_new_error) or (line[1], _text(line)) in new:
                self._write(line)
        self._held.clear()

    def _write(self, line: Line) -> None:
        style, level, event, fields = line
        with suppress(OSError, ValueError):  # as in ``log``
            self._emit = self._emit or emitter(style, sys.stderr or StringIO())
            self._emit(event, level=level, **fields)


def _is_problem(line: Line) -> bool:
    _, level, event, fields = line
    return level in {"error", "warn"} or "remedy" in fields or (not fields and " -- " in event)


def _text(line: Line) -> str:
    """Return a problem as one line, even if its parts are fields."""
    _, _, event, fields = line
    return f"{fields['origin']}: {event} -- {fields['remedy']}" if "remedy" in fields else event
