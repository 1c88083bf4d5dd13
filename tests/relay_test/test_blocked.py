"""A blocked port is told from a host that does not answer: behind a real firewall, in a network of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.support.scene import ROOT, needs_root

CUT = "on this machine, on the way, or at the host"
USE = "use a port that answers, if the service offers it: 587, 2525, or 465 with implicit TLS; or have the port opened"
MANY = f"a firewall blocks port 25, as many networks do: {CUT}"
DOWN = "the host is down, or a firewall drops the packets: many networks block port 25"
OUTCOMES = {
    "dropped": ("blocked port", "no connection in 0.5 s, but the same address answers on port 587", MANY, USE),
    "prohibited": (
        "blocked port",
        "the host cannot be reached: No route to host, but the same address answers on port 587",
        f"a firewall blocks port 2500: {CUT}",
        USE,
    ),
    "no service": (
        "blocked port",
        "no connection in 0.5 s, but the same address is up: it refuses port 443, 465, 587, 2525",
        MANY,
        USE,
    ),
    "no host": (
        "timed out",
        "no connection in 0.5 s",
        DOWN,
        "use a port of the service that is meant for this: 587, or 465 with implicit TLS",
    ),
    "no host, another port": (
        "timed out",
        "no connection in 0.5 s",
        "the host is down or slow, or a firewall drops the packets",
        "try again with a longer --timeout; if that does not help, ask your network administrator, or the service",
    ),
    "this machine": (
        "blocked port",
        "this machine itself blocks the connection: Permission denied",
        MANY,
        USE,
    ),
    "no way": (
        "unreachable",
        "the host cannot be reached: Network is unreachable",
        "this machine has no network route to the host: the network is down, or there is no IPv6",
        "check the machine's network; if it has no IPv6, set inet_protocols = ipv4 in main.cf, and run postfix reload",
    ),
}


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    """Return what came of each, from one program in a network of its own."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "ip", "iptables"))):
        needs_root("a network of its own needs root, unshare, ip and iptables")
    arguments = ["unshare", "--net", sys.executable, "-m", "tests.relay_test.firewall"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        needs_root(f"no firewall can be set up here: {done.stderr.decode()[-200:]}")
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(found: dict[str, list[str]], name: str) -> None:
    """The class, what happened, the likely cause and the remedy."""
    assert tuple(found[name]) == OUTCOMES[name]
