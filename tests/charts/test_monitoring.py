"""What is for the Prometheus operator and Grafana, whose objects Kubernetes' own schemas do not have."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.charts.helm import CHART, NAME, Map, one, render
from tests.charts.matrix import MATRIX

if TYPE_CHECKING:
    from pathlib import Path

#: A duration as the operator's CRDs have it (monitoring.coreos.com/v1, type Duration).
DURATION = re.compile(r"(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)")
#: Rules with what Helm would take for templates of its own.
RULES = """\
groups:
  - name: one
    rules:
      - alert: MailWaits
        expr: max by (relay) (dms_relay_queue_age_seconds) > 3600
        for: 5m
        labels: {severity: warning}
        annotations: {summary: "{{ $labels.relay }} has {{ $value | humanize }}"}
      - record: relay:messages
        expr: sum(messages)
"""
DASHBOARD = {"title": "{{ mail }}", "panels": [{"legendFormat": '{{relay}} {{`x`}} \\ "é"'}]}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """Make a chart with rules and a dashboard of the tests' own, hard ones."""
    path = tmp_path / "dms-relay"
    shutil.copytree(CHART, path)
    for name, text in (("rules/dms-relay.yaml", RULES), ("dashboards/dms-relay.json", json.dumps(DASHBOARD))):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text, "utf-8")
    return path


def test_service_monitor() -> None:
    """It finds the headless Service, and asks each replica at the port that has the metrics."""
    objects = render(MATRIX["monitored"])
    monitor = one(objects, "ServiceMonitor")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    labels = monitor["spec"]["selector"]["matchLabels"]
    services = [
        found
        for found in objects
        if found["kind"] == "Service" and found["metadata"]["labels"].items() >= labels.items()
    ]
    assert [found["metadata"]["name"] for found in services] == [f"{NAME}-headless"]
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in services[0]["spec"]["ports"]}
    given = MATRIX["monitored"]["metrics"]["serviceMonitor"]
    assert endpoint == {"path": "/metrics", "port": "metrics"} | {
        key: given[key] for key in ("interval", "scrapeTimeout", "relabelings", "metricRelabelings")
    }
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["post"]}
    assert set(monitor["spec"]) == {"selector", "namespaceSelector", "endpoints"}


def is_rule(rule: Map) -> bool:
    """Return True if a rule is one by the operator's CRD: an alert or a record, with an expression, and nothing unknown."""
    kinds = {"alert": {"expr", "for", "keep_firing_for", "labels", "annotations"}, "record": {"expr", "labels"}}
    for kind, more in kinds.items():
        if kind in rule:
            texts = {**rule.get("labels", {}), **rule.get("annotations", {})}.values()
            has_texts = all(isinstance(text, str) for text in texts)
            return (
                set(rule) <= {kind, *more}
                and bool(rule["expr"])
                and has_texts
                and bool(DURATION.fullmatch(rule.get("for", "0")))
            )
    return False


def test_rules(chart: Path) -> None:
    """The file's groups are there as they stand, templates of Prometheus' own in them, and the operator's after them."""
    extra = [{"name": "mine", "rules": [{"alert": "A", "expr": "up == 0"}]}]
    rule = one(
        render({"metrics": {"prometheusRule": {"enabled": True, "extraGroups": extra}}}, chart=chart), "PrometheusRule"
    )
    assert rule["apiVersion"] == "monitoring.coreos.com/v1"
    assert rule["spec"] == {"groups": [*yaml.safe_load(RULES)["groups"], *extra]}
    assert all(is_rule(found) for group in rule["spec"]["groups"] for found in group["rules"])


def test_dashboard(chart: Path) -> None:
    """Grafana's sidecar gets the file as it stands, to the letter."""
    found = one(render({"metrics": {"dashboard": {"enabled": True}}}, chart=chart), "ConfigMap", f"{NAME}-dashboard")
    assert found["data"] == {"dms-relay.json": json.dumps(DASHBOARD)}
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_our_own_files() -> None:
    """The chart's own rules and dashboard are all there, and each rule is one."""
    objects = render(MATRIX["monitored"])
    ours = yaml.safe_load((CHART / "rules/dms-relay.yaml").read_text("utf-8"))["groups"]
    groups = one(objects, "PrometheusRule")["spec"]["groups"]
    assert groups == [*ours, {"name": "mine", "rules": []}]
    assert [found for group in groups for found in group["rules"] if not is_rule(found)] == []
    text = one(objects, "ConfigMap", f"{NAME}-dashboard")["data"]["dms-relay.json"]
    assert text == (CHART / "dashboards/dms-relay.json").read_text("utf-8")
