"""The keeper's record: ``keeper.json`` for ``dms-relay status``, ``health`` for a container's health check.

Both in the state directory, 0600, replaced by rename. ``health`` has ``ok`` or ``wrong`` in its first line, and then
one problem per line. Its time is updated while the keeper works, which shows when the keeper hangs. Neither contains a
secret. If they cannot be written, the keeper works on.

Known limits: not synced, so a power failure may lose them; the next keeper then starts from scratch.
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
#: The format of ``RECORD``; a file with another number is not read.
VERSION = 1
#: Seconds between two updates of the time of ``HEALTH``.
BEAT = 30.0
_MODE = 0o600
#: Mode bits that a record must not have to be read: write permission for group or others.
_OTHERS_WRITE = 0o022


def load(state_dir: str) -> dict[str, Any]:
    """Return the record; empty if it cannot be understood, or others could have written it."""
    try:
        with open(f"{state_dir}/{RECORD}", encoding="utf-8") as file:  # noqa: PTH123 -- pathlib takes 1 MiB of memory
            status = os.fstat(file.fileno())
            is_ours = status.st_uid in {0, os.geteuid()} and not status.st_mode & _OTHERS_WRITE
            found = json.load(file) if is_ours else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("version") == VERSION else {}


class Record:
    """Writes both files if their contents change."""

    def __init__(self, state_dir: str) -> None:
        """Set their directory."""
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
        # A leftover of a killed run, or somebody else's file, who would stay its owner.
        try:  # noqa: SIM105 -- contextlib takes memory, too
            os.unlink(temporary)  # noqa: PTH108 -- as above
        except FileNotFoundError:
            pass
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, _MODE), "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
            file.write(text)
        os.rename(temporary, path)  # noqa: PTH104 -- as above
