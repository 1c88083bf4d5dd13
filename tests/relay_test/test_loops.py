"""A relay that is this server itself: Postfix delivers nothing there, so the test fails, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import SUBMISSION

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
    [("127.0.0.1", ""), ("own-address.test", ""), ("192.0.2.7", "proxy_interfaces = 192.0.2.7\n")],
)
def test_own_address(scene: Scene, host: str, main_cf: str) -> None:
    """An address of this server is not connected to, on port 25: in the nexthop, by its name, or in front of it."""
    scene.names.records["own-address.test", "A"] = ["127.0.0.1"]
    scene.name("own", host, 25, login=False, level="encrypt")
    scene.write()
    scene.main_cf(main_cf)
    found = scene.result()
    assert found["result"] == "this server itself"
    assert "is an address of this server" in str(found)
