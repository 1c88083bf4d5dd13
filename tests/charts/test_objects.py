"""The objects: what each is for, and what does not change them."""

from __future__ import annotations

from typing import Any

from tests.charts.helm import NAME, container, one, pod, render, templates
from tests.charts.kubernetes import require_right
from tests.charts.matrix import FILLED, MATRIX, NO_VOLUME, ONE_RELAY, WHERE


def test_names_that_yaml_takes_for_something_else() -> None:
    """Names that are numbers and booleans to YAML stay names."""
    names = ["--namespace", "123", "--name-template", "off"]
    objects = render(
        {**MATRIX["monitored"], "fullnameOverride": "yes", "existingSecret": "1e3", "priorityClassName": "on"}, *names
    )
    require_right(objects)
    assert one(objects, "ServiceMonitor", "yes")["spec"]["namespaceSelector"] == {"matchNames": ["123"]}
    assert one(objects, "StatefulSet", "yes")["metadata"]["labels"]["app.kubernetes.io/instance"] == "off"


def test_kinds() -> None:
    """By default there is all that is on by default, and nothing else."""
    kinds = sorted(found["kind"] for found in render())
    assert kinds == [
        "ConfigMap",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    ]
    off = sorted(found["kind"] for found in render(MATRIX["off"]))
    assert off == ["ConfigMap", "Service", "Service", "StatefulSet"]


def test_a_change_of_inputs_restarts_no_pod() -> None:
    """The StatefulSet is the same to the letter, whatever the files say: a first relay.yaml, another one, more files."""
    before = one(render(), "StatefulSet")
    for files in ({"relayYaml": "version: 1\n"}, {"postfixMainCf": "a = b\n"}, {"postfixRelaymapCf": "@a b\n"}):
        objects = render(files)
        assert one(objects, "StatefulSet") == before
        assert one(objects, "ConfigMap")["data"]
    assert "checksum" not in str(before)


def test_another_version_of_the_chart_restarts_no_pod() -> None:
    """Only labels that stay are in the pod and in the claims, which cannot be changed later."""
    spec = one(render(), "StatefulSet")["spec"]
    places = [spec["template"], *spec["volumeClaimTemplates"]]
    for place in places:
        assert set(place["metadata"]["labels"]) == set(spec["selector"]["matchLabels"])


def test_long_names() -> None:
    """Names are cut so that Kubernetes' own labels, which add to them, have room (63 characters)."""
    objects = render({"fullnameOverride": "a" * 63})
    assert {len(found["metadata"]["name"]) for found in objects} <= {52, 61}
    assert one(objects, "StatefulSet", "a" * 52)["spec"]["serviceName"] == "a" * 52 + "-headless"


def test_what_an_operator_adds_is_filled_in() -> None:
    """Templates in what is added are filled in; an object can be a text, too."""
    objects = render(FILLED)
    environment = container(objects)["env"]
    assert {"name": "A", "value": "mail"} in environment
    assert container(objects)["envFrom"] == [{"secretRef": {"name": "mail-more"}}]
    assert pod(objects)["volumes"][-1]["configMap"]["name"] == "mail-hooks"
    assert one(objects, "ConfigMap", "mail-hooks")["data"] == {"40-mine": "#!/bin/sh\n"}
    assert one(objects, "Secret", "mail-more")["stringData"] == {"C": "c"}
    template = one(objects, "StatefulSet")["spec"]["template"]["metadata"]
    assert template["annotations"] == {"of": "mail"}
    assert template["labels"].items() >= {"team": "mail", "part-of": "post"}.items()
    rules = one(objects, "NetworkPolicy")["spec"]
    assert rules["ingress"][-1] == {"from": [{"podSelector": {"matchLabels": {"of": "mail"}}}]}
    assert rules["egress"][-1] == {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}


def test_where_pods_run() -> None:
    """What is Kubernetes' own goes into the pod as it stands; a spread gets the selector that it lacks."""
    spec = pod(render(WHERE))
    same: dict[str, Any] = {key: WHERE[key] for key in WHERE if key in spec and key != "topologySpreadConstraints"}
    assert {key: spec[key] for key in same} == same
    assert len(same) == 10
    [spread] = spec["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "mail"
    assert spec["containers"][0]["image"] == f"registry.example:5000/dms-relay@{WHERE['image']['digest']}"


def test_replicas() -> None:
    """The number is the autoscaler's where there is one; no replica waits for another one."""
    spec = one(render({"replicaCount": 4}), "StatefulSet")["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"]) == (4, "Parallel")
    objects = render(MATRIX["as many as needed"])
    assert "replicas" not in one(objects, "StatefulSet")["spec"]
    scaled = one(objects, "HorizontalPodAutoscaler")["spec"]
    assert scaled["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": NAME}
    assert scaled["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}


def test_claims() -> None:
    """Each replica has a volume for its queue and one for its state; without persistence both are empty directories."""
    spec = one(render(MATRIX["volumes of a class"]), "StatefulSet")["spec"]
    claims = {claim["metadata"]["name"]: claim["spec"] for claim in spec["volumeClaimTemplates"]}
    assert [claims[name]["storageClassName"] for name in ("queue", "state")] == ["fast", ""]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    objects = render(NO_VOLUME)
    assert "volumeClaimTemplates" not in one(objects, "StatefulSet")["spec"]
    assert {"name": "queue", "emptyDir": {}} in pod(objects)["volumes"]
    assert "storageClassName" not in str(render(ONE_RELAY))


def test_no_template_has_a_password() -> None:
    """No template makes a Secret: passwords come from those of the operator's own."""
    assert "kind: Secret" not in templates()
