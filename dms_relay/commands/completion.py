"""``dms-relay completion bash|zsh``: print the completion for a shell, which ``make generated`` creates from the parser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dms_relay.generated import text_of

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(arguments: Namespace, context: Context) -> int:
    """Print the completion."""
    context.say_text(text_of(f"completion.{arguments.shell}"))
    return os.EX_OK
