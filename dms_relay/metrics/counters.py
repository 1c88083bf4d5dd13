"""Numbers that outlive the process that counts: ``deliveries.json`` in the state directory, for ``dms-relay metrics``.

0600, replaced by rename at most once a second. What stands there is where the next process goes on, and all that
anybody else sees: so a number never goes back, but to 0 where the file is lost. Part of the process that copies
Postfix's log (``container/stdout_pipe.py``), so it needs nothing but built-in modules, and is its own reader of what it
has written, which is JSON with a line for each number. Raises ``OSError`` where the file cannot be written; counting
goes on.

Known limits: not synced, so a loss of power may lose it, and all begins at 0.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: The file in the state directory.
COUNTS = "deliveries.json"
#: The form of it; what has another number is not read.
VERSION = 1
#: Seconds between two times that it is written.
INTERVAL = 1.0
#: Octets of a file of ours that is read: ten times what ``known_relays.LABELS_MAX`` relays make of it.
_FILE_MAX = 8 << 20
_MODE = 0o600
#: What must not be set in a file that is read: that group or others can write to it.
_OTHERS_WRITE = 0o022


class Counters:
    """Numbers by their names. A name has no quotes and no backslashes; a tab stands between its parts."""

    def __init__(self, directory: str) -> None:
        """Go on from what is in the directory; from nothing where that is not there, or cannot be understood."""
        self._directory = directory
        self._is_dirty = False
        self._next = 0.0
        self.numbers: dict[str, float] = dict(loaded(f"{directory}/{COUNTS}"))
        self.since = self.numbers.pop("since", 0.0) or time.time()

    def add(self, name: str, value: float = 1) -> None:
        """Add to a number."""
        self.numbers[name] = self.numbers.get(name, 0) + value
        self._is_dirty = True

    def observe(self, name: str, ends: tuple[float, ...], seconds: float) -> None:
        """Add to a histogram: one to the first of its ends that is not below, and the seconds to the sum."""
        place = 0
        for end in ends:
            if seconds <= end:
                break
            place += 1
        self.add(f"{name}\t{place}")
        self.add(f"{name}\tsum", seconds)

    def rest(self) -> float | None:
        """Return the seconds until the numbers are to be written; ``None`` where they have been."""
        return max(0.0, self._next - time.monotonic()) if self._is_dirty else None

    def write(self, *, now: bool = False) -> None:
        """Write the numbers, if it is time, or ``now``. Raises ``OSError``; it is tried again after ``INTERVAL``."""
        if self._is_dirty and (now or time.monotonic() >= self._next):
            self._next = time.monotonic() + INTERVAL
            known = {"version": VERSION, "since": self.since, **self.numbers}
            text = ",\n".join(f'"{_escaped(name)}": {_number(value)}' for name, value in known.items())
            self._replace(f"{{\n{text}\n}}\n".encode(errors="replace"))
            self._is_dirty = False

    def _replace(self, data: bytes) -> None:
        path, temporary = (f"{self._directory}/{name}" for name in (COUNTS, f".{COUNTS}.dms-relay.tmp"))
        try:  # noqa: SIM105 -- contextlib takes memory
            os.unlink(temporary)  # noqa: PTH108 -- pathlib takes 1 MiB of memory
        except FileNotFoundError:
            pass
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
        os.rename(temporary, path)  # noqa: PTH104 -- as above


def _escaped(name: str) -> str:
    return name.replace("\t", "\\t")


def _number(value: float) -> str:
    """Return a number in JSON: whole, or to the microsecond."""
    return str(int(value)) if value == int(value) else f"{value:.6f}"


def loaded(path: str) -> Iterator[tuple[str, float]]:
    """Yield what stands in a file of ours; nothing where one line is not like those that we write."""
    try:
        lines = trusted(path).decode().split("\n")[1:-2]
        pairs = [line.rstrip(",").rsplit(": ", 1) for line in lines]
        found = {name[1:-1].replace("\\t", "\t"): float(value) for name, value in pairs}
    except (OSError, ValueError):
        return
    if found.pop("version", 0) == VERSION and all(0 <= value < float("inf") for value in found.values()):
        yield from found.items()


def trusted(path: str) -> bytes:
    """Return what a file holds. Raises ``OSError`` where that cannot be read, ``ValueError`` where others can write it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid not in {0, os.geteuid()} or status.st_mode & _OTHERS_WRITE or status.st_size > _FILE_MAX:
            raise ValueError
        return os.read(descriptor, _FILE_MAX)
    finally:
        os.close(descriptor)
