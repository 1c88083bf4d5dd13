"""A failure names the places that name the host, whichever input that is: relay.yaml, the environment, a ``.cf`` file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.relay_test.scene import Scene

YAML = """version: 1
relays:
  one:
    hosts: [a.invalid, b.invalid]
  two: {host: c.invalid, port: 465}
default: one
senders: {x.test: two, y.test: two}
"""
ROUTES = "".join(f"@{name}.test [m.invalid]:587\n" for name in "vwxyz")
MAPPED = ["postfix-relaymap.cf:1", "postfix-relaymap.cf:2", "postfix-relaymap.cf:3"]
DEFAULT = {"DEFAULT_RELAY_HOST": "[d.invalid]:587", "RELAY_USER": "u", "RELAY_PASSWORD": "p"}


def places(scene: Scene, env: dict[str, str]) -> dict[str, list[str]]:
    """Return the places by the nexthop that fails."""
    found = json.loads(scene.run("--json", env=env).out)["results"]
    assert {one["result"] for one in found} == {"name"}
    return {one["nexthop"]: one["origins"] for one in found}


def test_relay_yaml(scene: Scene) -> None:
    """Each host of a relay has its own place; a route there names the relay alone."""
    scene.sandbox.write("relay.yaml", YAML)
    assert places(scene, {}) == {
        "[a.invalid]:587": ["relay.yaml:4:13"],
        "[b.invalid]:587": ["relay.yaml:4:24"],
        "[c.invalid]:465": ["relay.yaml:5:15"],
    }


@pytest.mark.parametrize("routing", ["maps", "transports"])
def test_environment_and_cf_files(scene: Scene, routing: str) -> None:
    """A variable is named by its name, a line by its number; of many lines the first ones."""
    scene.sandbox.write("postfix-relaymap.cf", ROUTES)
    scene.sandbox.write("vhost", "other.test\n")
    env = {**DEFAULT, "RELAY_ROUTING": routing, "RELAY_HOST": "h.invalid"}
    assert places(scene, env) == {
        "[d.invalid]:587": ["env DEFAULT_RELAY_HOST"],
        "[h.invalid]:25": ["env RELAY_HOST"],
        "[m.invalid]:587": MAPPED,
    }
    assert f"  where:   {', '.join(MAPPED)}, and others\n" in scene.run(env=env).out


def test_a_relay_of_relay_yaml_that_another_input_names(scene: Scene) -> None:
    """The nexthop of a relay of relay.yaml is that relay, whose place counts."""
    scene.sandbox.write("relay.yaml", YAML.replace("default: one\n", ""))
    scene.sandbox.write("postfix-relaymap.cf", "@z.test [c.invalid]:465\n")
    assert places(scene, {})["[c.invalid]:465"] == ["relay.yaml:5:15"]
