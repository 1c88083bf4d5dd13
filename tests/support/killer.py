"""Runs the command and kills it, with SIGKILL, at its N-th operation that touches the machine.

    python -m tests.support.killer N ARGUMENTS…

Counted are: each opening for writing, rename, removal, link, change of mode, owner or time, and each fsync, before it; each
write, before it and when half of it is done; each program, before it starts, while it runs and when it has ended. Where
there is no N-th operation, it ends as the command does. Temporary directories lie beside Postfix's.
"""

from __future__ import annotations

import builtins
import os
import signal
import sys
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = frozenset(
    {
        "os.rename",
        "os.remove",
        "os.symlink",
        "os.mkdir",
        "os.rmdir",
        "os.link",
        "os.truncate",
        "os.chmod",
        "os.chown",
        "os.utime",
        "os.posix_spawn",
    }
)


class Killer:
    """Counts operations and ends the process at one of them."""

    def __init__(self, number: int) -> None:
        """Take the number of the operation, counted from 1, that is not to happen any more."""
        self.left = number
        self.fsync, self.open = os.fsync, builtins.open
        self.posix_spawn, self.waitpid = os.posix_spawn, os.waitpid

    def tick(self) -> None:
        """Count one operation."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count what the interpreter reports (sys.addaudithook)."""
        is_writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if event in EVENTS or is_writing:
            self.tick()

    def sync(self, descriptor: int) -> None:
        """Count an fsync, which the interpreter does not report."""
        self.tick()
        self.fsync(descriptor)

    def spawn(self, *arguments: Any, **options: Any) -> int:  # noqa: ANN401 -- passed on
        """Start a program, and count that it runs."""
        number = self.posix_spawn(*arguments, **options)
        self.tick()
        return number

    def wait(self, number: int, options: int) -> tuple[int, int]:
        """Look for the end of a program, and count it."""
        ended = self.waitpid(number, options)
        if ended[0]:
            self.tick()
        return ended

    def open_halting(self, file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        """Open a file whose writes are counted."""
        stream = self.open(file, mode, *arguments, **options)
        return Halting(stream, self) if "w" in mode or "+" in mode else stream


class Halting:
    """A file that is written in halves."""

    def __init__(self, stream: Any, killer: Killer) -> None:  # noqa: ANN401
        """Wrap an open file."""
        self.stream = stream
        self.killer = killer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Do what the file does."""
        return getattr(self.stream, name)

    def __enter__(self) -> Halting:  # noqa: PYI034
        """Nothing to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.stream.close()

    def write(self, content: bytes) -> int:
        """Write half, and then the rest."""
        self.killer.tick()
        half = len(content) // 2
        self.stream.write(content[:half])
        self.stream.flush()
        self.killer.tick()
        self.stream.write(content[half:])
        return len(content)


def main() -> None:
    """Be the program."""
    from dms_relay import cli  # noqa: PLC0415 -- what importing opens does not count
    from dms_relay.postfix import programs as postfix  # noqa: PLC0415 -- the same

    postfix._RELOAD_GRACE = 0  # noqa: SLF001 -- no mail is on its way here
    sys.dont_write_bytecode = True
    killer = Killer(int(sys.argv.pop(1)))
    # What a killed run leaves goes with the test, and does not stay in /tmp.
    os.environ["TMPDIR"] = os.path.dirname(sys.argv[sys.argv.index("--postfix-dir") + 1])  # noqa: PTH120
    os.fsync = killer.sync  # type: ignore[assignment]
    builtins.open = killer.open_halting
    os.posix_spawn = killer.spawn
    os.waitpid = killer.wait
    sys.addaudithook(killer.hook)
    cli.run()


if __name__ == "__main__":
    main()
