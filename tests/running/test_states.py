"""What becomes of a message in each state of its relay and of the DNS: it waits, or it is returned; in both routings.

No state makes a message come back for a reason that lies with this machine or the network.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dms_relay.postfix.nexthop import host_of
from testbed import PATIENCE, Inputs, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.layout import write_old
from testbed.listener import Listener
from testbed.postfix import free_port
from testbed.testbed import loopback_address
from tests.running.state_servers import serve
from tests.running.states import ARRIVES, COMES_BACK, OWN_NAME, STATES, WAITS, State
from tests.support.amounts import step
from tests.support.name_server import NameServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed import Postfix

_ATTEMPT = re.compile(r": to=<([\w-]+)@elsewhere\.test>, .*?status=(\w+) \((.*)\)$", re.MULTILINE)
SETTINGS = {
    **dict.fromkeys(("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay"), "1h"),
    **dict.fromkeys(("smtp_connect_timeout", "smtp_helo_timeout"), "2s"),
    "smtp_dns_support_level": "enabled",
    "smtp_host_lookup": "dns",
    "smtp_skip_5xx_greeting": "yes",
}
RESOLVER = "nameserver {}\noptions timeout:1 attempts:1\n"
PAGE = Path(__file__).parents[2] / "docs" / "delivery.md"
DIRECT = "direct"
WORDS = {ARRIVES: "arrives", WAITS: "waits", COMES_BACK: "**returned**"}
TEST = ("test", "--timeout", "4", "--send-to", "bob@elsewhere.test", "--send-from", "anna@d1.test")
OTHER_REMEDIES = {
    **dict.fromkeys(("greeting-354", "greeting-http"), "test reads what answers, Postfix writes no more than that"),
    **dict.fromkeys(
        ("421-ehlo", "421-ehlo-in-tls", "421-helo", "ehlo-450", "lost-helo"),
        "Postfix does not tell EHLO from the greeting",
    ),
    "rcpt-450": "here the recipient is real, in a test it is whoever is named",
    **dict.fromkeys(("mail-530", "rcpt-530"), "these take a login and want one all the same, as no real server does"),
}
"""States in which `queue` has another remedy than `test`, and why that is right."""
Seen = dict[str, tuple[str, str]]
"""Status and reason by state."""


class Scene:
    """Servers, names, and a Postfix for each way of routing."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        """Start servers and names."""
        self.testbed = stack.enter_context(Testbed())
        self.instances: dict[str, tuple[Postfix, Inputs]] = {}
        self.directory = directory
        self.nexthops = {state.name: self._nexthop(state, stack) for state in STATES}
        self.resolver = loopback_address()
        stack.enter_context(NameServer(dict(_records()), (self.resolver, 53)))

    def _nexthop(self, state: State, stack: ExitStack) -> str:
        if state.is_by_name:
            return f"{state.name}.test:{state.port}".removesuffix(":0") if state.is_mail_domain else _host(state)
        if not state.is_listening or state.address:
            return f"[{state.address or loopback_address()}]:{free_port()}"
        tls = self.testbed.authority.server("relay.test").context
        server = Listener(serve(state.answers, tls), loopback_address(), state.port)
        return stack.enter_context(server).nexthop

    def postfix(self, **settings: str) -> Postfix:
        """Start an instance that asks the name server of this scene."""
        postfix = self.testbed.postfix(SETTINGS | settings)
        write_old(postfix.layout.names / "resolv.conf", RESOLVER.format(self.resolver))
        return postfix

    def inputs(self, name: str, routing: str, *, has_routes: bool) -> Inputs:
        """Return what an operator writes to send each state's sender to its relay, with a login."""
        inputs = Inputs(self.directory / name, RELAY_ROUTING=routing)
        routes = (f"@{name}.test {nexthop}\n" for name, nexthop in self.nexthops.items())
        logins = (f"{nexthop} me:secret\n" for nexthop in self.nexthops.values())
        inputs.write(RELAYMAP, "".join(routes) if has_routes else None)
        inputs.write(LOGINS, "".join(logins))
        return inputs

    def recipe(self) -> str:
        """Return the filter of the documentation, for the relays of all states."""
        (text,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
        hosts = dict.fromkeys(re.escape(host_of(nexthop)) for nexthop in self.nexthops.values())
        return "".join(text.replace(r"smtp\.example\.com", host) for host in hosts)


def _host(state: State) -> str:
    return f"[{state.name}.test]:{state.port or 587}"


def _records() -> Iterator[tuple[tuple[str, str], list[str]]]:
    yield (OWN_NAME, "A"), ["127.0.0.1"]
    for state in STATES:
        for record in filter(None, state.records):
            kind, _, value = record.partition(" ")
            yield (f"{state.name}.test", kind), [value]


def _send(postfix: Postfix, names: list[str]) -> None:
    for name in names:
        postfix.send(f"anna@{name}.test", [f"{name}@elsewhere.test"], name)


def _wait(postfix: Postfix, names: set[str]) -> Seen:
    end = time.monotonic() + PATIENCE
    while True:
        seen = {name: (status, says) for name, status, says in _ATTEMPT.findall(postfix.log())}
        if names <= seen.keys():
            return seen
        assert time.monotonic() < end, f"not tried after {PATIENCE} s: {sorted(names - seen.keys())}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Yield the servers of all states."""
    with ExitStack() as stack:
        yield Scene(stack, tmp_path_factory.mktemp("states"))


def _by_sender(scene: Scene, name: str, routing: str, *more: str, **settings: str) -> Seen:
    postfix, inputs = scene.postfix(**settings), scene.inputs(name, routing, has_routes=True)
    inputs.apply(postfix)
    scene.instances[name] = postfix, inputs
    names = {state.name for state in STATES}
    _send(postfix, sorted(names))
    for recipient in more:
        postfix.send("anna@nobody.test", [recipient], "direct")
    return _wait(postfix, names.union(recipient.partition("@")[0] for recipient in more))


@pytest.fixture(scope="module")
def transports(scene: Scene) -> Seen:
    """Return what became of a message in each state, each relay with a transport of its own."""
    return _by_sender(scene, "transports", "transports")


@pytest.fixture(scope="module")
def by_sender(scene: Scene) -> Seen:
    """Return the same with `RELAY_ROUTING=maps`, and routes by sender."""
    return _by_sender(scene, "maps", "maps")


@pytest.fixture(scope="module")
def by_default(scene: Scene) -> Seen:
    """Return the same with DEFAULT_RELAY_HOST, which is another setting for each state.

    In `make test` the states are tried in which a message by sender comes back and waits here, and some of those in which it
    comes back by either route, since the relay refuses it; in the others it waits by any route.
    """
    other = tuple(state for state in STATES if state.maps == (COMES_BACK, WAITS))
    refused = tuple(state for state in STATES if state.maps == (COMES_BACK, COMES_BACK))
    tried = STATES[:: step(len(STATES))] + other + refused[:: step(4)]
    postfix = scene.postfix()
    inputs = scene.inputs("default", "maps", has_routes=False)
    seen: Seen = {}
    for name in dict.fromkeys(state.name for state in tried):
        inputs.settings["DEFAULT_RELAY_HOST"] = scene.nexthops[name]
        inputs.apply(postfix)
        _send(postfix, [name])
        seen |= _wait(postfix, {name})
    return seen


@pytest.fixture(scope="module")
def filtered(scene: Scene) -> Seen:
    """Return the same with routes by sender and the filter of the documentation; also of a message that goes directly."""
    path = scene.directory / "delivery-status"
    write_old(path, scene.recipe())
    return _by_sender(
        scene, "filtered", "maps", f"{DIRECT}@elsewhere.test", smtp_delivery_status_filter=f"regexp:{path}"
    )


def _wrong(seen: Seen, outcomes: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return what became otherwise than it should, and what Postfix said."""
    return {name: seen[name] for name, outcome in outcomes.items() if seen[name][0] != outcome}


@pytest.mark.long
def test_transports(transports: Seen) -> None:
    """With `transports` a message waits, unless its relay has refused this very message."""
    assert _wrong(transports, {state.name: state.transports for state in STATES}) == {}


@pytest.mark.long
def test_queue_says_what_test_says(scene: Scene, transports: Seen) -> None:
    """The remedy of `queue` is that of `test` for the same state, or leads there; no reason of any state is unknown.

    States of the DNS are left out: `test` asks this machine's own.
    """
    postfix, inputs = scene.instances["transports"]
    waiting = {group["relay"]: group["reasons"] for group in _json(postfix, inputs, "queue")["relays"]}
    assert sum(map(len, waiting.values())) == sum(status == WAITS for status, _ in transports.values())
    assert "another reason" not in {reason["what"] for reasons in waiting.values() for reason in reasons}
    names = {nexthop: name for name, nexthop in scene.nexthops.items() if nexthop[1].isdigit()}
    differ = {
        names[result["nexthop"]]
        for result in _json(postfix, inputs, *TEST)["results"]
        if result["nexthop"] in names
        for reason in waiting.get(result["relay"], ())
        if not _leads_to(reason["remedy"], result)
    }
    assert differ == OTHER_REMEDIES.keys()


def _leads_to(remedy: str, result: dict[str, Any]) -> bool:
    return remedy.startswith((f"run dms-relay test {result['relay']}: ", result["failure"]["remedy"]))


def _json(postfix: Postfix, inputs: Inputs, *command: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(inputs.run(postfix, *command, "--json").stdout)
    return document


@pytest.mark.long
def test_maps_by_sender(by_sender: Seen) -> None:
    """With `maps`, a message that a route of its sender takes there waits or comes back as the table says."""
    assert _wrong(by_sender, {state.name: state.maps[0] for state in STATES}) == {}


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 2])
def test_several_hosts(scene: Scene, count: int) -> None:
    """With `transports`, where none of a relay's hosts can be found, its mail waits; nothing is left to do."""
    hosts = [scene.nexthops[name] for name in ("no-such-name", "no-address")][:count]
    postfix, inputs = scene.postfix(), scene.inputs(f"hosts{count}", "transports", has_routes=False)
    inputs.settings["DEFAULT_RELAY_HOST"] = ", ".join(hosts)
    inputs.apply(postfix)
    _send(postfix, ["any"])
    assert _wait(postfix, {"any"})["any"][0] == WAITS
    assert inputs.run(postfix, "plan", "--exit-code").returncode == 0


@pytest.mark.long
@pytest.mark.soak
def test_maps_by_default(by_default: Seen) -> None:
    """With `maps`, a message that DEFAULT_RELAY_HOST takes there waits or comes back as the table says."""
    assert _wrong(by_default, {state.name: state.maps[1] for state in STATES if state.name in by_default}) == {}


@pytest.mark.long
def test_filter_of_the_documentation(filtered: Seen) -> None:
    """With the filter of the documentation, `maps` does as `transports`, for relays in brackets."""
    assert _wrong(filtered, {s.name: s.transports for s in STATES if not s.is_mail_domain}) == {}


@pytest.mark.long
def test_filter_leaves_direct_mail_alone(filtered: Seen) -> None:
    """A message that goes directly to a domain that is not there comes back at once, as ever."""
    status, says = filtered[DIRECT]
    assert status == COMES_BACK, says


def test_page() -> None:
    """The documentation has every state, in the order of the table, with what becomes of a message."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert [row for row in rows if row in {*map(_row, STATES)}] == [_row(state) for state in STATES]


def _row(state: State) -> str:
    words = (WORDS[status] for status in (*state.maps, state.transports))
    return f"| {state.about} | {' | '.join(words)} |"
