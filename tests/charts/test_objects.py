"""What the chart renders, for all sets of values: right by Kubernetes' own schemas, and right together."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest

from tests.charts.helm import NAME, NAMESPACE, container, one, pod, render, templates
from tests.charts.matrix import FILLED, MATRIX, NO_VOLUME, ONE_RELAY, WHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.charts.helm import Map

#: Versions of Kubernetes: the oldest that Chart.yaml takes, one between, and the newest whose schemas are there.
VERSIONS = ("1.27", "1.31", kubernetes_validate.latest_version())
#: Kinds that come with an operator; tests/charts/test_monitoring.py looks at them.
OPERATORS = ("ServiceMonitor", "PrometheusRule")
#: What each label of an object says, beside those of the values.
LABELS = {
    "app.kubernetes.io/name": "dms-relay",
    "app.kubernetes.io/instance": "mail",
    "app.kubernetes.io/managed-by": "Helm",
}


#: Of each version they are several MB.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


@cache
def validate(text: str, version: str) -> None:
    """Hold an object, as JSON, to a version's schema, which knows nothing that is not there. Many sets have the same ones."""
    kubernetes_validate.validate(json.loads(text), version, strict=True)


@pytest.mark.parametrize("case", MATRIX)
def test_kubernetes_takes_it(case: str) -> None:
    """Every object is right by Kubernetes' schemas, with nothing in it that a version does not know."""
    objects = [found for found in render(MATRIX[case]) if found["kind"] not in OPERATORS]
    for found in objects:
        for version in VERSIONS:
            validate(json.dumps(found), version)


def test_names_that_yaml_takes_for_something_else() -> None:
    """Names that are numbers and booleans to YAML stay names."""
    names = ["--namespace", "123", "--name-template", "off"]
    objects = render({**MATRIX["monitored"], "fullnameOverride": "yes", "existingSecret": "1e3", "priorityClassName": "on"}, *names)
    for found in objects:
        if found["kind"] not in OPERATORS:
            validate(json.dumps(found), VERSIONS[0])
    assert one(objects, "ServiceMonitor", "yes")["spec"]["namespaceSelector"] == {"matchNames": ["123"]}
    assert one(objects, "StatefulSet", "yes")["metadata"]["labels"]["app.kubernetes.io/instance"] == "off"


@pytest.mark.parametrize("case", MATRIX)
def test_names_and_labels(case: str) -> None:
    """Every object has the release's namespace, a name that no other one of its kind has, and the usual labels."""
    objects = render(MATRIX[case])
    own = [found for found in objects if found["metadata"].get("namespace")]
    assert len(objects) - len(own) == len(MATRIX[case].get("extraObjects", ()))
    assert {found["metadata"]["namespace"] for found in own} == {NAMESPACE}
    names = [(found["kind"], found["metadata"]["name"]) for found in own]
    assert len(set(names)) == len(names)
    name = MATRIX[case].get("nameOverride", "dms-relay")
    for found in own:
        assert found["metadata"]["labels"].items() >= {**LABELS, "app.kubernetes.io/name": name}.items(), found["kind"]
        assert re.fullmatch(r"dms-relay-[0-9.]+", found["metadata"]["labels"]["helm.sh/chart"])


def selectors(objects: list[Map]) -> Iterator[dict[str, str]]:
    """Yield each selector that is to find the pods."""
    for found in objects:
        match found["kind"]:
            case "Service":
                yield found["spec"]["selector"]
            case "StatefulSet" | "PodDisruptionBudget":
                yield found["spec"]["selector"]["matchLabels"]
            case "NetworkPolicy":
                yield found["spec"]["podSelector"]["matchLabels"]
    for constraint in pod(objects).get("topologySpreadConstraints", ()):
        yield constraint["labelSelector"]["matchLabels"]


@pytest.mark.parametrize("case", [name for name in MATRIX if name != "a name"])
def test_selectors_find_the_pods(case: str) -> None:
    """All selectors are the same, and the pods have these labels."""
    objects = render(MATRIX[case])
    labels = one(objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    for selector in selectors(objects):
        assert selector == {key: LABELS[key] for key in list(LABELS)[:2]}
        assert labels.items() >= selector.items()


def test_kinds() -> None:
    """By default there is all that is on by default, and nothing else."""
    kinds = sorted(found["kind"] for found in render())
    assert kinds == [
        "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "ServiceAccount", "StatefulSet",
    ]  # fmt: skip
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
