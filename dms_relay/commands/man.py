"""``dms-relay man``: print the manual page (man(7)), which ``make generated`` creates from the parser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dms_relay.generated import text_of

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(_arguments: Namespace, context: Context) -> int:
    """Print the manual page."""
    context.say_text(text_of("dms-relay.1"))
    return os.EX_OK
