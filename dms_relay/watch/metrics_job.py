"""The keeper's job for metrics: serves them through a child, which is started again if it ends.

Looks at nothing; writes nothing. If metrics cannot be served, that is logged once, and ``dms-relay status`` shows it. The
health check ignores it: mail is still relayed, so there is no reason to restart the container.
"""

from __future__ import annotations

import time

from dms_relay.watch.jobs import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dms_relay.watch.children import Child
    from dms_relay.watch.jobs import Say

#: Seconds after which a child counts as successful, and the pauses start from the first again.
_WELL = 60.0


class Metrics(Job):
    """Serves metrics."""

    name = "metrics"
    limit = float("inf")
    is_server = True

    def __init__(self, inputs: dict[str, Any], endpoint: list[str | int]) -> None:
        """Set where the inputs are, and the host and the port."""
        super().__init__()
        self._inputs, self._endpoint = inputs, endpoint
        self._said = ""

    def is_due(self) -> bool:
        """Return True if the pause is over: the keeper asks only if the child does not run."""
        return time.monotonic() >= self.not_before

    def task(self) -> tuple[list[str], object]:
        """Return the command."""
        self.trouble = ""
        return ["keep", "metrics"], {**self._inputs, "metrics": self._endpoint}

    def end(self, child: Child, code: int, say: Say) -> None:
        """Start the child again, after a pause."""
        said = child.said()
        self.at = time.time()
        if time.monotonic() - child.began > _WELL:
            self.failures, self._said = 0, ""
        why = said.get("failed") if isinstance(said, dict) else ""
        self.fail(why or f"ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}", say)

    def fail(self, why: str, say: Say) -> None:
        """Report once what went wrong, and wait longer each time."""
        self.trouble = f"keeper: metrics are not served: {why}"
        if self.trouble != self._said:
            say("error", f"{self.trouble} -- free the port, or name another one in RELAY_METRICS; it is tried again")
        self._said = self.trouble
        self.pause()

    def troubles(self) -> list[str]:
        """Return nothing, for the health check."""
        return []

    def document(self) -> dict[str, Any]:
        """Return the job's part of the record."""
        return {"at": self.at, "trouble": self.trouble, "endpoint": self._endpoint}
