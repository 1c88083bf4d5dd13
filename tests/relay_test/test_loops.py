"""A relay that is this server itself: Postfix delivers nothing there, so the test fails, and says why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed import PLAIN, SUBMISSION
from testbed.postfix import free_port

if TYPE_CHECKING:
    from tests.relay_test.scene import Scene

OWN = "myhostname = Own.test\n"
REMEDY = "write the host of your relay service"


@pytest.mark.parametrize(("port", "result"), [(25, "this server itself"), (0, "ok")])
def test_own_name(scene: Scene, port: int, result: str) -> None:
    """On port 25, one that calls itself by this server's name is refused; on other ports Postfix does not look."""
    relay = scene.testbed.relay("own.test", SUBMISSION, port)
    scene.names.records[relay.name, "A"] = [relay.host]
    scene.name("own", relay.name, relay.port)
    scene.write()
    scene.main_cf(OWN)
    found = scene.result()
    assert found["result"] == result
    if port:
        assert "calls itself own.test, which is the name of this one (myhostname)" in str(found)
        assert REMEDY in str(found)
        assert relay.attempts == ()


@pytest.mark.parametrize(
    ("host", "main_cf"),
    [
        ("127.0.0.1", ""),
        ("own-address.test", ""),
        ("own-address.test", "inet_interfaces = localhost\n"),
        ("own-address.test", "inet_interfaces = loopback-only\n"),
        ("192.0.2.7", "proxy_interfaces = 192.0.2.7\n"),
    ],
)
def test_own_address(scene: Scene, host: str, main_cf: str) -> None:
    """An address of this server is not connected to, on port 25: in the nexthop, by its name, or in front of it."""
    scene.names.records["own-address.test", "A"] = ["127.0.0.1"]
    scene.name("own", host, 25, login=False, level="encrypt")
    scene.write()
    scene.main_cf(main_cf)
    found = scene.result()
    assert found["result"] == "this server itself"
    assert "takes mail at" in str(found)


@pytest.mark.parametrize(("program", "result"), [("smtpd", "this server itself"), ("qmqpd", "refused")])
def test_own_port(scene: Scene, program: str, result: str) -> None:
    """At another port than 25 it is this server where its own smtpd(8) takes mail, and not where something else may."""
    port = free_port()
    scene.name("own", "127.0.0.1", port, login=False, level="encrypt")
    scene.write()
    services = f"{port} inet n - n - - {program}\nsmtp unix - - n - - smtp\n"
    (scene.sandbox.postfix_dir / "master.cf").write_text(services)
    assert scene.result()["result"] == result


@pytest.mark.parametrize(("first", "result"), [("relay.test", "ok"), ("own.test", "this server itself")])
def test_mail_domain(scene: Scene, first: str, result: str) -> None:
    """An MX host that comes before this server is used, as Postfix does; where this server is the first, none is."""
    relay = scene.testbed.relay("relay.test", PLAIN, 25)
    scene.names.records |= {
        ("relay.test", "A"): [relay.host],
        ("own.test", "A"): ["127.0.0.1"],
        ("domain.test", "MX"): [f"10 {first}.", f"20 {'own.test' if first == 'relay.test' else 'relay.test'}."],
    }
    scene.sandbox.write("postfix-relaymap.cf", "@a.test domain.test:25\n")
    found = json.loads(scene.run("--json", env={"RELAY_ROUTING": "maps"}).out)["results"]
    assert [item["result"] for item in found] == [result]
