"""With a transport for each relay, every sender is offered the login that the inputs mean for it, whatever the inputs are.

What is meant follows from the inputs one sender at a time; what Postfix finds follows from what ``merge`` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dms_relay.merge import merge
from dms_relay.model import TRANSPORTS, Domain, Login, LoginEntry, NexthopList, Origin, Relaymap, Route
from dms_relay.model.configuration import Inputs
from dms_relay.model.relays import Recipient, Relay, RelayFile, Sender, Tls
from tests.support.amounts import amount

if TYPE_CHECKING:
    from dms_relay.model.relays import RelayService, Transports

NAMES = ("one", "two", "three")
HOSTS = {"one": ("[one.test]:587",), "two": ("[two.test]:587",), "three": ("[x.test]:587", "[y.test]:587")}
LISTS = {name: NexthopList(", ".join(hosts), hosts) for name, hosts in HOSTS.items()}
KEYS = ("@a.test", "boss@a.test", "boss+x@a.test", "@b.test", "user@b.test", "@c.test", "user@c.test", "user+y@c.test")
HOST_KEYS = tuple(host for hosts in HOSTS.values() for host in hosts)
SETTINGS = settings(deadline=None, max_examples=amount(50, 1000), suppress_health_check=[HealthCheck.too_slow])
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
        if is_here and key in self.cf and (above := self._above(key, name)) in self.entries:
            return self.entries[above]
        return self.at_relay(name, host)

    def at_relay(self, name: str, host: str) -> Login | None:
        """Return the relay's own login at one of its hosts."""
        relay = next(relay for relay in self.file.relays if relay.name == name)
        return self.entries.get(host, relay.login)

    def has_one_login(self, name: str) -> bool:
        """Return True if the relay's own login is there, and the same at each of its hosts."""
        found = {self.at_relay(name, host) for host in HOSTS[name]}
        return len(found) == 1 and None not in found

    def _above(self, key: str, name: str) -> str:
        """Return the first key above that has a login at a relay, as Postfix looks them up; empty where none has."""
        return next((k for k in chain(key)[1:] if self._relay_of(k) == name and self._has_login(k, name)), "")

    def _has_login(self, key: str, name: str) -> bool:
        sender = self.senders.get(key)
        return key in self.entries or bool(sender and sender.login and sender.relay == name)

    def _relay_of(self, key: str) -> str | None:
        named = next((k for k in chain(key) if k in self.cf or k in self.senders), None)
        return self.relay(named) if named else self.file.default[0] if self.file.default else None


def chain(key: str, delimiter: str = "+") -> tuple[str, ...]:
    """Return the keys by which Postfix looks a sender up, or a sender key (mail_addr_find.c)."""
    local, _, domain = key.rpartition("@")
    return tuple(dict.fromkeys((key, f"{local.partition(delimiter)[0]}@{domain}", f"@{domain}")))


def _offered(service: RelayService, key: str, host: str, *, ignores_sender_logins: bool = False) -> Login | None:
    """Return the login that Postfix finds for a sender at a host of a service (smtp_sasl_glue.c)."""
    entries = {entry.key: entry.login for entry in service.logins}
    if not ignores_sender_logins:
        entries |= {entry.key: entry.login for entry in service.sender_logins}
    keys = () if ignores_sender_logins else chain(key)
    return next((entries[key] for key in (*keys, host) if key in entries), None)


def _services(transports: Transports) -> dict[str, RelayService]:
    return {service.relay.name: service for service in transports.services}


@pytest.mark.soak
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
        if route.relay is None:
            continue
        is_apart = route.ignores_sender_logins
        event(f"ignores sender logins: {is_apart}")
        for host in services[route.relay].relay.nexthops.members:
            offered = _offered(services[route.relay], route.key, host, ignores_sender_logins=is_apart)
            assert offered == meant.login(route.key, route.relay, host)


@pytest.mark.soak
@SETTINGS
@given(given_inputs=inputs())
def test_a_recipients_relay_gets_its_own_login(given_inputs: Inputs) -> None:
    """Where a recipient leads a sender to a relay that is not the sender's, that relay's login is used.

    Not where the relay has none, or one for each of several hosts: no entry can say so (docs/relay-yaml.md).
    """
    transports = merge(given_inputs).transports
    assert transports is not None
    meant, services = Meant(given_inputs), _services(transports)
    for name in {recipient.relay for recipient in transports.recipients if recipient.relay}:
        for route in transports.senders:
            if route.key.startswith("@") or (route.relay != name and not meant.has_one_login(name)):
                continue
            event(f"the sender's own relay: {route.relay == name}, with an extension: {'+' in route.key}")
            for host in HOSTS[name]:
                offered = _offered(services[name], route.key, host)
                if offered != meant.login(route.key, name, host):
                    assert route.ignores_sender_logins


@pytest.mark.parametrize("delimiter", ["+", "-", "="])
@pytest.mark.parametrize("login_of", ["u@a.test", "@a.test"])
@pytest.mark.parametrize("relay", [None, "two", "one"])
def test_a_sender_with_an_extension(relay: str | None, login_of: str, delimiter: str) -> None:
    """It gets the relay's login, whatever main.cf has as recipient_delimiter, and not that of the address without it."""
    place = Origin("relay.yaml", 1)
    relays = tuple(
        Relay(name, LISTS[name], Tls(level="encrypt"), place, Login(name, "p"), place) for name in ("one", "two")
    )
    extended = f"u{delimiter}x@a.test"
    senders = (Sender(login_of, "one", place, Login("own", "p"), place), Sender(extended, relay, place))
    file = RelayFile(relays, None, senders, (Recipient("to.test", "one", place),))
    transports = merge(Inputs(routing=TRANSPORTS, file=file)).transports
    assert transports is not None
    entries = {entry.key: entry.login for entry in _services(transports)["one"].sender_logins}
    found = next(entries[key] for key in chain(extended, delimiter) if key in entries)
    assert found == Login("one", "p")


@pytest.mark.soak
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
            own = [login for key, login in meant.entries.items() if key in chain(entry.key)]
            own += [sender.login for sender in meant.senders.values() if sender.key == entry.key and sender.login]
            assert entry.login in own or entry.login in here


@pytest.mark.soak
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
        assert by_sender.intersection(chain(route.key))
        logins = {entry.login for entry in service.logins}
        assert len(logins) != 1 or len(service.logins) < len(service.relay.nexthops.members)
