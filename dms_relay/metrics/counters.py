"""Numbers that outlive the process that counts: ``deliveries.json`` in the state directory, for ``dms-relay metrics``.

0600, replaced by rename at most once a second. The next process continues from it, and others see nothing else: so a
number never decreases, except to 0 if the file is lost. Part of the process that copies Postfix's log
(``container/stdout_pipe.py``), so it needs only built-in modules, and has its own parser for what it writes: JSON with
a line for each number. Raises ``OSError`` if the file cannot be written; counting goes on.

Known limits: not synced, so a power failure may lose it, and counting restarts at 0.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: The file in the state directory.
COUNTS = "deliveries.json"
#: Its format; a file with another number is not read.
VERSION = 1
#: Minimum seconds between two writes.
INTERVAL = 1.0
#: Maximum octets to read: ten times what ``known_relays.LABELS_MAX`` relays need.
_FILE_MAX = 8 << 20
_MODE = 0o600
#: Mode bits that a file must not have to be read: write permission for group or others.
_OTHERS_WRITE = 0o022


class Counters:
    """Numbers by their names. A name has no quotes and no backslashes; tabs separate its parts."""

    def __init__(self, directory: str) -> None:
        """Continue from the file in the directory; from 0 if it is missing or cannot be understood."""
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
        """Add to a histogram: one to the first bucket whose end is not below ``seconds``, and the seconds to the sum."""
        place = 0
        for end in ends:
            if seconds <= end:
                break
            place += 1
        self.add(f"{name}\t{place}")
        self.add(f"{name}\tsum", seconds)

    def rest(self) -> float | None:
        """Return the seconds until the numbers are to be written; ``None`` if they have been."""
        return max(0.0, self._next - time.monotonic()) if self._is_dirty else None

    def write(self, *, now: bool = False) -> None:
        """Write the numbers, if that is due, or ``now``. Raises ``OSError``; the next try is after ``INTERVAL``."""
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
    """Yield the names and numbers of a file of ours; nothing if one line is not as we write it."""
    try:
        lines = trusted(path).decode().split("\n")[1:-2]
        pairs = [line.rstrip(",").rsplit(": ", 1) for line in lines]
        found = {name[1:-1].replace("\\t", "\t"): float(value) for name, value in pairs}
    except (OSError, ValueError):
        return
    if found.pop("version", 0) == VERSION and all(0 <= value < float("inf") for value in found.values()):
        yield from found.items()


def trusted(path: str) -> bytes:
    """Return the contents of a file. Raises ``OSError`` if it cannot be read, ``ValueError`` if others can write it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid not in {0, os.geteuid()} or status.st_mode & _OTHERS_WRITE or status.st_size > _FILE_MAX:
            raise ValueError
        return os.read(descriptor, _FILE_MAX)
    finally:
        os.close(descriptor)
