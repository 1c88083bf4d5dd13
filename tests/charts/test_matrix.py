"""What holds for whatever values: each set of the matrix is rendered once, and goes through all of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.charts.helm import NAMESPACE, Map, container, pod, render
from tests.charts.kubernetes import require_right
from tests.charts.matrix import MATRIX
from tests.image.test_hardened import CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", MATRIX)
def test_every_set(case: str) -> None:
    """The objects are right by Kubernetes' schemas, names, labels and selectors; the pod by its rights and mounts."""
    values = MATRIX[case]
    objects = render(values)
    require_right(objects)
    has_usual_names(objects, values)
    selects_the_pods(objects)
    has_few_rights(pod(objects))
    mounts_what_there_is(objects)


def labels_of(values: Map) -> dict[str, str]:
    """Return the labels that select the pods."""
    return {"app.kubernetes.io/name": values.get("nameOverride", "dms-relay"), "app.kubernetes.io/instance": "mail"}


def has_usual_names(objects: list[Map], values: Map) -> None:
    """Every object has the release's namespace, a name that no other one of its kind has, and the usual labels."""
    own = [found for found in objects if found["metadata"].get("namespace")]
    assert len(objects) - len(own) == len(values.get("extraObjects", ()))
    assert {found["metadata"]["namespace"] for found in own} == {NAMESPACE}
    names = [(found["kind"], found["metadata"]["name"]) for found in own]
    assert len(set(names)) == len(names)
    usual = {**labels_of(values), "app.kubernetes.io/managed-by": "Helm"}
    for found in own:
        assert found["metadata"]["labels"].items() >= usual.items(), found["kind"]
        assert re.fullmatch(r"dms-relay-[0-9.]+", found["metadata"]["labels"]["helm.sh/chart"])


def selects_the_pods(objects: list[Map]) -> None:
    """All selectors are the same, and the pods have these labels."""
    [labels] = [found["spec"]["template"]["metadata"]["labels"] for found in objects if found["kind"] == "StatefulSet"]
    found = list(selectors(objects))
    assert len({str(sorted(selector.items())) for selector in found}) == 1
    assert set(found[0]) == set(labels_of({}))
    assert labels.items() >= found[0].items()


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


def has_few_rights(spec: Map) -> None:
    """Few rights, a root file system that is read-only, no token, no service links, nothing of the node's."""
    rights = spec["containers"][0]["securityContext"]
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert rights["capabilities"] == {"drop": ["ALL"], "add": list(CAPABILITIES)}
    assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
    assert (rights["privileged"], rights["runAsUser"]) == (False, 0)
    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


def mounts_what_there_is(objects: list[Map]) -> None:
    """Every mount has its volume, and no volume is for nothing; inputs are directories, read-only, and must be there."""
    [claims] = [found["spec"].get("volumeClaimTemplates", ()) for found in objects if found["kind"] == "StatefulSet"]
    volumes = {volume["name"]: volume for volume in pod(objects)["volumes"]}
    # An operator's own, with subPath.
    volumes.pop("hooks", None)
    mounts = [mount for mount in container(objects)["volumeMounts"] if mount["name"] != "hooks"]
    assert sorted(mount["name"] for mount in mounts) == sorted(
        {*volumes, *(claim["metadata"]["name"] for claim in claims)}
    )
    assert len({mount["mountPath"] for mount in mounts}) == len(mounts)
    for mount in mounts:
        is_input = not {"emptyDir"} & set(volumes.get(mount["name"], {"emptyDir": {}}))
        assert mount.get("readOnly", False) == is_input
        assert "subPath" not in mount
