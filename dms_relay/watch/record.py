"""What the keeper says of itself: ``keeper.json`` for ``dms-relay status``, ``health`` for a container's health check.

Both in the state directory, 0600, replaced by rename. ``health`` has ``ok`` or ``wrong`` in its first line, and then
each trouble in a line. Its time is renewed while the keeper works, so that one that stands still can be seen. No secret
stands in either. Where they cannot be written, the keeper works on.

Known limits: they are not synced, so a loss of power may lose them: they say what was, and the next keeper begins again.
"""

from __future__ import annotations

import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The files in the state directory.
RECORD, HEALTH = "keeper.json", "health"
#: The form of ``RECORD``; what has another number is not read.
VERSION = 1
#: Seconds between two renewals of the time of ``HEALTH``.
BEAT = 30.0
_MODE = 0o600
#: What must not be set in a record that is read: that group or others can write to it.
_OTHERS_WRITE = 0o022


def load(state_dir: str) -> dict[str, Any]:
    """Return the record that is there; empty where it cannot be understood, or others could have written it."""
    try:
        with open(f"{state_dir}/{RECORD}", encoding="utf-8") as file:  # noqa: PTH123 -- pathlib takes 1 MiB of memory
            status = os.fstat(file.fileno())
            is_ours = status.st_uid in {0, os.geteuid()} and not status.st_mode & _OTHERS_WRITE
            found = json.load(file) if is_ours else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("version") == VERSION else {}


class Record:
    """Writes both files where they would say something new."""

    def __init__(self, state_dir: str) -> None:
        """Take where they are."""
        self._directory = state_dir
        self._written: object = None
        self._beat = 0.0

    def write(self, document: dict[str, Any], troubles: list[str]) -> str:
        """Write what has changed; return why it could not be written, or ``""``."""
        try:
            if (document, troubles) != self._written:
                text = json.dumps({"version": VERSION, **document, "troubles": troubles}, indent=1)
                self._replace(HEALTH, "".join(f"{line}\n" for line in (("wrong", *troubles) if troubles else ("ok",))))
                self._replace(RECORD, f"{text}\n")
                self._written = document, troubles
                self._beat = time.monotonic() + BEAT
            elif time.monotonic() > self._beat:
                os.utime(f"{self._directory}/{HEALTH}")
                self._beat = time.monotonic() + BEAT
        except OSError as error:
            self._written = None
            return f"{self._directory} cannot be written: {error.strerror}"
        return ""

    def _replace(self, name: str, text: str) -> None:
        path = f"{self._directory}/{name}"
        temporary = f"{self._directory}/.{name}.dms-relay.tmp"
        # What is there was left by a run that was killed, or by somebody else, whose file it would stay.
        try:  # noqa: SIM105 -- contextlib takes memory, too
            os.unlink(temporary)  # noqa: PTH108 -- as above
        except FileNotFoundError:
            pass
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, _MODE), "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
            file.write(text)
        os.rename(temporary, path)  # noqa: PTH104 -- as above
