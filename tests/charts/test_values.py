"""values.yaml and its schema: each value has its comment and its schema, and what is wrong is refused."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.charts.helm import CHART, chart_schema, default_values, error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.charts.helm import Map

VALIDATOR = jsonschema.Draft7Validator(chart_schema())
#: A value for each place, as words with dots between, that is wrong there.
WRONG: dict[str, tuple[Any, ...]] = {
    "image.repository": ("", "Relay", 1, None),
    "image.tag": ("a b", ":1", 1.0),
    "image.digest": ("abc", "sha256:ABC", "sha512:" + "a" * 128),
    "image.pullPolicy": ("always", "", None),
    "imagePullSecrets": ("a", ["a"], [{"name": "A"}], [{}]),
    "fullnameOverride": ("Relay", "a.b", "-a", "a" * 64),
    "commonLabels": ({"a": 1}, ["a"], {"app.kubernetes.io/name": "a"}, {"helm.sh/chart": "a"}),
    "podLabels": ({"app.kubernetes.io/instance": "a"},),
    "clusterDomain": ("", "a b"),
    "relayYaml": (1, ["a"], True),
    "postfixMainCf": ({"a": "b"}, None),
    "saslPasswordSecret.key": ("", "a/b"),
    "existingSecret": ("My_Secret", ["a"], None),
    "extraSecrets": ("a", ["a", "a"], [""], [{"name": "a"}]),
    "hostname": ("-a", "a b", "a_b"),
    "env": (["a"], {"A-B": "c"}, {"1A": "c"}, {"A": ["b"]}, {"A": None}, {"A": {"b": "c"}}),
    "extraEnv": ({"A": "b"}, ["A=b"]),
    "permit": (
        "10.0.0.0/8",
        ["any"],
        ["10.0.0.0/33"],
        ["10.0.0.0/8", "10.0.0.0/8"],
        ["fd00::/129"],
        ["10.0.0.0/08"],
        [10],
    ),
    "networkPolicy.enabled": ("yes", 1, None),
    "networkPolicy.allowFrom": (
        {},
        [{}],
        [{"podselector": {}}],
        [{"ipBlock": {}}],
        [{"ipBlock": {"cidr": "all"}}],
        ["a"],
    ),
    "networkPolicy.egress.dnsPorts": ([], [0], ["53"]),
    "networkPolicy.egress.relayPorts": ([65536], [25, 25], 25, ["smtp"]),
    "service.type": ("NodePort", "ExternalName", "", None),
    "service.port": (0, 65536, "25", None),
    "service.loadBalancerSourceRanges": (["192.0.2.1"], "192.0.2.0/24"),
    "replicaCount": (-1, "2", 1.5, None),
    "persistence.enabled": ("no",),
    "persistence.queue.size": ("2GB", 2, "0Gi", ""),
    "persistence.queue.accessModes": ([], ["RWO"], ["ReadOnlyMany"]),
    "persistence.retentionPolicy.whenScaled": ("Recycle", None),
    "drain.timeout": (0, "60s", None),
    "drain.handOver": ("yes", "auto"),
    "terminationGracePeriodSeconds": (0, "30s"),
    "podDisruptionBudget.maxUnavailable": (-1, "one", "101%", 0.5),
    "podDisruptionBudget.unhealthyPodEvictionPolicy": ("Always",),
    "autoscaling.minReplicas": (0, "1"),
    "metrics.port": (25, 0, ":9154"),
    "metrics.serviceMonitor.interval": ("30", 30, "often"),
    "metrics.prometheusRule.extraGroups": ([{"name": "a"}], {"name": "a"}),
    "serviceAccount.create": ("true",),
    "securityContext": ("none", None, []),
    "hostUsers": ("no",),
    "scratch.medium": ("Disk", None),
    "resources.requests": ({"cpu": "lots"}, {"memory": "1 GB"}, "1"),
    "probes.readiness.periodSeconds": (0, "5s"),
    "nodeSelector": ({"a": True}, "a"),
    "topologySpreadConstraints": ([{"maxSkew": 1}], {}, "zone"),
    "podManagementPolicy": ("parallel",),
    "updateStrategy": ({"type": "Recreate"}, "RollingUpdate"),
    "dnsPolicy": ("cluster",),
    "extraVolumes": ([{}], {}),
    "extraVolumeMounts": ([{"name": "a"}], ["/a"]),
    "extraObjects": ([1], "kind: Secret"),
}


def placed(place: str, value: object) -> Map:
    """Return values with one at a place."""
    for word in reversed(place.split(".")):
        value = {word: value}
    assert isinstance(value, dict)
    return value


def merged(below: Map, above: Map) -> Map:
    """Return values over others, as Helm lays them."""
    found = deepcopy(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


@pytest.mark.parametrize("place", WRONG)
def test_wrong_values(place: str) -> None:
    """Values that are wrong by themselves are refused at their place, and the default there is not."""
    defaults = default_values()
    for value in WRONG[place]:
        found = list(VALIDATOR.iter_errors(merged(defaults, placed(place, value))))
        assert found, value
        assert all(".".join(map(str, fault.absolute_path)).startswith(place) for fault in found)


def test_helm_says_where() -> None:
    """Helm itself holds values to the schema, all at once, and names the places."""
    said = error({"replicaCount": "two", "networkPolicy": {"allowFrom": [{"podselector": {}}]}, "persistance": {}})
    for part in ("replicaCount", "allowFrom", "podselector", "persistance"):
        assert part in said


def maps(values: Map, place: str = "") -> Iterator[tuple[str, Map]]:
    """Yield each map of values that has names of the chart's own, with its place."""
    yield place, values
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from maps(value, f"{place}.{key}".strip("."))


#: Maps whose names are Kubernetes' or the operator's.
THEIRS = re.compile(r"(pod)?securityContext|resources\.(requests|limits)|metrics\.dashboard\.labels", re.IGNORECASE)


def test_unknown_names() -> None:
    """A name that is not there is refused in every map that has names of the chart's own, as a mistyped one."""
    tried = []
    for place, _ in maps(default_values()):
        if THEIRS.match(place):
            continue
        values = merged(default_values(), placed(f"{place}.enabledd".strip("."), True))
        found = [fault.message for fault in VALIDATOR.iter_errors(values)]
        if place != "nodeSelector":
            assert any("enabledd" in message for message in found), place
        tried.append(place)
    assert len(tried) >= 25


def test_every_value_has_its_schema() -> None:
    """Schema and values.yaml have the same names, but for two that a chart with this one as a part sets."""

    def names(schema: Map) -> set[str]:
        schema = chart_schema()["definitions"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
        found = set()
        for key, below in schema.get("properties", {}).items():
            found |= {key, *(f"{key}.{name}" for name in names(below))}
        return found

    def written(values: Map) -> set[str]:
        found = set()
        for key, value in values.items():
            found |= {key, *(f"{key}.{name}" for name in (written(value) if isinstance(value, dict) else ()))}
        return found

    known, there = names(chart_schema()), written(default_values())
    theirs = re.compile(rf"{THEIRS.pattern}|probes\.|resources\.|updateStrategy\.|dnsConfig\.", re.IGNORECASE)
    assert {name for name in known ^ there if not theirs.match(name)} == {"global", "enabled"}


def test_every_value_has_its_comment() -> None:
    """Right above each value that stands at the left of values.yaml stands what it means."""
    lines = (CHART / "values.yaml").read_text("utf-8").splitlines()
    above = {
        line.partition(":")[0]: lines[number - 1] for number, line in enumerate(lines) if re.match(r"[a-zA-Z]", line)
    }
    assert set(above) == set(default_values())
    assert {name for name, line in above.items() if not line.startswith("# ") or line.startswith("# ----")} == set()
