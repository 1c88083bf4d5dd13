"""Two replicas without volumes: what one cannot deliver at its end goes to the other one, by the Service's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.fleet.cluster import wait_for
from testbed.fleet.fleet import Fleet
from testbed.fleet.load import Load
from testbed.fleet.verdict import verdict
from tests.fleet.conftest import ENV, LONG

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 20


@pytest.fixture
def pair(replica_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Yield a fleet of two replicas whose queues are gone with them."""
    directory = tmp_path_factory.mktemp("pair")
    values: dict[str, Any] = {"persistence": {"enabled": False}, "drain": {"timeout": LONG}}
    with Fleet(directory, replica_image, replicaCount=2, env=ENV, **values) as fleet:
        yield fleet


@pytest.mark.long
def test_the_rest_goes_to_another_replica(pair: Fleet) -> None:
    """The server refuses the login, one replica ends, and nothing is lost or comes twice once the server takes it again."""
    going, staying = pair.names
    address = pair.cluster.address(staying)
    pair.site.give_name(f"{pair.name}.default.svc.cluster.local", address)
    pair.site.take(pair.user, "another")
    load = Load(pair.cluster.address(going), 25, pair.name)
    load.run(COUNT)
    wait_for(lambda: pair.cluster.log(going).count("status=deferred") >= COUNT, "the server's refusals")
    end = pair.cluster.delete(going)
    assert (end.pre_stop, end.exit_code) == (0, 0), f"{end}"
    assert pair.site.records() == []
    pair.site.take(pair.user, pair.password)
    identities = [message.identity for message in load.messages]
    pair.site.wait_for(identities, lambda: pair.cluster.execute(staying, "postqueue", "-f"))
    found = verdict(load.messages, pair.site.records(), ())
    assert (found.accepted, found.lost, found.in_the_clear, found.unexplained) == (COUNT, [], [], [])
