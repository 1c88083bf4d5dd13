"""The step from what Helm renders to what podman plays: nothing of a pod is lost on the way without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.fleet import translate
from testbed.fleet.translate import File, UnknownError

DIRECTORY = Path("/volumes")
SECRET = "p:ass wßrd\n"


@pytest.fixture
def objects() -> list[dict[str, Any]]:
    """Return a StatefulSet and what it needs."""
    return list(yaml.safe_load_all(Path(__file__).with_name("stateful_set.yaml").read_text("utf-8")))


def play(objects: list[dict[str, Any]], number: int = 0) -> dict[str, Any]:
    """Return what podman gets for one pod."""
    return translate.pods(objects, DIRECTORY, "image")[number].document


def spec_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the template's pod, to be changed by a test."""
    found: dict[str, Any] = objects[-1]["spec"]["template"]["spec"]
    return found


def test_a_pod_for_each_replica(objects: list[dict[str, Any]]) -> None:
    """Names have an ordinal, and labels those of the template and the one that Kubernetes adds."""
    assert [pod.name for pod in translate.pods(objects, DIRECTORY, "image")] == ["web-0", "web-1"]
    document = play(objects, 1)
    labels = {"app": "web", "statefulset.kubernetes.io/pod-name": "web-1"}
    assert (document["kind"], document["metadata"]) == ("Pod", {"name": "web-1", "labels": labels})


def test_each_pod_has_its_claims(objects: list[dict[str, Any]]) -> None:
    """A claim of its own for each template, under the name that Kubernetes gives it."""
    claims = translate.claims(objects)
    assert [(claim["kind"], claim["metadata"]["name"]) for claim in claims] == [
        ("PersistentVolumeClaim", "queue-web-0"),
        ("PersistentVolumeClaim", "queue-web-1"),
    ]
    assert claims[0]["spec"]["resources"] == {"requests": {"storage": "1Gi"}}
    assert play(objects, 1)["spec"]["volumes"][0] == {
        "name": "queue",
        "persistentVolumeClaim": {"claimName": "queue-web-1"},
    }


def test_volumes_are_directories(objects: list[dict[str, Any]]) -> None:
    """What podman would lay out otherwise than kubelet is a directory of the pod's own."""
    assert {volume["name"]: volume["hostPath"] for volume in play(objects)["spec"]["volumes"][1:]} == {
        name: {"path": f"/volumes/web-0/{name}", "type": "Directory"} for name in ("config", "secret", "tmp")
    }


def test_files_of_volumes(objects: list[dict[str, Any]]) -> None:
    """Secrets are decoded; items choose, and rename; modes are the volume's or the item's."""
    config, secret, tmp = spec_of(objects)["volumes"]
    assert translate.files(config, objects) == {
        "relay.yaml": File(b"version: 1\n", 0o644),
        "relay.env": File(b"A=1\n", 0o644),
    }
    assert translate.files(secret, objects) == {"one/password": File(SECRET.encode(), 0o400)}
    assert translate.files(tmp, objects) is None
    both = {
        "sources": [{"secret": {"name": "web-secret"}}, {"configMap": {"name": "web-config"}}],
        "defaultMode": 0o440,
    }
    found = translate.files({"name": "both", "projected": both}, objects)
    assert found is not None
    assert {name: file.mode for name, file in found.items()} == dict.fromkeys(
        ("password", "other", "relay.yaml", "relay.env"), 0o440
    )


def test_variables(objects: list[dict[str, Any]]) -> None:
    """Variables come as values, with the ones before them put in; what is optional and not there is left out."""
    [container] = play(objects)["spec"]["containers"]
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "X_relay.yaml": "version: 1\n",
        "X_relay.env": "A=1\n",
        "POD": "web-0",
        "HOST": "web-0.example.test",
        "PASSWORD": SECRET,
    }
    assert container["args"] == ["web-0", "$(POD)", "$(NOT_THERE)"]


def test_what_podman_gets_of_a_container(objects: list[dict[str, Any]]) -> None:
    """Rights and mounts as they are, the image under test, and no ports, which podman would publish on the host."""
    [container] = play(objects)["spec"]["containers"]
    [rendered] = spec_of(objects)["containers"]
    for key in ("securityContext", "volumeMounts", "name"):
        assert container[key] == rendered[key]
    assert (container["image"], container["imagePullPolicy"]) == ("image", "Never")
    assert not container.keys() & {"ports", "readinessProbe", "lifecycle"}


def test_what_the_pod_is_for_the_cluster(objects: list[dict[str, Any]]) -> None:
    """Probes, preStop, the group and the grace period are there for whoever acts as kubelet."""
    pod = translate.pods(objects, DIRECTORY, "image")[0]
    assert pod.container["readinessProbe"] == {"exec": {"command": ["healthcheck", "ready"]}}
    assert (pod.fs_group, pod.spec["terminationGracePeriodSeconds"]) == (901, 90)
    assert pod.claims == {"queue": "queue-web-0"}


def test_what_is_new_is_said(objects: list[dict[str, Any]]) -> None:
    """What nobody has thought of is an error: a key of a pod or of a container, a kind of volume, a reference to nothing."""
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        (spec_of(objects), {"hostUsers": False}, "pod web-0: hostUsers"),
        (spec_of(objects)["containers"][0], {"stdin": True}, "container relay of pod web-0: stdin"),
        (spec_of(objects), {"volumes": [{"name": "x", "nfs": {}}]}, "volume x: nfs"),
        (
            spec_of(objects)["containers"][0],
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "b"}}}]},
            "there is no Secret none",
        ),
        (
            spec_of(objects)["containers"][0],
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "web-secret", "key": "b"}}}]},
            "variable A: there is no key b in web-secret",
        ),
        (
            spec_of(objects)["containers"][0],
            {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
            "variable A: {'resourceFieldRef': {'resource': 'limits.cpu'}}",
        ),
    ]
    for place, change, expected in cases:
        before = dict(place)
        place.update(change)
        with pytest.raises(UnknownError) as caught:
            play(objects)
        assert str(caught.value) == expected
        place.clear()
        place.update(before)
