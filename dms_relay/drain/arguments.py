"""The command line of ``drain``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from dms_relay.drain.times import REMEDY, TIMEOUT, seconds
from dms_relay.model.times import FORMS

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
    timeout = f"how long it may take: {FORMS} ({TIMEOUT:g})"
    drain.add_argument("--timeout", type=duration, default=TIMEOUT, metavar="TIME", help=timeout)
    drain.add_argument("--hand-over", metavar="HOST[:PORT]", help="send what the relays do not take to another Postfix")
    drain.add_argument("--cancel", action="store_true", help="make Postfix take mail again")
    drain.add_argument("--json", action="store_true", help="as one JSON object")


def duration(text: str) -> float:
    """Return the seconds of a timeout."""
    if (found := seconds(text)) is None:
        raise ArgumentTypeError(f"this is not a time that a drain can have -- {REMEDY}")
    return found
