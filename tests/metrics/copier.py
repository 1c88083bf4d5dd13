"""The process that copies Postfix's log and counts, as the entrypoint starts it, beside a log file that grows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

from dms_relay.container import stdout_pipe
from dms_relay.metrics.counters import COUNTS, loaded
from dms_relay.metrics.endpoint import VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds until all must be counted.
PATIENCE = 30.0
#: Waits for the copier's end, as docker-entrypoint.sh does. ``tail`` reads to the end of the file before it ends by itself.
SCRIPT = """
sleep 600 > /dev/null &
writer=$!
tail -s 0.1 --pid="$writer" -n +1 -F "$1" 2> /dev/null &
read -r _
kill "$writer"
wait
exec >&-
read -r _ <&9
"""


class Copier:
    """Counts what comes into a log file, from its beginning on; a context manager."""

    def __init__(self, log: Path, state: Path) -> None:
        """Take where the log is, and the state directory."""
        log.touch()
        self.state = state
        command = [sys.executable, "-IS", stdout_pipe.__file__, "/bin/sh", "-c", SCRIPT, "copier", str(log)]
        environ = {**os.environ, VARIABLE: ":9154", "DMS_RELAY_STATE_DIR": str(state)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environ)

    def numbers(self) -> dict[str, float]:
        """Return what is counted and written by now."""
        return dict(loaded(str(self.state / COUNTS)))

    def wait_for(self, name: str, count: float) -> dict[str, float]:
        """Wait until a number is reached."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.numbers()).get(name, 0) < count:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    def end(self) -> None:
        """End it, and wait until all is counted."""
        self.process.communicate(b"\n", timeout=PATIENCE)

    def __enter__(self) -> Self:
        """Return it; it runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        if self.process.poll() is None:
            self.end()
