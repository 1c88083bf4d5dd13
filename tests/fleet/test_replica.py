"""One replica, as the chart has it: its rights, inputs that change while it runs, and what becomes of mail at its end."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from testbed.fleet.cluster import wait_for
from testbed.fleet.fleet import relay_yaml
from testbed.fleet.load import Load

if TYPE_CHECKING:
    from testbed.fleet.fleet import Fleet

#: Each takes seconds of both processors.
pytestmark = pytest.mark.one_in(2)
#: What the capabilities CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID and NET_BIND_SERVICE are, as bits (capability.h).
SIX = (1 << 0) | (1 << 1) | (1 << 3) | (1 << 6) | (1 << 7) | (1 << 10)
#: What nobody can have written by mistake in a relay.yaml.
WRONG = "version: 1\nrelays: [none]\n"
_numbers = itertools.count()


def send(fleet: Fleet, count: int = 1) -> list[str]:
    """Hand messages in; return their X-Ids, once all are accepted."""
    [name] = fleet.names
    load = Load(fleet.cluster.address(name), 25, f"{fleet.name}-{next(_numbers)}")
    return [message.identity for message in load.run(count)]


def deliver(fleet: Fleet, count: int = 1) -> list[dict[str, Any]]:
    """Hand messages in; return how they arrived."""
    [name] = fleet.names
    identities = set(send(fleet, count))
    fleet.site.wait_for(identities, lambda: fleet.cluster.execute(name, "postqueue", "-f"))
    return [record for record in fleet.site.records() if record["id"] in identities]


def logins(records: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return the logins with which messages arrived."""
    return {(record["user"], record["password"]) for record in records}


def state(fleet: Fleet) -> dict[str, str]:
    """Return what a restart of the pod or of Postfix would change."""
    [name] = fleet.names
    return {
        "container": fleet.cluster.started_at(name),
        "master": fleet.cluster.execute(name, "stat", "-c", "%Y", "/var/spool/postfix/pid/master.pid"),
    }


def wait_for_log(fleet: Fleet, text: str, before: int = 0) -> None:
    """Wait until the replica has said something more often than before."""
    [name] = fleet.names
    wait_for(lambda: fleet.cluster.log(name).count(text) > before, f"{text!r} in the log of {name}")


def count_in_log(fleet: Fleet, text: str) -> int:
    """Return how often the replica has said something."""
    [name] = fleet.names
    return fleet.cluster.log(name).count(text)


def test_few_rights(replica: Fleet) -> None:
    """Six capabilities and no way to more, a root file system that is read-only, and a start without a complaint."""
    [name] = replica.names
    status = replica.cluster.execute(name, "cat", "/proc/1/status")
    found = dict(line.split(":\t") for line in status.splitlines() if line.startswith(("Cap", "NoNew")))
    assert {int(found[key], 16) for key in ("CapPrm", "CapEff", "CapBnd")} == {SIX}
    assert found["NoNewPrivs"] == "1"
    root = next(
        line for line in replica.cluster.execute(name, "cat", "/proc/mounts").splitlines() if line.split()[1] == "/"
    )
    assert "ro" in root.split()[3].split(",")
    assert replica.cluster.probe(name, "livenessProbe")
    assert [line for line in replica.cluster.log(name).splitlines() if "warning" in line or "error" in line] == []


def test_relays_over_tls_with_the_login(replica: Fleet) -> None:
    """What is handed in arrives once, over TLS, with the Secret's login."""
    records = deliver(replica, 5)
    assert len(records) == 5
    assert logins(records) == {(replica.user, replica.password)}
    assert all(record["tls"] for record in records)


def test_a_changed_secret_is_in_force(replica: Fleet) -> None:
    """A new password in the Secret counts within seconds of kubelet's swap, and nothing is started again."""
    before, applied = state(replica), count_in_log(replica, "inputs have changed")
    replica.change(password="second")
    replica.site.take(replica.user, "second")
    wait_for_log(replica, "inputs have changed", applied)
    assert logins(deliver(replica, 3)) == {(replica.user, "second")}
    assert state(replica) == before


def test_a_changed_config_map_is_in_force(replica: Fleet) -> None:
    """So does a new relay.yaml in the ConfigMap."""
    before, applied = state(replica), count_in_log(replica, "inputs have changed")
    replica.change(user="other")
    replica.site.take("other", replica.password)
    wait_for_log(replica, "inputs have changed", applied)
    assert logins(deliver(replica, 3)) == {("other", replica.password)}
    assert state(replica) == before


def test_a_wrong_config_map_stops_nothing(replica: Fleet) -> None:
    """With a wrong relay.yaml a replica goes on as before: no probe fails, mail goes out, and the log says what is wrong."""
    [name] = replica.names
    before, applied = state(replica), count_in_log(replica, "relay.yaml:2")
    replica.change(relayYaml=WRONG)
    wait_for_log(replica, "relay.yaml:2", applied)
    assert replica.cluster.probe(name, "readinessProbe")
    assert replica.cluster.probe(name, "livenessProbe")
    assert logins(deliver(replica, 3)) == {(replica.user, replica.password)}
    replica.change(relayYaml=relay_yaml(replica.user))
    assert state(replica) == before


def test_a_drained_replica_has_nothing_left(replica: Fleet) -> None:
    """A replica that is deleted delivers what it has first, however slow the server is, and ends with exit code 0."""
    [name] = replica.names
    with replica.site.stalled():
        identities = send(replica, 20)
        assert replica.waiting(name) == 20
        deletion = replica.cluster.begin_to_delete(name)
    end = deletion.result()
    assert (end.pre_stop, end.exit_code) == (0, 0), f"{end}"
    arrived = [record["id"] for record in replica.site.records()]
    assert [arrived.count(identity) for identity in identities] == [1] * 20
    assert replica.waiting(name) == 0
    replica.start(name)


@pytest.mark.long
def test_what_cannot_be_delivered_stays_on_the_volume(replica: Fleet) -> None:
    """Where the server refuses the login, preStop says what remains and why, and the next pod on the volume delivers it."""
    [name] = replica.names
    replica.site.take(replica.user, "another")
    identities = send(replica, 3)
    wait_for(lambda: count_in_log(replica, "status=deferred") >= 3, "the server's refusals")
    end = replica.cluster.delete(name)
    assert (end.pre_stop, end.exit_code) == (1, 0), f"{end}"
    assert "main" in end.said
    assert replica.waiting(name) == 3
    replica.site.take(replica.user, replica.password)
    replica.start(name)
    replica.site.wait_for(identities, lambda: replica.cluster.execute(name, "postqueue", "-f"))
    arrived = [record["id"] for record in replica.site.records()]
    assert [arrived.count(identity) for identity in identities] == [1] * 3
