"""The error for a relay whose TLS level does not protect its login. Pure.

Both read and merge find such relays: the login may be in ``relay.yaml`` or in another input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import Problem
from dms_relay.model.relays import CLEARTEXT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Origin
    from dms_relay.model.relays import Relay

#: How to permit it in ``relay.yaml``.
ALLOW = "write allow_cleartext_login: true"


def cleartext_login(relay: Relay, origin: Origin, otherwise: str = ALLOW) -> Iterator[Problem]:
    """Yield the error for a relay with a login if its level lets that be sent in the clear and nothing allows it."""
    tls = relay.tls
    if tls.level in CLEARTEXT_LEVELS and not tls.allow_cleartext_login:
        text = f"level {tls.level} does not protect the login at relay {relay.name}"
        yield Problem(origin, text, f"choose secure or encrypt, or {otherwise}", rule="cleartext-login")
