"""Merges for relays with a transport of their own (``RELAY_ROUTING=transports``, ``relay.yaml``). Pure.

Each relay of ``relay.yaml``, and each distinct nexthop of the environment and the ``.cf`` files, becomes a service that has
its own logins only, so that none of them can reach another server. Three steps, each of which returns a value and the
problems that it found: the routes (``sender_routes.py``), the logins (``relay_logins.py``), the services (here).
"""

from __future__ import annotations

from dms_relay.merge.common import Merger, lookup_keys
from dms_relay.merge.relay_logins import assign_logins
from dms_relay.merge.sender_routes import collect_routes
from dms_relay.merge.user_parameters import check_user_parameters
from dms_relay.model.configuration import RelayConfig
from dms_relay.model.relays import RelayFile, RelayService, TransportRoute, Transports
from dms_relay.sources.cleartext import cleartext_login

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.merge.relay_logins import RelayLogins
    from dms_relay.merge.sender_routes import Routes
    from dms_relay.model import Problem
    from dms_relay.model.configuration import Inputs


class TransportsMerger(Merger):
    """Merges for ``RELAY_ROUTING=transports``."""

    def config(self) -> RelayConfig:
        """Return what is wanted; errors are among the warnings."""
        inputs = self.inputs
        self.warn_of_half_a_login()
        if inputs.default is None and inputs.relay is None and inputs.relaymap is None and inputs.file is None:
            self.warn_of_unused_logins()
            return RelayConfig()
        routes, of_routes = collect_routes(inputs)
        logins, of_logins = assign_logins(inputs, routes)
        transports = _transports(inputs, routes, logins)
        if inputs.oauth2 or (inputs.file and inputs.file.has_oauth2):
            from dms_relay.merge.token_logins import with_tokens  # noqa: PLC0415 -- only where a login takes a token

            transports, of_tokens = with_tokens(transports, inputs.tokens)
            self.warnings += of_tokens
        self.warnings += [*of_routes, *of_logins, *_cleartext_logins(inputs, transports)]
        self.unique_logins(entry for entry in inputs.logins or () if "@" not in entry.key)
        self._warn_of_unused_relays(routes)
        self._warn_of_unused_nexthops(routes, logins)
        self._warn_of_unused_senders(routes, logins)
        self.warnings += check_user_parameters(inputs, routes.default, has_senders=bool(routes.senders))
        return RelayConfig(enabled=True, user_parameters=inputs.user_parameters, transports=transports)

    def _warn_of_unused_relays(self, routes: Routes) -> None:
        file = self.inputs.file or RelayFile()
        used = {route.relay for route in routes.senders.values()} | {recipient.relay for recipient in file.recipients}
        used.add(routes.default[0] if routes.default else None)
        for relay in file.relays:
            if relay.name not in used:
                remedy = "make it the default, add it to a sender, or remove it"
                self.warn(relay.origin, f"relay {relay.name} is not used", remedy, "unused-relay")

    def _warn_of_unused_nexthops(self, routes: Routes, logins: RelayLogins) -> None:
        """Warn of each login of a ``.cf`` file whose key is the nexthop of no relay; of that of the environment once."""
        members = tuple(dict.fromkeys(member for relay in routes.relays for member in relay.nexthops.members))
        keys = {key for member in members for key in lookup_keys(member)}
        for entry in self.inputs.logins or ():
            if "@" not in entry.key and entry.key.casefold() not in keys:
                self.warn_of_unused_key(entry, members)
        if logins.env and keys.isdisjoint(entry.key.casefold() for entry in logins.env):
            self.warn_of_unused_env_login(logins.env[0])

    def _warn_of_unused_senders(self, routes: Routes, logins: RelayLogins) -> None:
        """Warn of each login of a sender whose mail no relay takes."""
        for entry in logins.by_sender.values():
            if routes.relay_of(entry.key) is None:
                text = "this sender has no relay, so its login is not used"
                self.warn(entry.origin, text, "map the sender, or remove the login", "login-without-relay")


def _transports(inputs: Inputs, routes: Routes, logins: RelayLogins) -> Transports:
    """Build the services, and the routes that name them."""
    ignored = {routes.senders[key].relay for key in logins.ignoring}
    services = (
        RelayService(
            relay,
            logins.at_nexthops[relay.name],
            tuple(logins.of_senders[relay.name].values()),
            ignores_sender_logins=relay.name in ignored,
        )
        for relay in routes.relays
    )
    senders = (
        TransportRoute(route.key, route.relay, route.origin, ignores_sender_logins=key in logins.ignoring)
        for key, route in routes.senders.items()
    )
    recipients = (TransportRoute(r.key, r.relay, r.origin) for r in (inputs.file.recipients if inputs.file else ()))
    return Transports(tuple(services), tuple(senders), tuple(recipients), routes.default)


def _cleartext_logins(inputs: Inputs, transports: Transports) -> Iterator[Problem]:
    """Yield an error for each relay whose level does not protect a login there, at the place that says the level."""
    written = {relay.name for relay in inputs.file.relays} if inputs.file else set()
    for service in transports.services:
        relay = service.relay
        if not (service.logins or service.sender_logins):
            continue
        if relay.name in written:
            yield from cleartext_login(relay, relay.origin)
        else:
            origin = inputs.tls_level.origin if inputs.tls_level else relay.origin
            yield from cleartext_login(relay, origin, "permit it in relay.yaml")
