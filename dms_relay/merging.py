"""What both ways of merging have in common: which value wins where two say the same, and what both warn of. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import Login, LoginEntry, Origin, Problem, Relaymap
from dms_relay.nexthop import host_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.configuration import Inputs
    from dms_relay.model import Domain, NexthopList, Route


def login_keys(lists: Iterable[NexthopList]) -> Iterator[str]:
    """Give the keys by which Postfix looks a login up: the nexthop and its host, in any letter case (smtp_sasl_glue.c)."""
    for nexthops in lists:
        for member in nexthops.members:
            yield member.casefold()
            yield host_of(member).casefold()


def lookup_keys(nexthop: str) -> list[str]:
    """Give the keys by which Postfix looks for the login at a nexthop: its host first (smtp_sasl_glue.c).

    Without brackets the host is found by an MX lookup, and unknown here. Raises ``SyntaxProblem`` where it is no nexthop.
    """
    return [host_of(nexthop).casefold()] * nexthop.startswith("[") + [nexthop.casefold()]


class Merger:
    """Applies the rules one by one and collects the warnings."""

    def __init__(self, inputs: Inputs) -> None:
        """Begin with all that was read."""
        self.inputs = inputs
        self.relaymap = inputs.relaymap or Relaymap()
        self.warnings: list[Problem] = []

    def unique_routes(self) -> dict[str, Route]:
        """Give the mapping of each key that comes first."""
        routes: dict[str, Route] = {}
        for route in self.relaymap.routes:
            first = routes.setdefault(route.key.casefold(), route)
            if first is not route:
                self.dropped(f"mapping of {route.key}", route.origin, first.origin)
        return routes

    def is_mapped(self, domain: Domain, mapped: dict[str, Route]) -> bool:
        """Whether a managed domain has a mapping."""
        route = mapped.get(f"@{domain.name}".casefold())
        if route and route.key != f"@{domain.name}":
            text = f"domain {domain.name} is mapped at {route.origin} as {route.key}; that mapping stands for both"
            self.warn(domain.origin, text, "write the domain in one spelling")
        return route is not None

    def warn_of_no_domains(self, origin: Origin) -> None:
        """Warn where RELAY_HOST serves nobody."""
        if not self.inputs.domains:
            text = "RELAY_HOST relays nothing: no managed domain is known"
            remedy = "take RELAY_HOST away" if self.inputs.default else "set DEFAULT_RELAY_HOST"
            self.warn(origin, text, f"{remedy}, or add an account to postfix-accounts.cf")

    def env_login(self) -> list[LoginEntry] | None:
        """Give the entries of RELAY_USER and RELAY_PASSWORD; ``None`` where not both are set."""
        username, password = self.inputs.username, self.inputs.password
        if username is None or password is None:
            return None
        relay = self.inputs.default or self.inputs.relay
        if relay is None:
            text = "RELAY_USER and RELAY_PASSWORD have no effect: there is no default relay to use them at"
            self.warn(username.origin, text, "set DEFAULT_RELAY_HOST or RELAY_HOST")
            return []
        self.warn_of_second_relay()
        login = Login(username.value, password.value)
        origin = Origin(f"{username.origin}, {password.origin}")
        return [LoginEntry(key, login, origin) for key in relay[0].members]

    def warn_of_second_relay(self) -> None:
        """With both defaults set, only the first gets the login (rule 4)."""
        default, relay = self.inputs.default, self.inputs.relay
        if default is None or relay is None:
            return
        known = {member.casefold() for member in default[0].members}
        known.update(entry.key.casefold() for entry in self.inputs.logins or ())
        if known.isdisjoint(login_keys([relay[0]])):
            text = f"{relay[0].text} gets no login: RELAY_USER is the login at DEFAULT_RELAY_HOST only"
            self.warn(relay[1], text, f"write {relay[0].text} and its login into postfix-sasl-password.cf")

    def unique_logins(self, entries: Iterable[LoginEntry]) -> Iterable[LoginEntry]:
        """Give the login of each key that comes first."""
        logins: dict[str, LoginEntry] = {}
        for entry in entries:
            first = logins.setdefault(entry.key.casefold(), entry)
            if first is not entry:
                self.dropped(f"login for {entry.key}", entry.origin, first.origin)
        return logins.values()

    def warn_of_half_a_login(self) -> None:
        """Warn of a user name without a password, and the other way round."""
        username, password = self.inputs.username, self.inputs.password
        if username and not password:
            self.warn(username.origin, "RELAY_USER has no effect without RELAY_PASSWORD", "set RELAY_PASSWORD")
        if password and not username:
            self.warn(password.origin, "RELAY_PASSWORD has no effect without RELAY_USER", "set RELAY_USER")

    def warn_of_unused_logins(self) -> None:
        """Warn of logins where no relay is set at all."""
        origins = [entry.origin for entry in (self.inputs.logins or ())[:1]]
        if self.inputs.username and self.inputs.password:
            origins.append(self.inputs.username.origin)
        for origin in origins:
            text = "a login is set, but no relay to use it at: nothing is configured"
            self.warn(origin, text, "set DEFAULT_RELAY_HOST or RELAY_HOST, or write postfix-relaymap.cf")

    def dropped(self, what: str, origin: Origin, first: Origin) -> None:
        """Warn of what is dropped for what comes first."""
        self.warn(origin, f"this {what} is dropped: {first} comes first", "keep one of the two")

    def warn(self, origin: Origin, text: str, remedy: str) -> None:
        """Take note of a warning."""
        self.warnings.append(Problem(origin, text, remedy, is_error=False))
