"""Merges for tables of nexthops, keyed by sender, as docker-mailserver's relay.sh does, rule by rule (docs/rules.md). Pure.

Warns of what this way of routing cannot do, and says how to switch to the other.
"""

from __future__ import annotations

from dms_relay.merge.common import Merger, login_keys
from dms_relay.model import AS_DEFAULT, IMPLICIT_TLS_PORTS, NULL_SENDER, Origin
from dms_relay.model.configuration import RelayConfig
from dms_relay.model.senders import Routes
from dms_relay.postfix.main_cf import is_yes
from dms_relay.postfix.nexthop import host_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Domain, LoginEntry, NexthopList, Route

#: If the operator sets one of these, the tables in use are not ours.
_TABLE_PARAMETERS = frozenset({"sender_dependent_relayhost_maps", "smtp_sasl_password_maps"})

#: If the operator sets one of these, we leave logins or TLS to the operator.
_PROTECTION = frozenset({"smtp_sasl_password_maps", "smtp_tls_security_level"})
#: Postfix looks up a sender's login only if both are yes.
_BY_SENDER = ("smtp_sasl_auth_enable", "smtp_sender_dependent_authentication")

#: Turns on the way of routing that can do what maps cannot.
_SWITCH = "RELAY_ROUTING=transports"
#: The identifier of an opt-out that has no effect.
_NO_EFFECT = "opt-out-without-effect"


def _is_other(nexthops: NexthopList, usual: NexthopList) -> bool:
    """Return True if ``nexthops`` has a host that is not in ``usual``."""
    hosts = {host_of(member).casefold() for member in usual.members}
    return any(host_of(member).casefold() not in hosts for member in nexthops.members)


def _keys_above(key: str) -> list[str]:
    """Return the keys that Postfix looks up after a sender key: the address without its extension, the domain."""
    local, _, domain = key.rpartition("@")
    keys = (f"{local.partition('+')[0]}@{domain}", f"@{domain}")
    return [above for above in keys if above != key]


def _has_relay(routes: Routes, *keys: str) -> bool:
    """Return True if one of the keys has a route other than the default."""
    found = (routes.get(key) for key in keys)
    return any(route is not None and route.nexthops.text.upper() != AS_DEFAULT for route in found)


class MapsMerger(Merger):
    """Merges for ``RELAY_ROUTING=maps``."""

    def config(self) -> RelayConfig:
        """Return the configuration. Rule 1: without a relay or a relaymap, nothing is configured."""
        inputs = self.inputs
        self.warn_of_half_a_login()
        if inputs.default is None and inputs.relay is None and inputs.relaymap is None:
            self.warn_of_unused_logins()
            return RelayConfig()
        mapped = self.unique_routes()
        opted_out = self._opted_out(mapped)
        routes = self._routes(mapped, opted_out)
        logins = self._logins()
        self._warn_of_logins_without_relay(routes)
        self._warn_of_logins_at_other_relays(mapped, routes)
        self._warn_of_implicit_tls(routes)
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

    def _opted_out(self, mapped: dict[str, Route]) -> dict[str, Domain]:
        opted_out: dict[str, Domain] = {}
        for domain in self.relaymap.opt_outs:
            if route := mapped.get(f"@{domain.name}".casefold()):
                text = f"the opt-out of @{domain.name} has no effect: {route.origin} maps it"
                self.warn(domain.origin, text, "keep only one of the two lines", _NO_EFFECT)
            elif self.inputs.default and "relayhost" not in self.inputs.user_parameters:
                text = f"the opt-out of @{domain.name} has no effect: its mail still goes to DEFAULT_RELAY_HOST"
                self.warn(domain.origin, text, f"set {_SWITCH}, which sends it directly", _NO_EFFECT)
                if self.inputs.relay:
                    opted_out.setdefault(domain.name.casefold(), domain)
            elif self.inputs.relay is None:
                text = f"the opt-out of @{domain.name} has no effect without RELAY_HOST"
                self.warn(domain.origin, text, "remove the line, or set RELAY_HOST", _NO_EFFECT)
            else:
                opted_out.setdefault(domain.name.casefold(), domain)
        return opted_out

    def _routes(self, mapped: dict[str, Route], opted_out: dict[str, Domain]) -> Routes:
        if self.inputs.relay is None:
            return Routes(mapped)
        self.warn_of_no_domains(self.inputs.relay[1])
        self.warn_of_two_spellings(mapped)
        own = frozenset((*opted_out, *(key[1:] for key in mapped if key.startswith("@"))))
        return Routes(mapped, self.inputs.relay, self.inputs.domains, own)

    # Rule 4: logins.

    def _logins(self) -> tuple[LoginEntry, ...] | None:
        inputs = self.inputs
        env_login = self.env_login()
        if inputs.logins is None and env_login is None:
            if not inputs.user_parameters.keys().isdisjoint(_PROTECTION):
                return None
            origin = next(self._relay_origins())
            text = "no login is set: relays are used without a login, at the TLS level of main.cf"
            self.warn(
                origin, text, "set RELAY_USER and RELAY_PASSWORD__FILE, or write postfix-sasl-password.cf", "no-login"
            )
            return None
        return tuple(self.unique_logins([*(inputs.logins or ()), *(env_login or ())]))

    def _relay_origins(self) -> Iterator[Origin]:
        yield from (found[1] for found in (self.inputs.default, self.inputs.relay) if found)
        yield Origin("postfix-relaymap.cf")

    # Warnings about logins that reach no relay, or too many servers.

    def _warn_of_logins_without_relay(self, routes: Routes) -> None:
        """Warn of each login of the file that no relay will ever receive: its key is not exactly a nexthop."""
        if not self.inputs.user_parameters.keys().isdisjoint(_TABLE_PARAMETERS):
            return
        default = self._default_nexthops()
        nexthops = default.union(login_keys(found for found, _ in routes.nexthops()))
        if self.inputs.relay:
            nexthops.update(login_keys([self.inputs.relay[0]]))
        members = tuple(dict.fromkeys(self._members(routes)))
        for entry in self.inputs.logins or ():
            key = entry.key.casefold()
            _, at, domain = key.rpartition("@")
            if not at and domain not in nexthops:
                self.warn_of_unused_key(entry, members)
            elif at and not default and self._is_by_sender() and not _has_relay(routes, key, *_keys_above(key)):
                text = "this sender has no relay, so its login is offered to every server that receives the mail"
                remedy = "map the sender in postfix-relaymap.cf, or remove the login"
                self.warn(entry.origin, text, remedy, "login-for-strangers")

    def _members(self, routes: Routes) -> Iterator[str]:
        """Yield each nexthop that a login may be for."""
        found = [self.inputs.default, self.inputs.relay, *routes.nexthops()]
        for nexthops, _ in filter(None, found):
            yield from nexthops.members

    def _is_by_sender(self) -> bool:
        """Return True if Postfix looks up logins by sender: it does unless the operator turns that off."""
        own = self.inputs.user_parameters
        return all(is_yes(own[name].value) for name in _BY_SENDER if name in own)

    def _warn_of_logins_at_other_relays(self, mapped: dict[str, Route], routes: Routes) -> None:
        """Warn of each login that Postfix also offers to another relay.

        A domain's login is offered to the relay of one of its addresses, and an address's to the relay of that address with
        an extension.
        """
        if not (self._is_by_sender() and self.inputs.user_parameters.keys().isdisjoint(_TABLE_PARAMETERS)):
            return
        entries = {entry.key.casefold(): entry for entry in reversed(self.inputs.logins or ())}
        # The domains that RELAY_HOST serves are whole domains: no key above them could have a login.
        for key, route in mapped.items():
            if key == NULL_SENDER or key in entries:
                continue
            keys = _keys_above(key)
            entry = next((entries[above] for above in keys if above in entries), None)
            if entry is None:
                continue
            ways = (routes.get(above) for above in keys[keys.index(entry.key.casefold()) :])
            above = next((way for way in ways if way), None)
            usual = above.nexthops if above else self.inputs.default and self.inputs.default[0]
            if usual and _is_other(route.nexthops, usual):
                text = f"the login of {entry.key} ({entry.origin}) is also offered to {route.nexthops.text}"
                remedy = f"give {route.key} its own login, or set {_SWITCH}"
                self.warn(route.origin, text, remedy, "login-at-other-relay")

    def _warn_of_implicit_tls(self, routes: Routes) -> None:
        """Warn once of each relay on a port of implicit TLS: Postfix would wait for a greeting that never comes."""
        found = list(routes.nexthops())
        if self.inputs.default and "relayhost" not in self.inputs.user_parameters:
            found.insert(0, self.inputs.default)
        seen: set[str] = set()
        for nexthops, origin in found:
            for member in nexthops.members:
                if member.rpartition(":")[2] in IMPLICIT_TLS_PORTS and member not in seen:
                    seen.add(member)
                    text = f"{member} needs implicit TLS, which RELAY_ROUTING=maps does not support"
                    remedy = f"use the relay's port for STARTTLS, often 587, or set {_SWITCH}"
                    self.warn(origin, f"{text}: no mail can leave through it", remedy, "implicit-tls-port")

    def _default_nexthops(self) -> set[str]:
        """Return the nexthops for every other sender: the operator's own ``relayhost`` overrides the managed one."""
        if own := self.inputs.user_parameters.get("relayhost"):
            return set(own.value.replace(",", " ").casefold().split())
        return set(login_keys([self.inputs.default[0]])) if self.inputs.default else set()
