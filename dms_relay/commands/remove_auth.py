"""``dms-relay remove-auth``: take the login of a sender or of a relay out of ``postfix-sasl-password.cf``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.commands.editing import Checks, edit_and_apply
from dms_relay.entries import has_entry, remove_entry
from dms_relay.keys import login_key
from dms_relay.sources.sasl_password import NAME

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(arguments: Namespace, context: Context) -> int:
    """Take away every line of the key."""
    checks = Checks()
    key = checks("DOMAIN", lambda: login_key(arguments.domain), "")
    checks.require()

    def change(text: bytes) -> bytes:
        if key.startswith("@") and has_entry(text, key[1:]):
            what = f"the login at the relay {key[1:]}, whose key has neither brackets nor port, stays"
            context.log.warn(f"{NAME}: {what} -- take its line out by hand if you mean that one")
        return remove_entry(text, key)

    return edit_and_apply(arguments, context, NAME, change, f"no login for {key}")
