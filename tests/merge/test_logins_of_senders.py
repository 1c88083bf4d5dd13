"""With a transport for each relay, every sender is offered the login that the inputs mean for it, whatever the inputs are.

What is meant follows from the inputs one sender at a time; what Postfix finds follows from what ``merge`` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dms_relay.merge import merge
from dms_relay.model import TRANSPORTS, Domain, Login, LoginEntry, NexthopList, Origin, Relaymap, Route
from dms_relay.model.configuration import Inputs
from dms_relay.model.relays import Recipient, Relay, RelayFile, Sender, Tls

if TYPE_CHECKING:
    from dms_relay.model.relays import RelayService, TransportRoute, Transports

NAMES = ("one", "two", "three")
HOSTS = {"one": ("[one.test]:587",), "two": ("[two.test]:587",), "three": ("[x.test]:587", "[y.test]:587")}
LISTS = {name: NexthopList(", ".join(hosts), hosts) for name, hosts in HOSTS.items()}
KEYS = ("@a.test", "boss@a.test", "boss+x@a.test", "@b.test", "user@b.test", "@c.test", "user@c.test")
HOST_KEYS = tuple(host for hosts in HOSTS.values() for host in hosts)
SETTINGS = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
PLACES = st.integers(1, 10**6).map(lambda line: Origin("generated", line))
LOGINS = st.builds(Login, st.sampled_from(["u", "v", "w"]), st.sampled_from(["p", "q"]))


def _some(keys: tuple[str, ...], values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from(keys), values, max_size=len(keys))


@st.composite
def relays(draw: st.DrawFn) -> tuple[Relay, ...]:
    """Draw the relays, each with or without a login."""
    logins = [draw(st.none() | LOGINS) for _ in NAMES]
    return tuple(
        Relay(name, LISTS[name], Tls(level="encrypt"), draw(PLACES), login, draw(PLACES) if login else None)
        for name, login in zip(NAMES, logins, strict=True)
    )


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    """Draw inputs that name senders in any of the files, and logins for some of them."""
    routes = [
        Route(key, LISTS[name], draw(PLACES))
        for key, name in draw(_some(KEYS, st.sampled_from(NAMES))).items()
        if isinstance(name, str)
    ]
    opt_outs = [Domain(key[1:], draw(PLACES)) for key in draw(_some(("@a.test", "@b.test"), st.none()))]
    entries = [LoginEntry(key, draw(LOGINS), draw(PLACES)) for key in draw(_some((*KEYS, *HOST_KEYS), st.none()))]
    senders = [_sender(draw, key) for key in draw(_some(KEYS, st.none()))]
    recipients = [Recipient("to.test", draw(st.sampled_from(NAMES)), draw(PLACES))] * draw(st.integers(0, 1))
    default = draw(st.none() | st.sampled_from(NAMES).map(lambda name: (name, Origin("generated"))))
    file = RelayFile(draw(relays()), default, tuple(senders), tuple(recipients))
    relaymap = Relaymap(tuple(routes), tuple(opt_outs))
    return Inputs(relaymap=relaymap, logins=tuple(entries), routing=TRANSPORTS, file=file)


def _sender(draw: st.DrawFn, key: str) -> Sender:
    relay, login = draw(st.none() | st.sampled_from(NAMES)), draw(st.none() | LOGINS)
    own = login if relay else None
    return Sender(key, relay, draw(PLACES), own, draw(PLACES) if own else None)


class Meant:
    """What the inputs mean: for one sender key, its relay and the login at each host there."""

    def __init__(self, given: Inputs) -> None:
        """Sort the inputs by sender key."""
        self.file = given.file or RelayFile()
        relaymap = given.relaymap or Relaymap()
        cf = {route.key: self._name(route.nexthops) for route in relaymap.routes}
        opted_out = {f"@{domain.name}": None for domain in relaymap.opt_outs}
        self.cf: dict[str, str | None] = opted_out | cf
        self.senders = {sender.key: sender for sender in self.file.senders}
        self.entries = {entry.key: entry.login for entry in given.logins or ()}

    def _name(self, nexthops: NexthopList) -> str:
        return next(name for name, known in LISTS.items() if known == nexthops)

    def relay(self, key: str) -> str | None:
        """Return the relay of a key that is named."""
        return self.cf[key] if key in self.cf else self.senders[key].relay

    def login(self, key: str, name: str, host: str) -> Login | None:
        """Return the login of a sender's mail at a host of a relay."""
        is_here = self.relay(key) == name
        if is_here and key in self.entries:
            return self.entries[key]
        sender = self.senders.get(key)
        if is_here and sender and sender.login and sender.relay == name:
            return sender.login
        domain = key[key.index("@") :]
        if is_here and key in self.cf and domain in self.entries and self._relay_of_domain(domain) == name:
            return self.entries[domain]
        relay = next(relay for relay in self.file.relays if relay.name == name)
        return self.entries.get(host, relay.login)

    def _relay_of_domain(self, domain: str) -> str | None:
        if domain in self.cf or domain in self.senders:
            return self.relay(domain)
        return self.file.default[0] if self.file.default else None


def _offered(service: RelayService, route: TransportRoute, host: str) -> Login | None:
    """Return the login that Postfix finds at a host of a service (smtp_sasl_glue.c)."""
    entries = {entry.key: entry.login for entry in service.logins}
    if not route.ignores_sender_logins:
        entries |= {entry.key: entry.login for entry in service.sender_logins}
    local, _, domain = route.key.rpartition("@")
    plain = f"{local.partition('+')[0]}@{domain}"
    keys = [] if route.ignores_sender_logins else [route.key, plain, f"@{domain}"]
    return next((entries[key] for key in (*keys, host) if key in entries), None)


def _services(transports: Transports) -> dict[str, RelayService]:
    return {service.relay.name: service for service in transports.services}


@SETTINGS
@given(given_inputs=inputs())
def test_every_sender_gets_the_login_that_is_meant(given_inputs: Inputs) -> None:
    """Its own; else, between lines of the ``.cf`` files, its domain's; else the relay's."""
    transports = merge(given_inputs).transports
    assert transports is not None
    meant, services = Meant(given_inputs), _services(transports)
    assert {route.key: route.relay for route in transports.senders} == {
        key: meant.relay(key) for key in (*meant.cf, *meant.senders)
    }
    for route in transports.senders:
        if route.relay is None or "+" in route.key:
            continue
        event(f"ignores sender logins: {route.ignores_sender_logins}")
        for host in services[route.relay].relay.nexthops.members:
            assert _offered(services[route.relay], route, host) == meant.login(route.key, route.relay, host)


@SETTINGS
@given(given_inputs=inputs())
def test_no_relay_has_a_login_of_another(given_inputs: Inputs) -> None:
    """A login of a sender is at the relay of the sender's mail alone; one of a nexthop at that nexthop alone."""
    transports = merge(given_inputs).transports
    assert transports is not None
    meant = Meant(given_inputs)
    for service in transports.services:
        hosts = set(service.relay.nexthops.members)
        assert {entry.key for entry in service.logins} <= hosts
        here = {meant.entries.get(host, service.relay.login) for host in hosts}
        for entry in service.sender_logins:
            own = [login for key, login in meant.entries.items() if key == entry.key]
            own += [sender.login for sender in meant.senders.values() if sender.key == entry.key and sender.login]
            assert entry.login in own or entry.login in here


@SETTINGS
@given(given_inputs=inputs())
def test_a_service_that_ignores_senders_is_there_only_where_it_must(given_inputs: Inputs) -> None:
    """Each has a sender that goes by it, whose domain has a login there; where one login serves all hosts there is none."""
    transports = merge(given_inputs).transports
    assert transports is not None
    ignoring = [route for route in transports.senders if route.ignores_sender_logins]
    named = {route.relay for route in ignoring}
    assert {service.relay.name for service in transports.services if service.ignores_sender_logins} == named
    event(f"some: {bool(ignoring)}")
    for route in ignoring:
        service = _services(transports)[route.relay or ""]
        by_sender = {entry.key for entry in service.sender_logins}
        assert route.key not in by_sender
        assert f"@{route.key.rpartition('@')[2]}" in by_sender
        logins = {entry.login for entry in service.logins}
        assert len(logins) != 1 or len(service.logins) < len(service.relay.nexthops.members)
