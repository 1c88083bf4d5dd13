"""Runs helm on the chart, without a cluster, and reads what it renders. Skips where there is no helm."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/dms-relay"
#: The release and its namespace in all tests, and with that the name of the objects.
RELEASE, NAMESPACE = "mail", "post"
NAME = "mail-dms-relay"

#: A map of YAML or JSON, as Kubernetes and Helm have them.
Map = dict[str, Any]


def require_helm(program: str = "helm") -> None:
    """Skip where a program is missing; fail instead with REQUIRE_HELM_TESTS=1."""
    if not shutil.which(program):
        _skip(f"{program} is not installed")


def _skip(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_HELM_TESTS") == "1":
        pytest.fail(f"REQUIRE_HELM_TESTS=1, but {reason}", pytrace=False)
    pytest.skip(reason)


def helm(*arguments: str, feed: str = "") -> subprocess.CompletedProcess[str]:
    """Run helm, which reads nothing of the user's own."""
    require_helm()
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        ["helm", *arguments], env=environ, input=feed, capture_output=True, text=True, timeout=60, check=False
    )


@cache
def _rendered(chart: Path, values: str, arguments: tuple[str, ...]) -> tuple[int, str, str]:
    names = () if "--name-template" in arguments else (RELEASE,)
    done = helm("template", *names, str(chart), "--namespace", NAMESPACE, "--values", "-", *arguments, feed=values)
    return done.returncode, done.stdout, done.stderr


def render(values: Map | None = None, *arguments: str, chart: Path = CHART) -> list[Map]:
    """Return the objects that the chart makes of some values."""
    code, out, err = _rendered(chart, json.dumps(values or {}), arguments)
    assert code == 0, err
    return [found for found in yaml.safe_load_all(out) if found]


def refusal(values: Map) -> list[str]:
    """Return the lines with which the chart refuses some values; empty where it takes them."""
    code, _, err = _rendered(CHART, json.dumps(values), ())
    said = [line for line in err.splitlines() if " -- " in line]
    assert bool(code) == bool(said), err
    return said


def error(values: Map) -> str:
    """Return what helm says of values that it refuses."""
    code, _, err = _rendered(CHART, json.dumps(values), ())
    assert code == 1, "it was taken"
    return err


def notes(values: Map | None = None) -> str:
    """Return what an installation would say at its end."""
    options = ("--namespace", NAMESPACE, "--dry-run=client", "--values", "-")
    done = helm("install", RELEASE, str(CHART), *options, feed=json.dumps(values or {}))
    if "cluster unreachable" in done.stderr:
        _skip("helm 3 shows notes only where there is a cluster")
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def one(objects: list[Map], kind: str, name: str = NAME) -> Map:
    """Return the object of that kind and name."""
    [found] = [item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name]
    return found


def pod(objects: list[Map]) -> Map:
    """Return what the StatefulSet says of its pods."""
    [found] = [item for item in objects if item["kind"] == "StatefulSet"]
    spec: Map = found["spec"]["template"]["spec"]
    return spec


def container(objects: list[Map]) -> Map:
    """Return the one container of a pod."""
    [found] = pod(objects)["containers"]
    result: Map = found
    return result


def variables(objects: list[Map]) -> dict[str, str | None]:
    """Return the variables of the container, where they have a value of their own."""
    return {entry["name"]: entry.get("value") for entry in container(objects)["env"]}


def default_values() -> Map:
    """Return values.yaml."""
    values: Map = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return values


def chart_schema() -> Map:
    """Return values.schema.json."""
    schema: Map = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    return schema


def templates() -> str:
    """Return the texts of all templates."""
    return "\n".join(path.read_text("utf-8") for path in sorted((CHART / "templates").iterdir()))


def refusals() -> set[str]:
    """Return what each line of _checks.tpl that refuses something says is wrong; ``*`` is what is filled in."""
    text = (CHART / "templates/_checks.tpl").read_text("utf-8").partition("*/}}")[2]
    said = [line.partition(" -- ")[0] for line in text.splitlines() if " -- " in line]
    return {re.sub(r"\{\{.*?\}\}", "*", what) for what in said}
