"""What others on the machine could see: argument lists of all processes, and files that they may read."""

from __future__ import annotations

import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds between two looks; the shortest program that gets a secret, postmap, runs about as long.
_POLL = 0.01


class ArgumentLists:
    """Writes down the argument list of each process that is there while it runs; a context manager."""

    def __init__(self) -> None:
        """Begin with none."""
        self.seen: dict[tuple[str, bytes], None] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        known: set[str] = set()
        once: set[str] = set()
        while not self._over.wait(_POLL):
            now = {path.name for path in Path("/proc").iterdir() if path.name.isdecimal()}
            for number in now - known:
                with suppress(OSError):
                    self.seen[number, Path("/proc", number, "cmdline").read_bytes()] = None
            # One that has just been forked has its parent's list until it executes its own: look twice.
            known, once = now & (known | once), now

    def with_any(self, secrets: Iterable[str]) -> list[bytes]:
        """Return those that show a secret."""
        wanted = [secret.encode() for secret in secrets]
        return [line for _, line in self.seen if any(secret in line for secret in wanted)]


def readable(tops: Iterable[Path], secrets: Iterable[str]) -> list[Path]:
    """Return the files with a secret that others than their owner may read."""
    wanted = [secret.encode() for secret in secrets]
    found = []
    for path in (path for top in tops for path in top.rglob("*") if path.is_file()):
        with suppress(FileNotFoundError):  # a file that is replaced meanwhile
            if stat.S_IMODE(path.stat().st_mode) & 0o077 and any(secret in path.read_bytes() for secret in wanted):
                found.append(path)
    return found
