"""The pod: its rights, what is mounted where, when it counts as well, and how it ends."""

from __future__ import annotations

import pytest
import yaml

from tests.charts.helm import ROOT, container, pod, render, variables
from tests.charts.matrix import MATRIX, NO_VOLUME, ONE_RELAY
from tests.image.test_hardened import MOUNTED

#: The mode of what only root may read, as Kubernetes' objects have it in JSON.
SECRET_MODE = 0o400
SERVICE = "mail-dms-relay.post.svc.cluster.local"


def test_as_in_compose() -> None:
    """The same capabilities, and the same directories that can be written, as compose.yaml has."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["relay"]
    objects = render()
    assert container(objects)["securityContext"]["capabilities"]["add"] == service["cap_add"]
    writable = {mount["mountPath"] for mount in container(objects)["volumeMounts"] if not mount.get("readOnly")}
    volumes = {place for volume in service["volumes"] if (place := volume.split(":")[1]) != "/tmp/docker-mailserver"}  # noqa: S108
    assert writable == {*service["tmpfs"], *volumes}


def test_what_can_be_written_is_in_memory() -> None:
    """Postfix's configuration has logins, so it gets on no disk; the queue without a volume does, for its size."""
    volumes = {volume["name"]: volume.get("emptyDir") for volume in pod(render(NO_VOLUME))["volumes"]}
    for place in MOUNTED:
        assert volumes[place.strip("/").replace("/", "-")] == {"medium": "Memory", "sizeLimit": "64Mi"}
    assert volumes["queue"] == {}


def test_secrets() -> None:
    """A Secret is a directory below /run/secrets, and its files are for root alone."""
    objects = render(MATRIX["two Secrets"])
    places = {mount["name"]: mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    secrets = {places[v["name"]]: v["secret"] for v in pod(objects)["volumes"] if "secret" in v}
    options = {"defaultMode": SECRET_MODE, "optional": False}
    assert secrets == {
        "/run/secrets/dms-relay": {"secretName": "one", **options},
        "/run/secrets/two.example": {"secretName": "two.example", **options},
        "/run/secrets/three": {"secretName": "three", **options},
    }


def test_logins_of_a_file() -> None:
    """postfix-sasl-password.cf comes from a Secret into the configuration directory, for root alone."""
    [config] = [volume for volume in pod(render(MATRIX["logins of a file"]))["volumes"] if volume["name"] == "config"]
    ours, theirs = config["projected"]["sources"]
    assert ours == {"configMap": {"name": "mail-dms-relay", "optional": False}}
    item = {"key": "k", "path": "postfix-sasl-password.cf", "mode": SECRET_MODE}
    assert theirs == {"secret": {"name": "sasl", "optional": False, "items": [item]}}


def test_variables() -> None:
    """Who may send, the keeper, metrics; then those of the operator, where numbers and booleans are what was written."""
    found = variables(render(MATRIX["variables"]))
    assert found == {
        "RELAY_PERMIT": "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fd00::/8",
        "RELAY_WATCH": "yes",
        "RELAY_METRICS": ":9154",
        "POSTFIX_MYHOSTNAME": "mail.example.com",
        "BIG": "10000000",
        "DEFAULT_RELAY_HOST": "[smtp.example.com]:777",
        "RELAY_HOST": "a.example",
        "RELAY_PORT": "26",
        "YES": "true",
    }
    assert "RELAY_METRICS" not in variables(render(MATRIX["off"]))


def test_probes() -> None:
    """Whether it takes mail decides over its start and its place in the Service; whether it lives, over a restart alone."""
    found = container(render({"probes": {"readiness": {"periodSeconds": 7}}}))
    words = {name: found[f"{name}Probe"]["exec"]["command"] for name in ("startup", "readiness", "liveness")}
    ready, live = ["healthcheck", "ready"], ["healthcheck", "live"]
    assert words == {"startup": ready, "readiness": ready, "liveness": live}
    assert found["readinessProbe"]["periodSeconds"] == 7
    assert found["readinessProbe"]["timeoutSeconds"] == 5


#: Values, whether what is left is handed over, the seconds of the drain, and those until the pod is killed.
ENDS = {
    "a volume": ({}, False, 60, 90),
    "no volume": (NO_VOLUME, True, 60, 90),
    "a long drain": ({"drain": {"timeout": 3600}}, False, 3600, 3630),
    "a grace period": ({"drain": {"timeout": 10}, "terminationGracePeriodSeconds": 30}, False, 10, 30),
    "both": ({"drain": {"handOver": True}}, True, 60, 90),
    "scaled": ({"autoscaling": {"enabled": True}}, True, 60, 90),
    "never": (
        {**NO_VOLUME, "persistence": {"enabled": False, "acceptLoss": True}, "drain": {"handOver": False}},
        False,
        60,
        90,
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_end(end: str) -> None:
    """A pod that is told to go drains first, and is not killed meanwhile; without a volume the rest goes to another one."""
    values, hands_over, seconds, grace = ENDS[end]
    objects = render(values)
    command = container(objects)["lifecycle"]["preStop"]["exec"]["command"]
    target = ["--hand-over", f"{SERVICE}:25"] if hands_over else []
    assert command == ["dms-relay", "drain", "--timeout", str(seconds), *target]
    assert pod(objects)["terminationGracePeriodSeconds"] == grace > seconds


def test_the_rest_goes_to_the_service() -> None:
    """What is handed over goes to the Service's own port, by its full name, which needs no search domain."""
    values = {**NO_VOLUME, "service": {"port": 2525}, "clusterDomain": "example.internal"}
    assert container(render(values))["lifecycle"]["preStop"]["exec"]["command"][-1] == (
        "mail-dms-relay.post.svc.example.internal:2525"
    )


def test_one_relay_is_all_it_takes() -> None:
    """A relay.yaml and a Secret change nothing in the pod but the Secret's mount."""
    before, after = container(render()), container(render(ONE_RELAY))
    more = [mount for mount in after["volumeMounts"] if mount not in before["volumeMounts"]]
    assert [mount["mountPath"] for mount in more] == ["/run/secrets", "/run/secrets/dms-relay"]
    assert after["env"] == before["env"]
