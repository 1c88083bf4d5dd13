"""One verb, one module, one function ``run(arguments, context) -> int`` that returns an exit code."""

from __future__ import annotations

from contextlib import suppress

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from dms_relay.log import Log
    from dms_relay.model import Paths


@frozen
class Context:
    """What every command gets: the paths, the environment, and the streams for data and for log lines."""

    paths: Paths
    environ: Mapping[str, str]
    log: Log
    stdout: TextIO

    def say(self, *lines: str) -> None:
        """Write data, one line each, after all log lines. If the reader is gone, the exit code of the program says so."""
        self.log.finish()
        with suppress(OSError, ValueError):
            for line in lines:
                self.stdout.write(f"{line}\n")
