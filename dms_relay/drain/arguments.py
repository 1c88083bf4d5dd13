"""The command line of ``drain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.drain.times import TIMEOUT, seconds

if TYPE_CHECKING:
    from dms_relay.keeper_arguments import Commands


def add_draining(commands: Commands) -> None:
    """Add the command."""
    drain = commands.add(
        "drain",
        "take no new mail, deliver what waits, and say what remains",
        "Postfix takes mail again after --cancel, or at the next start of the container."
        " Exits with 1 if something remains.",
    )
    timeout = f"how long it may take: 30s, 2m, or seconds ({TIMEOUT:g})"
    drain.add_argument("--timeout", type=duration, default=TIMEOUT, metavar="TIME", help=timeout)
    drain.add_argument("--hand-over", metavar="HOST[:PORT]", help="send what the relays do not take to another Postfix")
    drain.add_argument("--cancel", action="store_true", help="make Postfix take mail again")
    drain.add_argument("--json", action="store_true", help="as one JSON object")


def duration(text: str) -> float:
    """Return the seconds of a timeout; argparse shows this function's name if the text is no time."""
    if (found := seconds(text)) is None:
        raise ValueError
    return found
