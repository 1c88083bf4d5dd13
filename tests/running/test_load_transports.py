"""Reconfiguring relays with a transport of their own under load: no login at a relay that is not its own, at no moment.

Four relays, which demand TLS and a login (530 without, so that a message which comes without would bounce). Each login is
called after the only relay that it is for. From one configuration to the other, relay x and relay y change their hosts, and
senders with a login of their own change their relay as well as that login, or stay at the relay that changes its hosts: what
crosses where logins are keyed by sender.
"""

from pathlib import Path

import pytest

from testbed import Inputs, Postfix, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from tests.running.load import SLOW, check, run_load
from tests.support.amounts import Figures

_RELAY = """\
  {name}:
    host: {host}
    port: {port}
    login: {{username: {name}-{relay}, password: pw}}
    tls: {{level: encrypt}}
"""


@pytest.fixture
def postfix(testbed: Testbed) -> Postfix:
    """Return a running Postfix and the relays a to d."""
    for name in "abcd":
        testbed.relay(name, SLOW)
    return testbed.postfix({"smtp_tls_security_level": "may"})


def _relay_yaml(testbed: Testbed, hosts: dict[str, str], text: str) -> str:
    relays = "".join(
        _RELAY.format(name=name, relay=relay, host=testbed.relays[relay].host, port=testbed.relays[relay].port)
        for name, relay in hosts.items()
    )
    return f"version: 1\nrelays:\n{relays}{text}"


def _own(domain: str, relay: str, host: str) -> str:
    return f"  {domain}: {{relay: {relay}, login: {{username: own-{host}, password: pw}}}}\n"


def _one(testbed: Testbed) -> str:
    senders = (
        _own("managed.test", "x", "a")
        + _own("mapped.test", "y", "c")
        + _own("elsewhere.test", "x", "a")
        + "  vip@box.test: y\n"
    )
    return _relay_yaml(testbed, {"x": "a", "y": "c"}, f"default: x\nsenders:\n{senders}")


def _two(testbed: Testbed) -> str:
    senders = "".join(
        _own(*one) for one in (("managed.test", "y", "d"), ("mapped.test", "x", "b"), ("vip@box.test", "x", "b"))
    )
    senders += _own("elsewhere.test", "x", "b")
    return _relay_yaml(testbed, {"x": "b", "y": "d"}, f"default: y\nsenders:\n{senders}")


@pytest.mark.long
@pytest.mark.soak
def test_no_login_crosses(testbed: Testbed, postfix: Postfix, tmp_path: Path, figures: Figures) -> None:
    """Every message arrives exactly once, none without TLS, and no relay is ever offered the login of another."""
    one, two = Inputs(tmp_path / "one"), Inputs(tmp_path / "two")
    one.write("relay.yaml", _one(testbed))
    two.write("relay.yaml", _two(testbed))
    outcome = run_load(testbed, postfix, one, two)
    check(outcome, figures)
    assert outcome.crossings == []


@pytest.mark.long
@pytest.mark.soak
def test_from_maps_to_transports_and_back(testbed: Testbed, postfix: Postfix, tmp_path: Path, figures: Figures) -> None:
    """The way of routing changes while mail passes: every message arrives exactly once, and no login by nexthop crosses."""
    (postfix.config / "vhost").write_text("managed.test\n")
    b, d = testbed.relays["b"], testbed.relays["d"]
    maps, transports = Inputs(tmp_path / "maps", DEFAULT_RELAY_HOST=b.nexthop), Inputs(tmp_path / "transports")
    maps.write(RELAYMAP, f"@mapped.test {d.nexthop}\n@managed.test {d.nexthop}\n")
    maps.write(LOGINS, f"{b.nexthop} user-b:pw\n{d.nexthop} user-d:pw\n")
    transports.write("relay.yaml", _one(testbed))
    outcome = run_load(testbed, postfix, maps, transports)
    check(outcome, figures)
    assert outcome.crossings == []
