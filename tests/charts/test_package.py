"""The chart as a whole: helm finds nothing, its package has all files, and it agrees with the rest of the project."""

from __future__ import annotations

import re
import tarfile
import tomllib
from typing import TYPE_CHECKING

import yaml

from dms_relay.arguments import parser
from tests.charts.helm import CHART, ROOT, container, default_values, helm, notes, render, variables
from tests.charts.matrix import ONE_RELAY

if TYPE_CHECKING:
    from pathlib import Path


def test_lint() -> None:
    """``helm lint --strict`` finds nothing, with the defaults and with a relay."""
    for values in ("{}", yaml.safe_dump(ONE_RELAY)):
        done = helm("lint", "--strict", str(CHART), "--values", "-", feed=values)
        assert done.returncode == 0, done.stdout
        assert "WARNING" not in done.stdout


def test_package(tmp_path: Path) -> None:
    """The package has every file of the chart that git has, and renders the same."""
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    [package] = tmp_path.glob("*.tgz")
    with tarfile.open(package) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    files = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    assert names == files - {".helmignore"} | (names & {".helmignore"})
    assert render(ONE_RELAY, chart=package) == render(ONE_RELAY)


def test_versions() -> None:
    """The chart is for this version of dms_relay, and so is the image that it asks for."""
    about = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert about["appVersion"] == project["version"]
    assert container(render())["image"] == f"dms-relay:{project['version']}"


def test_the_readme_names_what_there_is() -> None:
    """Each value that the chart's README names is there, and each relay.yaml in it is taken."""
    text = (CHART / "README.md").read_text("utf-8")
    table = text.partition("| value | |")[2].partition("\n\n")[0]
    named = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([a-zA-Z.]+)`", row.split("|")[1] if "|" in row else "")
    }
    values = default_values()
    for name in named:
        found = values
        for word in name.split("."):
            assert word in found, name
            found = found[word]
    assert len(named) > 15
    [example] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert render({"relayYaml": example, "existingSecret": "relay-logins"})


def test_words_of_the_image() -> None:
    """The commands, the words of the health check and the variables that the chart uses are there."""
    commands = {
        tuple(match) for match in re.findall(r"dms-relay ([a-z]+)()$|-- dms-relay ([a-z]+)", notes(), re.MULTILINE)
    }
    words = {word for found in commands for word in found if word} | {
        container(render())["lifecycle"]["preStop"]["exec"]["command"][1]
    }
    assert words == {"test", "queue", "drain"}
    usage = parser().format_help()
    assert {word for word in words if not re.search(rf"^ +{word}\b", usage, re.MULTILINE)} == set()
    check = (ROOT / "docker/healthcheck").read_text("utf-8")
    assert all(re.search(rf"^#   {word} ", check, re.MULTILINE) for word in ("ready", "live"))
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert {name for name in variables(render()) if not re.search(rf"`{name}\b", pages)} == set()
