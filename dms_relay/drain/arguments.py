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
        "Postfix takes mail again after --cancel, or when the container is started the next time."
        " Exits with 1 where something remains.",
    )
    timeout = f"how long it may take: {FORMS} ({TIMEOUT:g})"
    drain.add_argument("--timeout", type=duration, default=TIMEOUT, metavar="TIME", help=timeout)
    drain.add_argument("--hand-over", metavar="HOST[:PORT]", help="send what the relays do not take to another Postfix")
    drain.add_argument("--cancel", action="store_true", help="have Postfix take mail again")
    drain.add_argument("--json", action="store_true", help="as one JSON object")


def duration(text: str) -> float:
    """Read how long it may take."""
    if (found := seconds(text)) is None:
        raise ArgumentTypeError(f"this is not a time that a drain can have -- {REMEDY}")
    return found
