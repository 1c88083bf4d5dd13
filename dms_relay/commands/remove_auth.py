"""``dms-relay remove-auth``: remove the login of a sender or of a relay from ``postfix-sasl-password.cf``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dms_relay.commands.editing import Checks, edit_and_apply
from dms_relay.edit.entries import keys_in, remove_entry
from dms_relay.edit.keys import login_key
from dms_relay.postfix.nexthop import SyntaxProblem, host_of
from dms_relay.sources.sasl_password import NAME

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(arguments: Namespace, context: Context) -> int:
    """Remove every line of the key."""
    checks = Checks()
    key = checks("DOMAIN", lambda: login_key(arguments.domain), "")
    checks.require()

    def change(text: bytes) -> bytes:
        new = remove_entry(text, key)
        for other in keys_in(new):
            if "@" not in other and _host(other) == _host(key):
                how = f"run remove-auth '{other}'" if any(sign in other for sign in "[:") else "remove its line by hand"
                context.log.warn(f"{NAME}: the login at the relay {other} was not removed -- to remove it, {how}")
        return new

    facts = (f"the login of {key} was removed", f"there is no login for {key}")
    return edit_and_apply(arguments, context, NAME, change, facts)


def _host(key: str) -> str:
    """Return the host name of a relay, or the domain, that a key contains."""
    with suppress(SyntaxProblem):
        return host_of(key.removeprefix("@")).casefold()
    return key.casefold()
