"""Which value wins: from all that was read to one ``RelayConfig``. Pure; every warning names the places it is about.

The rules are those of docker-mailserver's relay.sh, numbered as in its description (docs/rules.md), with one addition:
a lookup key that would stand twice in a table, letter case ignored, is written once, the first stands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dms_relay.errors import InputError, MissingInputError
from dms_relay.model import Login, LoginEntry, Origin, Problem, RelayConfig, Relaymap, Route, sort_problems
from dms_relay.nexthop import host_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.model import Domain, Inputs, NexthopList

#: Where the operator's own value stands, the tables in use are not ours.
_TABLE_PARAMETERS = frozenset({"sender_dependent_relayhost_maps", "smtp_sasl_password_maps"})

#: Where the operator sets one of these, logins or TLS are the operator's own business.
_PROTECTION = frozenset({"smtp_sasl_password_maps", "smtp_tls_security_level"})


def merge(inputs: Inputs) -> RelayConfig:
    """Resolve every conflict. Raises ``InputError`` with all problems of all inputs where one of them is an error."""
    errors = [problem for problem in inputs.problems if problem.is_error]
    if errors:
        raise (MissingInputError if all(p.is_missing for p in errors) else InputError)(inputs.problems)
    merger = _Merger(inputs)
    config = merger.config()
    return replace(config, warnings=sort_problems([*inputs.problems, *merger.warnings]))


def _nexthops(lists: Iterable[NexthopList]) -> Iterator[str]:
    """Give the keys by which Postfix looks a login up: the nexthop and its host, in any letter case (smtp_sasl_glue.c)."""
    for nexthops in lists:
        for member in nexthops.members:
            yield member.casefold()
            yield host_of(member).casefold()


class _Merger:
    """Applies the rules one by one and collects the warnings."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.relaymap = inputs.relaymap or Relaymap()
        self.warnings: list[Problem] = []

    def config(self) -> RelayConfig:
        """Rule 1: without a relay or a relaymap nothing is configured."""
        inputs = self.inputs
        self._warn_of_half_a_login()
        if inputs.default is None and inputs.relay is None and inputs.relaymap is None:
            self._warn_of_unused_logins()
            return RelayConfig()
        mapped = self._unique_routes()
        opted_out = self._opted_out(mapped)
        routes = (*mapped.values(), *self._relay_host_routes(mapped, opted_out))
        logins = self._logins()
        self._warn_of_logins_without_relay(routes)
        return RelayConfig(
            enabled=True,
            default=inputs.default,
            routes=routes,
            opted_out=tuple(opted_out.values()),
            logins=logins,
            login_file=inputs.logins is not None,
            user_parameters=inputs.user_parameters,
        )

    # Rule 3: routes.

    def _unique_routes(self) -> dict[str, Route]:
        routes: dict[str, Route] = {}
        for route in self.relaymap.routes:
            first = routes.setdefault(route.key.casefold(), route)
            if first is not route:
                self._dropped(f"mapping of {route.key}", route.origin, first.origin)
        return routes

    def _opted_out(self, mapped: dict[str, Route]) -> dict[str, Domain]:
        opted_out: dict[str, Domain] = {}
        for domain in self.relaymap.opt_outs:
            if route := mapped.get(f"@{domain.name}".casefold()):
                text = f"the opt-out of @{domain.name} has no effect: {route.origin} maps it"
                self._warn(domain.origin, text, "keep one of the two lines")
            elif self.inputs.relay is None:
                text = f"the opt-out of @{domain.name} has no effect without RELAY_HOST"
                self._warn(domain.origin, text, "take the line away, or set RELAY_HOST")
            else:
                opted_out.setdefault(domain.name.casefold(), domain)
        return opted_out

    def _relay_host_routes(self, mapped: dict[str, Route], opted_out: dict[str, Domain]) -> list[Route]:
        if self.inputs.relay is None:
            return []
        nexthops, origin = self.inputs.relay
        self._warn_of_no_domains(origin)
        return [
            Route(f"@{domain.name}", nexthops, origin)
            for domain in self.inputs.domains
            if domain.name.casefold() not in opted_out and not self._is_mapped(domain, mapped)
        ]

    def _is_mapped(self, domain: Domain, mapped: dict[str, Route]) -> bool:
        route = mapped.get(f"@{domain.name}".casefold())
        if route and route.key != f"@{domain.name}":
            text = f"domain {domain.name} is mapped at {route.origin} as {route.key}; that mapping stands for both"
            self._warn(domain.origin, text, "write the domain in one spelling")
        return route is not None

    def _warn_of_no_domains(self, origin: Origin) -> None:
        if not self.inputs.domains:
            text = "RELAY_HOST relays nothing: no managed domain is known"
            remedy = "take RELAY_HOST away" if self.inputs.default else "set DEFAULT_RELAY_HOST"
            self._warn(origin, text, f"{remedy}, or add an account to postfix-accounts.cf")

    # Rule 4: logins.

    def _logins(self) -> tuple[LoginEntry, ...] | None:
        inputs = self.inputs
        env_login = self._env_login()
        if inputs.logins is None and env_login is None:
            if not inputs.user_parameters.keys().isdisjoint(_PROTECTION):
                return None
            origin = next(self._relay_origins())
            text = "no login is set: relays are used without one, and nothing demands TLS"
            self._warn(origin, text, "set RELAY_USER and RELAY_PASSWORD, or write postfix-sasl-password.cf")
            return None
        return tuple(self._unique_logins([*(inputs.logins or ()), *(env_login or ())]))

    def _relay_origins(self) -> Iterator[Origin]:
        yield from (found[1] for found in (self.inputs.default, self.inputs.relay) if found)
        yield Origin("postfix-relaymap.cf")

    def _env_login(self) -> list[LoginEntry] | None:
        """Give the entries of RELAY_USER and RELAY_PASSWORD; ``None`` where not both are set."""
        username, password = self.inputs.username, self.inputs.password
        if username is None or password is None:
            return None
        relay = self.inputs.default or self.inputs.relay
        if relay is None:
            text = "RELAY_USER and RELAY_PASSWORD have no effect: there is no default relay to use them at"
            self._warn(username.origin, text, "set DEFAULT_RELAY_HOST or RELAY_HOST")
            return []
        self._warn_of_second_relay()
        login = Login(username.value, password.value)
        origin = Origin(f"{username.origin}, {password.origin}")
        return [LoginEntry(key, login, origin) for key in relay[0].members]

    def _warn_of_second_relay(self) -> None:
        """With both defaults set, only the first gets the login (rule 4)."""
        default, relay = self.inputs.default, self.inputs.relay
        if default is None or relay is None:
            return
        known = {member.casefold() for member in default[0].members}
        known.update(entry.key.casefold() for entry in self.inputs.logins or ())
        if known.isdisjoint(_nexthops([relay[0]])):
            text = f"{relay[0].text} gets no login: RELAY_USER is the login at DEFAULT_RELAY_HOST only"
            self._warn(relay[1], text, f"write {relay[0].text} and its login into postfix-sasl-password.cf")

    def _unique_logins(self, entries: Iterable[LoginEntry]) -> Iterable[LoginEntry]:
        logins: dict[str, LoginEntry] = {}
        for entry in entries:
            first = logins.setdefault(entry.key.casefold(), entry)
            if first is not entry:
                self._dropped(f"login for {entry.key}", entry.origin, first.origin)
        return logins.values()

    # Warnings about logins that go nowhere, or anywhere.

    def _warn_of_logins_without_relay(self, routes: Iterable[Route]) -> None:
        """Warn of each login of the file that no relay of ours will ever see (a key that is not exactly its nexthop)."""
        if not self.inputs.user_parameters.keys().isdisjoint(_TABLE_PARAMETERS):
            return
        default = self._default_nexthops()
        nexthops = default.union(_nexthops(route.nexthops for route in routes))
        if self.inputs.relay:
            nexthops.update(_nexthops([self.inputs.relay[0]]))
        domains = {route.key.casefold().rpartition("@")[2] for route in routes}
        for entry in self.inputs.logins or ():
            _, at, domain = entry.key.casefold().rpartition("@")
            if not at and domain not in nexthops:
                text = "no relay that is set here has this key, so the login is not used"
                self._warn(entry.origin, text, "write the key exactly as the nexthop, brackets and port included")
            elif at and not default and domain not in domains:
                text = "no relay is set here for this sender, so its login goes to whatever server takes the mail"
                self._warn(entry.origin, text, "map the sender in postfix-relaymap.cf, or take the login away")

    def _default_nexthops(self) -> set[str]:
        """Give the nexthops that serve every sender: the operator's own ``relayhost`` stands in place of ours."""
        if own := self.inputs.user_parameters.get("relayhost"):
            return set(own.value.replace(",", " ").casefold().split())
        return set(_nexthops([self.inputs.default[0]])) if self.inputs.default else set()

    def _warn_of_half_a_login(self) -> None:
        username, password = self.inputs.username, self.inputs.password
        if username and not password:
            self._warn(username.origin, "RELAY_USER has no effect without RELAY_PASSWORD", "set RELAY_PASSWORD")
        if password and not username:
            self._warn(password.origin, "RELAY_PASSWORD has no effect without RELAY_USER", "set RELAY_USER")

    def _warn_of_unused_logins(self) -> None:
        origins = [entry.origin for entry in (self.inputs.logins or ())[:1]]
        if self.inputs.username and self.inputs.password:
            origins.append(self.inputs.username.origin)
        for origin in origins:
            text = "a login is set, but no relay to use it at: nothing is configured"
            self._warn(origin, text, "set DEFAULT_RELAY_HOST or RELAY_HOST, or write postfix-relaymap.cf")

    def _dropped(self, what: str, origin: Origin, first: Origin) -> None:
        self._warn(origin, f"this {what} is dropped: {first} comes first", "keep one of the two")

    def _warn(self, origin: Origin, text: str, remedy: str) -> None:
        self.warnings.append(Problem(origin, text, remedy, is_error=False))
