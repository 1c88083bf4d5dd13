"""Refuses a relay that is this server itself, as Postfix does on port 25 (smtp_addr.c, smtp_proto.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.relay_test.outcome import Failure, StepError
from dms_relay.relay_test.secrets import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.relay_test.replies import Reply
    from dms_relay.relay_test.resolve import HostAddress
    from dms_relay.relay_test.settings import TestSettings

#: The only port on which Postfix looks for itself (smtp_connect.c).
LOOP_PORT = 25


def refuse_own_address(found: Iterable[HostAddress], settings: TestSettings) -> None:
    """Raise ``StepError`` where one of the addresses is this server's own: Postfix then uses none of them."""
    for address in found:
        if address.port == LOOP_PORT and address.ip in settings.own_addresses:
            raise StepError(
                Failure.LOOP, f"{address.ip} is an address of this server (inet_interfaces, proxy_interfaces)"
            )


def refuse_own_name(reply: Reply, settings: TestSettings) -> None:
    """Raise ``StepError`` where a server says the name of this one in its reply to EHLO."""
    name = reply.lines[0].split(" ", 1)[0] if reply.lines else ""
    if name and name.casefold() == settings.own_name.casefold():
        what = f"the server calls itself {printable(name)}, which is the name of this one (myhostname)"
        raise StepError(Failure.LOOP, what, reply.text)
