"""What the keeper does for metrics: has them served, by a child that is started again where it ends.

Looks at nothing; writes nothing. That metrics cannot be served is said once, and shown by ``dms-relay status``; to the
health check it is nothing: mail is relayed all the same, and a container is not to be started again for it.
"""

from __future__ import annotations

import time

from dms_relay.watch.jobs import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dms_relay.watch.children import Child
    from dms_relay.watch.jobs import Say

#: Seconds that it has to run for the next pause to be the first again.
_WELL = 60.0


class Metrics(Job):
    """Has metrics served."""

    name = "metrics"
    limit = float("inf")
    is_server = True

    def __init__(self, inputs: dict[str, Any], endpoint: list[str | int]) -> None:
        """Take where the inputs are, and the host and the port."""
        super().__init__()
        self._inputs, self._endpoint = inputs, endpoint
        self._said = ""

    def is_due(self) -> bool:
        """Return True if no pause is to be made: the keeper asks only where it does not run."""
        return time.monotonic() >= self.not_before

    def task(self) -> tuple[list[str], object]:
        """Return the command."""
        self.trouble = ""
        return ["keep", "metrics"], {**self._inputs, "metrics": self._endpoint}

    def end(self, child: Child, code: int, say: Say) -> None:
        """Start it again, after a pause."""
        said = child.said()
        self.at = time.time()
        if time.monotonic() - child.began > _WELL:
            self.failures, self._said = 0, ""
        why = said.get("failed") if isinstance(said, dict) else ""
        self.fail(why or f"ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}", say)

    def fail(self, why: str, say: Say) -> None:
        """Say once what went wrong, and wait longer each time."""
        self.trouble = f"keeper: metrics are not served: {why}"
        if self.trouble != self._said:
            say("error", f"{self.trouble} -- free the port, or name another one in RELAY_METRICS; it is tried again")
        self._said = self.trouble
        self.pause()

    def troubles(self) -> list[str]:
        """Return nothing, for the health check."""
        return []

    def document(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {"at": self.at, "trouble": self.trouble, "endpoint": self._endpoint}
