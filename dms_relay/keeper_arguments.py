"""The command line of what has to do with the keeper: ``watch``, ``status``, ``metrics``, and ``keep``, for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable
    from typing import Protocol

    class Commands(Protocol):
        """Adds commands, as ``arguments`` does."""

        def add(self, name: str, what: str, more: str = "") -> ArgumentParser:
            """Add one that the help shows."""

        def add_hidden(self, name: str) -> ArgumentParser:
            """Add one that it does not."""


#: Seconds between two looks of ``watch``, and the variable that says another number.
WATCH_INTERVAL, INTERVAL_VARIABLE = 2.0, "RELAY_WATCH_INTERVAL"
#: What the keeper has done by processes of their own, and what it can be.
KEPT = "keep"
WORK = ("apply", "say", "test", "tokens", "queue", "metrics")


def add_keeping(commands: Commands, seconds: Callable[[str], float]) -> None:
    """Add these commands; ``seconds`` reads a time."""
    watch = commands.add(
        "watch",
        "apply the inputs whenever they change, and renew tokens, until it is stopped",
        "Run one for each Postfix. HUP makes it apply at once.",
    )
    watch.add_argument(
        "--interval",
        type=seconds,
        metavar="TIME",
        help=f"how often it looks (${INTERVAL_VARIABLE}, else {WATCH_INTERVAL:g})",
    )
    status = commands.add(
        "status",
        "show what is in force, what is due, tokens, login tests, and how much mail waits",
        "Exits with 1 if something is wrong, or if dms-relay watch does not run.",
    )
    status.add_argument("--json", action="store_true", help="as one JSON object")
    commands.add(
        "metrics",
        "print metrics for Prometheus: the queue, deliveries, tokens, login tests",
        "With $RELAY_METRICS, dms-relay watch serves the same.",
    )
    commands.add_hidden(KEPT).add_argument("what", choices=WORK)
