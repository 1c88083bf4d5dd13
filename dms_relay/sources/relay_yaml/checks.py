"""Checks that need all of ``relay.yaml``, or another input too. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import Problem
from dms_relay.sources.cleartext import cleartext_login

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model.relays import RelayFile
    from dms_relay.model.senders import ManagedDomains


def check_file(file: RelayFile, domains: ManagedDomains) -> Iterator[Problem]:
    """Yield an error for each login that its relay's TLS level does not protect, and each recipient that is local."""
    yield from _cleartext_logins(file)
    below = _below(domains) if any(recipient.key.startswith(".") for recipient in file.recipients) else {}
    for recipient in file.recipients:
        name = recipient.key.casefold().rpartition("@")[2]
        key = below.get(name, "") if name.startswith(".") else name
        if found := domains.name(key):
            place = domains.origin(key)
            text = f"{found} is a domain of this server ({place}), so its mail must not leave"
            yield Problem(recipient.origin, text, "remove the line", rule="recipient-is-local")


def _cleartext_logins(file: RelayFile) -> Iterator[Problem]:
    own = {sender.relay for sender in file.senders if sender.login_origin}
    for relay in file.relays:
        if relay.login_origin is not None or relay.name in own:
            yield from cleartext_login(relay, relay.origin)


def _below(domains: ManagedDomains) -> dict[str, str]:
    """Return the lookup key of the first managed domain below each ``.domain``."""
    found: dict[str, str] = {}
    for key in domains.lookup_keys():
        at = key.find(".")
        while at >= 0:
            found.setdefault(key[at:], key)
            at = key.find(".", at + 1)
    return found
