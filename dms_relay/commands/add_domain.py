"""``dms-relay add-domain``: set the relay of a sender in ``postfix-relaymap.cf``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.commands.editing import Checks, edit_and_apply
from dms_relay.edit.entries import set_entry
from dms_relay.edit.keys import relay_nexthop, sender_key
from dms_relay.postfix.nexthop import check_port
from dms_relay.sources import read
from dms_relay.sources.relaymap import NAME

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(arguments: Namespace, context: Context) -> int:
    """Write ``@domain  [host]:port``."""
    checks = Checks()
    key = checks("DOMAIN", lambda: sender_key(arguments.domain), "")
    nexthop = checks("HOST", lambda: relay_nexthop(arguments.host, arguments.port), "")
    checks("PORT", lambda: check_port(arguments.port), None)
    checks.require()
    file = read(context.paths, context.environ).file
    if file and arguments.host in {relay.name for relay in file.relays}:
        text = f"{arguments.host} is the name of a relay in relay.yaml, but this command uses it as a host"
        context.log.warn(f"HOST: {text} -- to use that relay, add the sender to relay.yaml")
    fact = f"{key} goes through {nexthop}"
    return edit_and_apply(arguments, context, NAME, lambda text: set_entry(text, key, nexthop), (fact, fact))
