"""The origin, in the inputs, of a table entry, a parameter or a managed service; for a login also the state of its token.

Reads only the store of access tokens.

An entry that differs from the inputs has no origin: somebody else wrote it, or ``apply`` is due.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.model import RECIPIENT_TRANSPORT, RELAYHOST_MAP, SASL_PASSWD, SENDER_TRANSPORT
from dms_relay.postfix.master_cf import PREFIX, login_table
from dms_relay.postfix.table_types import TABLE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.explain.document import TokenDocument
    from dms_relay.explain.tables import Match
    from dms_relay.model import LoginEntry, Origin, Paths, PostfixConfig
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.model.relays import Transports


class Origins:
    """The origins of everything that the inputs configure."""

    def __init__(self, config: RelayConfig, wanted: PostfixConfig, paths: Paths) -> None:
        """Store the merged inputs, and the configuration that results from them."""
        self._config = config
        self._wanted = wanted
        self._state_dir = paths.state_dir
        self._token_logins = {
            (str(paths.table(login_table(name))), entry.key.casefold()): (service.relay.name, entry)
            for service in (config.transports.services if config.transports else ())
            for entry in (*service.logins, *service.sender_logins)
            for name in _names(service.relay.name)
            if entry.login.oauth2
        }
        self._entries = {
            (str(paths.table(table)), key.casefold(), value): origin
            for table, origins in _tables(config)
            for key, value in _lines(wanted.tables.get(table, ""))
            if (origin := origins.get(key.casefold()))
        }

    def of_match(self, match: Match) -> Origin | None:
        """Return the origin of an entry that was found in a table."""
        kind, _, path = match.table.partition(":")
        found = self._entries.get((path, match.key.casefold(), match.value)) if kind in TABLE_TYPES else None
        # A token may have been renewed since the inputs were read.
        entry = None if found else self.token_login(match)
        return entry[1].origin if entry else found

    def token_login(self, match: Match) -> tuple[str, LoginEntry] | None:
        """Return the relay and the login of an entry, if the inputs say that it uses an access token."""
        kind, _, path = match.table.partition(":")
        found = self._token_logins.get((path, match.key.casefold())) if kind in TABLE_TYPES else None
        return found if found and match.value.startswith(f"{found[1].login.username}:") else None

    def token(self, match: Match) -> TokenDocument | None:
        """Return how the token of an entry is requested, and its validity; ``None`` for a password. Reads the store."""
        found = self.token_login(match)
        oauth2 = found[1].login.oauth2 if found else None
        if found is None or oauth2 is None:
            return None
        kept = tokens.load(self._state_dir, tokens.login_id(found[0], found[1].login.username, oauth2))
        until = f"{datetime.fromtimestamp(kept.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
        is_valid = tokens.is_valid(kept, time.time())
        return {"grant": oauth2.grant, "provider": oauth2.provider or None, "valid_until": until if is_valid else None}

    def of_parameter(self, name: str, value: str) -> Origin | None:
        """Return the origin of a parameter's value."""
        if self._wanted.parameters.get(name) != value:
            return None
        if own := self._config.user_parameters.get(name) or self._config.own_parameters.get(name):
            return own.origin
        transports = self._config.transports
        default = {"relayhost": self._config.default, "default_transport": transports and transports.default}.get(name)
        return default[1] if default else None

    def of_service(self, name: str) -> Origin | None:
        """Return the origin of the relay that has this service."""
        services = self._config.transports.services if self._config.transports else ()
        return next((s.relay.origin for s in services if name in _names(s.relay.name)), None)


def _tables(config: RelayConfig) -> Iterator[tuple[str, dict[str, Origin]]]:
    """Yield each managed table with the origin of each key."""
    if config.transports is None:
        yield RELAYHOST_MAP, _origins((route.key, route.origin) for route in config.routes)
        yield SASL_PASSWD, _origins((entry.key, entry.origin) for entry in config.logins or ())
    else:
        yield from _tables_of_transports(config.transports)


def _tables_of_transports(transports: Transports) -> Iterator[tuple[str, dict[str, Origin]]]:
    yield SENDER_TRANSPORT, _origins((route.key, route.origin) for route in transports.senders)
    yield RECIPIENT_TRANSPORT, _origins((route.key, route.origin) for route in transports.recipients)
    for service in transports.services:
        entries = (*service.sender_logins, *service.logins)
        for name in _names(service.relay.name):
            yield login_table(name), _origins((entry.key, entry.origin) for entry in entries)


def _names(relay: str) -> tuple[str, str]:
    """Return the services of a relay: its own, and the one that ignores sender logins."""
    return f"{PREFIX}{relay}", f"{PREFIX}{relay}_shared"


def _origins(pairs: Iterable[tuple[str, Origin]]) -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    for key, origin in pairs:
        found.setdefault(key.casefold(), origin)
    return found


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.removesuffix("\n").split("\n"):
        key, _, value = line.partition("\t")
        yield key, value
