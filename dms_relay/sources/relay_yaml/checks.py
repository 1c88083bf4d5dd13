"""What takes all of ``relay.yaml``, or another input beside it, to see. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import Problem
from dms_relay.model.relays import CLEARTEXT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.model import Domain
    from dms_relay.model.relays import RelayFile


def check_file(file: RelayFile, domains: Iterable[Domain]) -> Iterator[Problem]:
    """Yield what is wrong: a login that its relay's level does not protect, a recipient of this server's own."""
    yield from _cleartext_logins(file)
    managed = {domain.name.casefold(): domain for domain in domains}
    for recipient in file.recipients:
        name = recipient.key.casefold().rpartition("@")[2]
        below = (domain for key, domain in managed.items() if key.endswith(name))
        if found := next(below, None) if name.startswith(".") else managed.get(name):
            text = (
                f"{found.name} is a domain of this server ({found.origin}): its mail would leave, and not arrive here"
            )
            yield Problem(recipient.origin, text, "take the line away", rule="recipient-is-local")


def _cleartext_logins(file: RelayFile) -> Iterator[Problem]:
    own = {sender.relay for sender in file.senders if sender.login_origin}
    for relay in file.relays:
        tls = relay.tls
        has_login = relay.login_origin is not None or relay.name in own
        if has_login and tls.level in CLEARTEXT_LEVELS and not tls.allow_cleartext_login:
            text = f"level {tls.level} does not protect the login at relay {relay.name}"
            remedy = "choose secure or encrypt, or write allow_cleartext_login: true"
            yield Problem(relay.origin, text, remedy, rule="cleartext-login")
