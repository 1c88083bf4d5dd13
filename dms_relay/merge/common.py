"""What both ways of merging have in common: which value wins where two say the same, and what both warn of. Pure."""

from __future__ import annotations

from dms_relay.model import Login, LoginEntry, Origin, Problem, Relaymap
from dms_relay.model.values import frozen
from dms_relay.postfix.nexthop import host_of, is_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dms_relay.model import NexthopList, Route
    from dms_relay.model.configuration import Inputs

#: Likeness (difflib, 0 to 1) from which a host counts as a slip of another: one or two letters in ten.
_LIKENESS = 0.85
#: Distinct nexthops up to which one is looked for that a key may mean: it takes up to 10 us for each of them.
_NEAR_MAX = 200
_KEEP_ONE = "keep only one of them"
#: Unused keys for which one is looked for: the search takes up to 2 ms for each of them.
_NEAR_KEYS_MAX = 1000


def login_keys(lists: Iterable[NexthopList]) -> Iterator[str]:
    """Yield the keys by which Postfix looks a login up: the nexthop and its host, in any letter case (smtp_sasl_glue.c)."""
    for nexthops in lists:
        for member in nexthops.members:
            yield member.casefold()
            yield host_of(member).casefold()


def lookup_keys(nexthop: str) -> list[str]:
    """Return the keys by which Postfix looks for the login at a nexthop: its host first (smtp_sasl_glue.c).

    Without brackets the host is found by an MX lookup, unless it is an address, and unknown here. Raises ``SyntaxProblem``
    where it is no nexthop.
    """
    host = host_of(nexthop)
    return [host.casefold()] * (nexthop.startswith("[") or is_address(host)) + [nexthop.casefold()]


def other_port(relay: NexthopList, default: NexthopList) -> str:
    """Return the port of ``default`` where ``relay`` is the same host at another port; ``""`` where it is not."""
    member, name = relay.members[0], host_of(relay.members[0])
    for other in default.members:
        host, colon, port = other.rpartition(":")
        if host.casefold() == f"[{name}]".casefold() and colon and other.casefold() != member.casefold():
            return port
    return ""


@frozen
class Near:
    """A nexthop that a key may mean, and what differs."""

    nexthop: str
    what: str


def nearest(key: str, nexthops: Sequence[str]) -> Near | None:
    """Return the nexthop that a login's key may mean: of the same host, or of one that differs in a letter or two."""
    host = host_of(key).casefold()
    if same := [member for member in nexthops if host_of(member).casefold() == host]:
        return min((Near(member, _difference(key, member)) for member in same), key=lambda near: len(near.what))
    hosts = {host_of(member).casefold(): member for member in reversed(nexthops)}
    found = nearest_name(host, hosts)
    return Near(hosts[found], "its host") if found else None


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """Return the name that differs in a letter or two."""
    # What differs in length by more can be no nearer (difflib, real_quick_ratio): mostly, that spares the import.
    close = [other for other in sorted(names) if 2 * min(len(name), len(other)) >= _LIKENESS * (len(name) + len(other))]
    if not close:
        return None
    from difflib import get_close_matches  # noqa: PLC0415 -- 5 ms, and only for what is wrong

    found = get_close_matches(name, close, n=1, cutoff=_LIKENESS)
    return found[0] if found else None


def _difference(key: str, nexthop: str) -> str:
    """Say in what two nexthops of the same host differ."""
    ports = [text.strip("[").removeprefix(host_of(text)).lstrip("]") for text in (key, nexthop)]
    differs = {"its brackets": key.startswith("[") != nexthop.startswith("["), "its port": ports[0] != ports[1]}
    return " and ".join(what for what, is_so in differs.items() if is_so)


@frozen
class _Known:
    """The lookup keys of senders that are mapped, and the first login of each key."""

    senders: frozenset[str]
    logins: dict[str, LoginEntry]

    @classmethod
    def of(cls, inputs: Inputs) -> _Known:
        """Collect both."""
        routes = inputs.relaymap.routes if inputs.relaymap else ()
        logins = {entry.key.casefold(): entry for entry in reversed(inputs.logins or ())}
        return cls(frozenset(route.key.casefold() for route in routes), logins)


class Merger:
    """Applies the rules one by one and collects the warnings."""

    def __init__(self, inputs: Inputs) -> None:
        """Begin with all that was read."""
        self.inputs = inputs
        self.relaymap = inputs.relaymap or Relaymap()
        self.warnings: list[Problem] = []
        #: What unused keys are compared with, from the first of them on.
        self._known: _Known | None = None
        self._unused = 0

    def unique_routes(self) -> dict[str, Route]:
        """Return the mapping of each key that comes first."""
        routes: dict[str, Route] = {}
        for route in self.relaymap.routes:
            first = routes.setdefault(route.key.casefold(), route)
            if first is not route:
                self.dropped(f"mapping of {route.key}", route.origin, first.origin)
        return routes

    def warn_of_two_spellings(self, mapped: dict[str, Route]) -> None:
        """Warn of each managed domain that is mapped in another spelling."""
        domains = self.inputs.domains
        for key, route in mapped.items():
            name = domains.name(key[1:]) if key.startswith("@") else None
            if name is not None and route.key != f"@{name}":
                text = (
                    f"domain {name} is mapped at {route.origin} as {route.key}; that mapping applies to both spellings"
                )
                self.warn(domains.origin(key[1:]), text, "write the domain in one spelling", "two-spellings")

    def warn_of_no_domains(self, origin: Origin) -> None:
        """Warn where RELAY_HOST serves nobody."""
        if not self.inputs.domains:
            text = "RELAY_HOST is not used: there is no managed domain"
            remedy = "remove RELAY_HOST" if self.inputs.default else "set DEFAULT_RELAY_HOST"
            self.warn(origin, text, f"{remedy}, or add an account to postfix-accounts.cf", "no-managed-domain")

    def env_login(self) -> list[LoginEntry] | None:
        """Return the entries of RELAY_USER and RELAY_PASSWORD (or OAuth2 in its place); ``None`` where one is not set."""
        inputs = self.inputs
        username, password = inputs.username, inputs.password
        second = inputs.oauth2[1] if inputs.oauth2 else password.origin if password else None
        if username is None or second is None:
            return None
        relay = inputs.default or inputs.relay
        if relay is None:
            text = f"{self._env_login_names()} have no effect: there is no default relay"
            remedy = self._move_to_file() if inputs.file else "set DEFAULT_RELAY_HOST or RELAY_HOST"
            self.warn(username.origin, text, remedy, "login-without-relay")
            return []
        self.warn_of_second_relay()
        oauth2 = inputs.oauth2[0] if inputs.oauth2 else None
        login = Login(username.value, password.value if password else "", oauth2)
        origin = Origin(f"{username.origin}, {second}")
        return [LoginEntry(key, login, origin) for key in relay[0].members]

    def _env_login_names(self) -> str:
        """Return the names of the variables that a login of the environment is made of."""
        return f"RELAY_USER and {'the variables RELAY_OAUTH2_…' if self.inputs.oauth2 else 'RELAY_PASSWORD'}"

    def _move_to_file(self) -> str:
        """Return the remedy for a login of the environment beside a relay.yaml, whose relays have logins of their own."""
        if self.inputs.oauth2:
            return "move the login to its relay in relay.yaml (login: oauth2), and remove RELAY_USER and RELAY_OAUTH2_…"
        return "move the login to its relay in relay.yaml (login), and remove RELAY_USER and RELAY_PASSWORD"

    def warn_of_unused_env_login(self, entry: LoginEntry) -> None:
        """Warn of the login of the environment where no mail goes to the relay that it is for."""
        text = f"{self._env_login_names()} are not used: they are the login at {entry.key}, where no mail goes"
        remedy = f"set DEFAULT_RELAY_HOST={entry.key} in place of RELAY_HOST and RELAY_PORT, or remove the login"
        self.warn(entry.origin, text, self._move_to_file() if self.inputs.file else remedy, "login-without-relay")

    def warn_of_second_relay(self) -> None:
        """With both defaults set, only the first gets the login (rule 4)."""
        default, relay = self.inputs.default, self.inputs.relay
        if default is None or relay is None:
            return
        known = {member.casefold() for member in default[0].members}
        known.update(entry.key.casefold() for entry in self.inputs.logins or ())
        if known.isdisjoint(login_keys([relay[0]])) and not self._have_own_login():
            text = f"{relay[0].text} has no login: RELAY_USER applies only to DEFAULT_RELAY_HOST"
            remedy = f"add {relay[0].text} and its login to postfix-sasl-password.cf"
            if other_port(relay[0], default[0]):
                remedy += ", or remove RELAY_HOST: both name the same host"
            self.warn(relay[1], text, remedy, "relay-without-login")

    def _have_own_login(self) -> bool:
        """Return True if nobody uses RELAY_HOST who has no login, relay or opt-out of his own."""
        keys = [entry.key for entry in self.inputs.logins or ()] + [route.key for route in self.relaymap.routes]
        named = {key.casefold() for key in (*keys, *(f"@{domain.name}" for domain in self.relaymap.opt_outs))}
        domains = self.inputs.domains
        return bool(domains) and all(f"@{key}" in named for key in domains.lookup_keys())

    def unique_logins(self, entries: Iterable[LoginEntry]) -> Iterable[LoginEntry]:
        """Return the login of each key that comes first."""
        logins: dict[str, LoginEntry] = {}
        for entry in entries:
            first = logins.setdefault(entry.key.casefold(), entry)
            if first is not entry:
                self.dropped_login(f"for {entry.key}", entry, first)
        return logins.values()

    def warn_of_half_a_login(self) -> None:
        """Warn of a user name without a password, and the other way round."""
        if self.inputs.oauth2:
            return  # reading has said what is missing
        given = {"RELAY_USER": self.inputs.username, "RELAY_PASSWORD": self.inputs.password}
        for (name, setting), (other, missing) in zip(given.items(), reversed(given.items()), strict=True):
            if setting and not missing:
                # A password in the environment is a finding itself.
                remedy = f"set {other}__FILE" if other == "RELAY_PASSWORD" else f"set {other}"
                self.warn(setting.origin, f"{name} has no effect without {other}", remedy, "half-a-login")

    def warn_of_unused_logins(self) -> None:
        """Warn of logins where no relay is set at all."""
        origins = [entry.origin for entry in (self.inputs.logins or ())[:1]]
        if self.inputs.username and (self.inputs.password or self.inputs.oauth2):
            origins.append(self.inputs.username.origin)
        for origin in origins:
            text = "a login is set, but no relay, so nothing is configured"
            remedy = "set DEFAULT_RELAY_HOST or RELAY_HOST, or write postfix-relaymap.cf"
            self.warn(origin, text, remedy, "login-without-relay")

    def dropped_login(self, which: str, entry: LoginEntry, first: LoginEntry) -> None:
        """Warn of a login that is dropped; one of the environment (it has no line) that a file overrides is told apart.

        The same login once more is no more than a note: nothing is lost.
        """
        is_overridden = not entry.origin.line and first.origin.line
        rule = "env-login-overridden" if is_overridden else "given-twice"
        remedy = _KEEP_ONE
        is_of_file = entry.origin.source == first.origin.source
        if "@" not in entry.key and is_of_file and entry.login.username != first.login.username:
            remedy = f"{_KEEP_ONE}; the login of a sender has @domain or user@domain as its key"
        text = f"this login {which} is ignored, because {first.origin} comes first"
        is_note = entry.login == first.login
        self.warnings.append(Problem(entry.origin, text, remedy, is_error=False, rule=rule, is_note=is_note))

    def warn_of_unused_key(self, entry: LoginEntry, nexthops: Sequence[str]) -> None:
        """Warn of a login whose key is not the nexthop of a relay, and name the one that may be meant."""
        text = "no relay has this lookup key, so the login is not used"
        remedy = "write the key exactly like the nexthop, with brackets and port"
        self._known = known = self._known or _Known.of(self.inputs)
        self._unused += 1
        domain = entry.key.casefold()
        if f"@{domain}" in known.senders or domain in self.inputs.domains:
            remedy = f"write @{entry.key} if you mean the senders of that domain"
        elif self._is_searched(nexthops) and (near := nearest(entry.key, nexthops)):
            text, remedy = f"{text}; {near.nexthop} differs in {near.what}", f"write {near.nexthop} as the key"
            if other := known.logins.get(near.nexthop.casefold()):
                text, remedy = f"{text}, and already has the login of {other.origin}", "remove one of the two lines"
        self.warn(entry.origin, text, remedy, "login-without-relay")

    def _is_searched(self, nexthops: Sequence[str]) -> bool:
        return len(nexthops) <= _NEAR_MAX and self._unused <= _NEAR_KEYS_MAX

    def dropped(self, what: str, origin: Origin, first: Origin, rule: str = "given-twice") -> None:
        """Warn of what is dropped for what comes first."""
        self.warn(origin, f"this {what} is ignored, because {first} comes first", _KEEP_ONE, rule)

    def warn(self, origin: Origin, text: str, remedy: str, rule: str) -> None:
        """Take note of a warning; ``rule`` is its identifier (docs/checks.md)."""
        self.warnings.append(Problem(origin, text, remedy, is_error=False, rule=rule))
