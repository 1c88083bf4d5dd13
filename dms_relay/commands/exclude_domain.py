"""``dms-relay exclude-domain``: exclude a domain from ``RELAY_HOST`` in ``postfix-relaymap.cf``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.commands.editing import Checks, edit_and_apply
from dms_relay.edit.entries import set_entry
from dms_relay.edit.keys import domain_key
from dms_relay.model import TRANSPORTS
from dms_relay.sources import read
from dms_relay.sources.relaymap import NAME

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(arguments: Namespace, context: Context) -> int:
    """Write ``@domain`` alone."""
    checks = Checks()
    key = checks("DOMAIN", lambda: domain_key(arguments.domain), "")
    checks.require()
    is_direct = read(context.paths, context.environ).routing == TRANSPORTS
    fact = f"{key} goes directly" if is_direct else f"{key} is excluded from RELAY_HOST"
    return edit_and_apply(arguments, context, NAME, lambda text: set_entry(text, key, ""), (fact, fact))
