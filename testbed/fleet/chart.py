"""Renders the Helm chart, and Secrets as `kubectl create secret` does. Needs both programs on PATH, and no cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from testbed.fleet.translate import Object

CHART = Path(__file__).resolve().parents[2] / "charts/dms-relay"


class RenderError(Exception):
    """Helm or kubectl refused."""


def render(release: str, values: dict[str, Any]) -> list[Object]:
    """Return the output of `helm template` for some values, as objects."""
    said = _run("helm", "template", release, str(CHART), "--values", "-", feed=json.dumps(values))
    return [each for each in yaml.safe_load_all(said) if each]


def secret(name: str, **literals: str) -> Object:
    """Return a Secret as `kubectl create secret generic` creates it."""
    words = [f"--from-literal={key}={value}" for key, value in literals.items()]
    said = _run("kubectl", "create", "secret", "generic", name, *words, "--dry-run=client", "--output=json")
    found: Object = json.loads(said)
    return found


def _run(*command: str, feed: str = "") -> str:
    done = subprocess.run(command, input=feed, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RenderError(f"{command[0]} {command[1]}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout
