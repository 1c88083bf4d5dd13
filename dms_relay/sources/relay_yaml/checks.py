"""What takes all of ``relay.yaml``, or another input beside it, to see. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import Problem
from dms_relay.sources.cleartext import cleartext_login

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.model import Domain
    from dms_relay.model.relays import RelayFile


def check_file(file: RelayFile, domains: Iterable[Domain]) -> Iterator[Problem]:
    """Yield what is wrong: a login that its relay's level does not protect, a recipient of this server's own."""
    yield from _cleartext_logins(file)
    managed = {domain.name.casefold(): domain for domain in domains} if file.recipients else {}
    below = _below(managed) if any(recipient.key.startswith(".") for recipient in file.recipients) else {}
    for recipient in file.recipients:
        name = recipient.key.casefold().rpartition("@")[2]
        if found := below.get(name) if name.startswith(".") else managed.get(name):
            text = (
                f"{found.name} is a domain of this server ({found.origin}): its mail would leave, and not arrive here"
            )
            yield Problem(recipient.origin, text, "take the line away", rule="recipient-is-local")


def _cleartext_logins(file: RelayFile) -> Iterator[Problem]:
    own = {sender.relay for sender in file.senders if sender.login_origin}
    for relay in file.relays:
        if relay.login_origin is not None or relay.name in own:
            yield from cleartext_login(relay, relay.origin)


def _below(managed: dict[str, Domain]) -> dict[str, Domain]:
    """Return the first managed domain below each ``.domain``."""
    found: dict[str, Domain] = {}
    for name, domain in managed.items():
        labels = name.split(".")
        for number in range(1, len(labels)):
            found.setdefault(f".{'.'.join(labels[number:])}", domain)
    return found
