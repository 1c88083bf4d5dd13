"""The table of metrics: held to the rules for names, to docs/metrics.md, and to whatever asks for them in charts/."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dms_relay.metrics.names import COUNTER, GAUGE, HISTOGRAM, METRICS

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/dms-relay"
DASHBOARD, RULES = CHART / "dashboards/dms-relay.json", CHART / "rules/dms-relay.yaml"
#: Words of PromQL that look like a name of ours nowhere; a name of a metric begins so.
NAME = re.compile(r"\b(?:dms_relay|postfix)_[a-z0-9_]+")
SUFFIXES = ("_bucket", "_sum", "_count")


def test_the_page_has_the_same_table() -> None:
    """docs/metrics.md has each metric with its type, its labels and its text."""
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE
    )
    found = {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), text) for name, kind, labels, text in rows}
    assert found == {name: (metric.kind, metric.labels, metric.text) for name, metric in METRICS.items()}


@pytest.mark.parametrize("name", METRICS)
def test_names(name: str) -> None:
    """Names keep Prometheus' rules (prometheus.io, Metric and label naming): units, and _total for counters alone."""
    metric = METRICS[name]
    assert re.fullmatch(r"(dms_relay|postfix)_[a-z][a-z0-9_]*", name)
    assert name.endswith("_total") == (metric.kind == COUNTER)
    assert not name.endswith(SUFFIXES)
    assert metric.kind != HISTOGRAM or name.endswith("_seconds")
    assert metric.kind in {COUNTER, GAUGE, HISTOGRAM}
    assert not {"le", "quantile", "job", "instance"}.intersection(metric.labels)


def expressions() -> list[tuple[str, str]]:
    """Return what the dashboard and the alerts ask, with where."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    panels = [(panel["title"], target["expr"]) for panel in document["panels"] for target in panel.get("targets", [])]
    variables = [(v["name"], v["definition"]) for v in document["templating"]["list"] if v["type"] == "query"]
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [*panels, *variables, *((rule["alert"], rule["expr"]) for group in groups for rule in group["rules"])]


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_what_is_asked_exists(where: str, expression: str) -> None:
    """Each metric that a panel or an alert asks for exists, a histogram by its parts, and each label that it names."""
    names = NAME.findall(expression)
    assert names, where
    known = {"namespace", "instance", "pod", "le", "job"}
    for name in names:
        base = next(
            (name.removesuffix(s) for s in SUFFIXES if name.removesuffix(s) in METRICS and name.endswith(s)), name
        )
        assert base in METRICS, (where, name)
        assert (METRICS[base].kind == HISTOGRAM) == (base != name), (where, name)
        known.update(METRICS[base].labels)
    by = {label for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(", ")}
    matched = {
        label for inner in re.findall(r"\{(.*?)\}", expression) for label in re.findall(r"(\w+)\s*(?:=~|!=|=)", inner)
    }
    assert by | matched <= known, where


def test_the_chart_takes_the_alerts_as_they_are() -> None:
    """No alert has what Helm or Prometheus would take for a template of Helm's: the file is included as it is."""
    assert "{{" not in RULES.read_text()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not there (Debian: prometheus)")
def test_promtool_takes_the_alerts() -> None:
    """Prometheus' own tool finds no mistake in the alerts."""
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
