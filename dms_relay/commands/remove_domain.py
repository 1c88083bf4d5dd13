"""``dms-relay remove-domain``: remove a sender, with its relay or its opt-out, from ``postfix-relaymap.cf``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.commands.editing import Checks, edit_and_apply
from dms_relay.edit.entries import remove_entry
from dms_relay.edit.keys import sender_key
from dms_relay.sources.relaymap import NAME

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(arguments: Namespace, context: Context) -> int:
    """Remove every line of the sender."""
    checks = Checks()
    key = checks("DOMAIN", lambda: sender_key(arguments.domain), "")
    checks.require()
    facts = (f"{key} was removed", f"there is no line for {key}")
    return edit_and_apply(arguments, context, NAME, lambda text: remove_entry(text, key), facts)
