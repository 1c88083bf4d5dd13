"""Random configurations, random messages, and what each relay may be offered: for the property that no login leaks.

Four relays and two strangers, all of which offer AUTH and take what they get. Each login is named after the servers that it
belongs to: `ab/…` may be seen at relays a and b, `none/…` nowhere. A configuration can be written as relay.yaml, or, but for
its recipient routes, as the two `.cf` files and the environment.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import yaml
from hypothesis import strategies as st

from testbed import Inputs, Relay
from testbed.inputs import LOGINS, RELAYMAP

SERVERS = "abcd"
STRANGERS = ("x.test", "y.test")
DOMAINS = ("@d1.test", "@d2.test", "@d3.test")
ADDRESSES = ("u@d1.test", "v@d1.test", "u@d2.test", "u+x@d1.test")
NULL = "<>"
SENDERS = (*ADDRESSES, "w@d1.test", "w@d2.test", "w@d3.test", "w@other.test", "u+more@d1.test", "v+x@d1.test", NULL)
RECIPIENTS = ("r@x.test", "s@x.test", "r@y.test")
_RELAYS = ("a", "b", "c", "d", "ab", "cd", "bc")
MESSAGES = 5
PASSWORD = "pw"


@dataclass(frozen=True)
class Config:
    """What an operator may want. A relay is named after its servers; `None` is direct."""

    relays: tuple[str, ...]
    logins: frozenset[str]
    """Relays that have a login."""
    default: str | None
    routes: dict[str, str | None]
    own: frozenset[str]
    """Senders with a route to a relay, and a login of their own there."""
    stray: frozenset[str] = frozenset()
    """Other senders that a password file has a login for."""
    recipients: dict[str, str | None] = field(default_factory=dict)

    def way_of(self, key: str) -> str | None:
        """Return the relay of a sender key's mail."""
        return next((self.routes[k] for k in chain(key) if k in self.routes), self.default)

    def relay_for(self, sender: str, recipient: str) -> str | None:
        """Return the relay of a message: the recipient's before the sender's."""
        return next((self.recipients[k] for k in self._routes_to(recipient)), self.way_of(sender))

    def _routes_to(self, recipient: str) -> list[str]:
        """Return the recipient keys that have a route for a recipient, the one that counts first."""
        return [key for key in (recipient, recipient.rpartition("@")[2]) if key in self.recipients]

    def logins_for(self, sender: str, recipient: str, server: str, *, is_cf: bool) -> set[str | None]:
        """Return the login of a message at a server of its relay: one, but where the rule leaves it open."""
        relay = self.relay_for(sender, recipient)
        assert relay
        at_relay = f"{server if is_cf else relay}/relay" if self._has_login(relay, server, is_cf=is_cf) else None
        own = [key for key in chain(sender) if key in self.own | self.stray and self.way_of(key) == relay]
        if sender == NULL or not own:
            return {at_relay}
        named = next((key for key in chain(sender) if key in self.routes), "")
        if is_cf or named in own:
            return {self.username(own[0])}
        # A sender that is named and has no login of its own uses the relay's, also where its domain has one, or its address
        # without the extension. At a relay that has none, and only where a recipient's route leads there, Postfix uses
        # that one: the sender's own route may lead there as well.
        return {at_relay} if at_relay or not self._routes_to(recipient) else {None, self.username(own[0])}

    def _has_login(self, relay: str, server: str, *, is_cf: bool) -> bool:
        return any(server in name for name in self.logins) if is_cf else relay in self.logins

    def username(self, key: str) -> str:
        """Name a sender's own login after the servers that may see it."""
        return f"{self.way_of(key) or 'none'}/{key.replace('@', '-at-')}"


def chain(sender: str) -> tuple[str, ...]:
    """Return the keys by which Postfix looks a sender up."""
    local, _, domain = sender.rpartition("@")
    return (sender, f"{local.partition('+')[0]}@{domain}", f"@{domain}")


@st.composite
def configs(draw: st.DrawFn, *, is_cf: bool) -> Config:
    """Return a configuration; with `is_cf` one that the `.cf` files can say, where a login may have lost its route."""
    relays = tuple(
        draw(st.lists(st.sampled_from(["a", "b", "c", "d", "ab", "cd", "bc"]), min_size=1, max_size=4, unique=True))
    )
    way = st.sampled_from([*relays, None])
    keys = draw(st.lists(st.sampled_from([*DOMAINS, *ADDRESSES, NULL]), max_size=6, unique=True))
    # In a .cf file, only a domain can opt out.
    routes = {key: draw(way if key in DOMAINS or not is_cf else st.sampled_from(relays)) for key in keys}
    relayed = [key for key, relay in routes.items() if relay and key != NULL]
    others = [key for key in (*DOMAINS, *ADDRESSES) if key not in relayed]
    return Config(
        relays=relays,
        logins=frozenset(relay for relay in relays if draw(st.booleans())),
        default=draw(way),
        routes=routes,
        own=frozenset(key for key in relayed if draw(st.booleans())),
        stray=frozenset(key for key in others if is_cf and draw(st.booleans())),
        recipients={} if is_cf else {key: draw(way) for key in draw(_some_recipients)},
    )


_some_recipients = st.lists(st.sampled_from(["x.test", "y.test", "r@x.test"]), max_size=2, unique=True)


def messages(seed: int) -> list[tuple[str, str]]:
    """Return senders and recipients."""
    chosen = random.Random(seed)  # noqa: S311 -- no secret
    return [(chosen.choice(SENDERS), chosen.choice(RECIPIENTS)) for _ in range(MESSAGES)]


def write_yaml(config: Config, inputs: Inputs, relays: dict[str, Relay]) -> None:
    """Write relay.yaml alone."""
    document: dict[str, Any] = {"version": 1, "relays": {name: _relay(name, config, relays) for name in config.relays}}
    document["default"] = config.default or "direct"
    document["senders"] = {key.removeprefix("@"): _sender(key, config) for key in config.routes}
    document["recipients"] = {key: relay or "direct" for key, relay in config.recipients.items()}
    inputs.settings = {}
    inputs.write("relay.yaml", yaml.safe_dump(document))
    inputs.write(RELAYMAP, None)
    inputs.write(LOGINS, None)


def _relay(name: str, config: Config, relays: dict[str, Relay]) -> dict[str, Any]:
    login = {"login": {"username": f"{name}/relay", "password": PASSWORD}} if name in config.logins else {}
    return {"hosts": [f"{relays[s].host}:{relays[s].port}" for s in name], "tls": {"level": "encrypt"}, **login}


def _sender(key: str, config: Config) -> Any:  # noqa: ANN401 -- as YAML has it
    relay = config.routes[key] or "direct"
    return (
        {"relay": relay, "login": {"username": config.username(key), "password": PASSWORD}}
        if key in config.own
        else relay
    )


def write_cf(config: Config, inputs: Inputs, relays: dict[str, Relay], routing: str) -> None:
    """Write the two files and the environment."""
    nexthops = {name: ", ".join(relays[server].nexthop for server in name) for name in config.relays}
    routes = "".join(
        f"{key} {nexthops[relay] if relay else ''}".rstrip() + "\n" for key, relay in config.routes.items()
    )
    senders = sorted(config.own | config.stray)
    logins = [f"{key} {config.username(key)}:{PASSWORD}\n" for key in senders]
    logins += [f"{key} {owner}/relay:{PASSWORD}\n" for key, owner in _by_nexthop(config, relays).items()]
    inputs.write("relay.yaml", None)
    inputs.write(RELAYMAP, routes)
    inputs.write(LOGINS, "".join(logins))
    inputs.settings = {"RELAY_ROUTING": routing}
    if config.default:
        inputs.settings["DEFAULT_RELAY_HOST"] = nexthops[config.default]


def _by_nexthop(config: Config, relays: dict[str, Relay]) -> dict[str, str]:
    """Return the login at each nexthop, which in a file is one for all relays that have this server."""
    return {relays[server].nexthop: server for name in sorted(config.logins) for server in name}


def is_own(server: str, username: str) -> bool:
    """Return True if a server may see a login."""
    return server in username.partition("/")[0] and server in SERVERS
