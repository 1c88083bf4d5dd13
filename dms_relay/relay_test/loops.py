"""Refuses a relay that is this server itself, as Postfix does on port 25 (smtp_addr.c, smtp_proto.c). Pure.

Postfix checks no other port. On one on which its own smtpd(8) takes mail, a message loops 50 times (postconf(5),
hopcount_limit), so that is no relay either. Known limit: of MX hosts with this server's preference, Postfix tries none,
and this command those that the DNS lists first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.postfix.own_places import SMTP_PORT
from dms_relay.relay_test.outcome import Failure, StepError
from dms_relay.relay_test.secrets import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dms_relay.relay_test.replies import Reply
    from dms_relay.relay_test.resolve import HostAddress
    from dms_relay.relay_test.settings import TestSettings

#: The only port on which Postfix checks for its own name (smtp_connect.c).
LOOP_PORT = SMTP_PORT


def other_addresses(found: Sequence[HostAddress], settings: TestSettings, *, by_mx: bool) -> tuple[HostAddress, ...]:
    """Return the addresses to try. Raise ``StepError`` if the relay is this server itself.

    Of MX hosts, Postfix tries those before this server (smtp_addr.c); of one host's addresses none may be its own (seen).
    """
    own = next((number for number, address in enumerate(found) if _is_own(address, settings)), None)
    if own is None:
        return tuple(found)
    if by_mx and own:
        return tuple(found[:own])
    where = f"takes mail at {found[own].ip} port {found[own].port}"
    raise StepError(Failure.LOOP, f"this server {where} (inet_interfaces, proxy_interfaces, master.cf)")


def _is_own(address: HostAddress, settings: TestSettings) -> bool:
    return str(address.port) in settings.own_ports and address.ip in settings.own_addresses


def refuse_own_name(reply: Reply, settings: TestSettings) -> None:
    """Raise ``StepError`` if a server's reply to EHLO has the name of this one."""
    name = reply.lines[0].split(" ", 1)[0] if reply.lines else ""
    if name and name.casefold() == settings.own_name.casefold():
        what = f"the server calls itself {printable(name)}, which is the name of this one (myhostname)"
        raise StepError(Failure.LOOP, what, reply.text)
