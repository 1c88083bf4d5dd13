"""docs/kubernetes.md: its five commands bring the first message to the relay, with podman in the cluster's place."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testbed.fleet import podman
from testbed.fleet.chart import CHART
from testbed.fleet.cluster import Cluster
from testbed.fleet.site import Site
from tests.image.engine import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs/kubernetes.md").read_text("utf-8")
PASSWORD = "of the page"
_FENCED = r"^```{}\n(.*?)^```$"


def fenced(kind: str) -> str:
    """Return the page's first example of a kind."""
    found = re.search(_FENCED.format(kind), PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def commands() -> list[list[str]]:
    """Return the page's commands as a shell reads them: an open quote, a backslash or ``&&`` goes on in the next line."""
    found: list[list[str]] = []
    text = ""
    for line in fenced("sh").splitlines(keepends=True):
        text += line
        try:
            words = shlex.split(text.replace("\\\n", ""))
        except ValueError:  # a quote that is open
            continue
        if not text.endswith(("\\\n", "&&\n")):
            found.append(words)
            text = ""
    assert not text
    return found


COMMANDS = commands()


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Return a directory with the files that the page has one write, and the project's chart.

    The relay's certificate is one of ours, so its authority is named.
    """
    relay = yaml.safe_load(fenced("yaml"))
    relay["relays"]["mailgun"]["tls"] = {"ca_file": "/run/secrets/dms-relay/authority"}
    (tmp_path / "relay.yaml").write_text(yaml.safe_dump(relay))
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    (tmp_path / "charts").symlink_to(CHART.parent)
    return tmp_path


@pytest.fixture
def site(replica_image: str, given: Path) -> Iterator[Site]:
    """Yield a server of ours under the name of the page's."""
    relay = yaml.safe_load(fenced("yaml"))["relays"]["mailgun"]
    with Site(given / "site", replica_image, host=relay["host"]) as site:
        site.take(relay["login"]["username"], PASSWORD)
        (given / "authority").write_text(site.authority)
        yield site


def said(command: list[str], directory: Path) -> str:
    """Run a command; return what it says."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(given: Path) -> list[dict[str, Any]]:
    """Return what the page's commands would have in a cluster; without one, `helm template` takes the place of `install`."""
    _, _, secret, install, _ = COMMANDS
    assert install[:2] == ["helm", "install"]
    template = ["helm", "template", *(word for word in install[2:] if word != "--wait")]
    objects = [each for each in yaml.safe_load_all(said(template, given)) if each]
    more = ["--from-file=authority=authority", "--dry-run=client", "--output=json"]
    return [json.loads(said([*secret, *more], given)), *objects]


def test_five_commands() -> None:
    """There are five, and all name the same image, namespace and release."""
    build, namespace, secret, install, run = COMMANDS
    image = build[build.index("--tag") + 1]
    assert build[-1] == image
    assert namespace[-1] == "mail"
    assert all(command[command.index("--namespace") + 1] == "mail" for command in (secret, install, run))
    assert f"--image={image}" in run
    assert {f"image.repository={image.rpartition(':')[0]}", f"image.tag={image.rpartition(':')[2]}"} <= set(install)


def test_the_first_message(given: Path, site: Site, replica_image: str) -> None:
    """A replica becomes ready, and what the last command runs brings a message to the server, over TLS, with the login."""
    objects = rendered(given)
    [service] = [each for each in objects if each["kind"] == "Service" and each["spec"].get("clusterIP") != "None"]
    cluster = Cluster(given / "pods", site.name, replica_image)
    try:
        cluster.apply(objects)
        name = cluster.pods[0].name
        cluster.start(name)
        cluster.wait_until_ready(name)
        run = COMMANDS[4]
        program = run[run.index("--") + 1 :]
        host = f"--add-host={service['metadata']['name']}:{cluster.address(name)}"
        podman.call("run", "--rm", "--no-healthcheck", f"--network={site.name}", host, replica_image, *program)
        site.wait_for([""], lambda: cluster.execute(name, "postqueue", "-f"))
    finally:
        print(cluster.log(name))
        cluster.clean_up()
    [record] = site.records()
    relay = yaml.safe_load(fenced("yaml"))["relays"]["mailgun"]
    assert (record["tls"], record["user"], record["password"]) == (True, relay["login"]["username"], PASSWORD)
