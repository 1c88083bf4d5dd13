"""Passwords at services that are phasing them out: Microsoft 365 and Gmail. Pure.

Dates and exceptions are from the services' own announcements, cited at each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dms_relay.checks.rules import Finding
from dms_relay.postfix.nexthop import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dms_relay.checks.context import CheckContext
    from dms_relay.model import LoginEntry

#: An app password of Google: 16 small letters, shown in groups of four (https://support.google.com/accounts/answer/185833).
_APP_PASSWORD_LENGTH = 16


class _Service(NamedTuple):
    """Hosts of a service, its rule on passwords, the page on access tokens, and the logins that it does not concern."""

    hosts: frozenset[str]
    text: str
    page: str
    is_fine: Callable[[str], bool]


def _is_app_password(password: str) -> bool:
    """Return True if a password has the form of Google's app passwords, which Google still accepts."""
    letters = password.replace(" ", "")
    return len(letters) == _APP_PASSWORD_LENGTH and letters.isascii() and letters.isalpha() and letters.islower()


def _never(_password: str) -> bool:
    return False


_SERVICES = (
    # https://techcommunity.microsoft.com/blog/exchange/exchange-online-to-retire-basic-auth-for-client-submission-smtp-auth/4114750
    _Service(
        frozenset({"smtp.office365.com", "smtp-legacy.office365.com", "outlook.office365.com"}),
        "Microsoft 365 turns passwords for SMTP off by default at the end of December 2026 (550 5.7.30)",
        "docs/microsoft-365.md",
        _never,
    ),
    # Microsoft's announcement to users of Outlook.com, June 2024
    _Service(
        frozenset({"smtp-mail.outlook.com"}),
        "Outlook.com has accepted no passwords for SMTP since September 2024",
        "docs/oauth2.md",
        _never,
    ),
    # https://support.google.com/a/answer/14114704 and https://support.google.com/accounts/answer/185833
    _Service(
        frozenset({"smtp.gmail.com", "smtp.googlemail.com", "smtp-relay.gmail.com"}),
        "since May 2025 Gmail accepts only an app password or an access token for SMTP, not an account's own password",
        "docs/gmail.md",
        _is_app_password,
    ),
)


def check_password_services(context: CheckContext) -> Iterator[Finding]:
    """Yield a note for each login that sends a password to such a service."""
    if not context.is_logging_in:
        return
    hosts = {nexthop: host_of(nexthop).casefold() for nexthop in {use.nexthop for use in context.assignments}}
    services = {nexthop: service for nexthop, host in hosts.items() for service in _SERVICES if host in service.hosts}
    found = (use for use in context.assignments if use.entry and use.nexthop in services)
    uses = {(use.entry, hosts[use.nexthop]): use for use in found}
    for (entry, _), use in uses.items():
        service = services[use.nexthop]
        if entry and not entry.login.oauth2 and not service.is_fine(entry.login.password):
            yield _finding(entry, use.nexthop, service)


def _finding(entry: LoginEntry, nexthop: str, service: _Service) -> Finding:
    text = f"this login sends a password to {nexthop}: {service.text}"
    return Finding(
        "password-login-ends", entry.origin, text, f"give it oauth2 instead of the password ({service.page})"
    )
