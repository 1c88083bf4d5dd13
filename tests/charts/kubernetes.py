"""Holds objects to the schemas that Kubernetes publishes, as kubernetes-validate brings them."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import kubernetes_validate

if TYPE_CHECKING:
    from tests.charts.helm import Map

#: Versions: the oldest that Chart.yaml takes, one between, and the newest whose schemas are there.
VERSIONS = ("1.27", "1.31", kubernetes_validate.latest_version())
#: Kinds that come with an operator; tests/charts/test_monitoring.py looks at them.
OPERATORS = ("ServiceMonitor", "PrometheusRule")

#: Of each version they are several MB.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


def require_right(objects: list[Map]) -> None:
    """Raise where an object is not right by a version's schema, or has something in it that the version does not know."""
    for found in objects:
        if found["kind"] not in OPERATORS:
            for version in VERSIONS:
                _validate(json.dumps(found), version)


@cache
def _validate(text: str, version: str) -> None:
    """Many sets of values have the same objects."""
    kubernetes_validate.validate(json.loads(text), version, strict=True)
