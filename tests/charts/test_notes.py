"""What an installation says at its end: its commands, run as they stand, send a message.

There is no cluster: a program in kubectl's place runs what a pod would run, here, where the Service's name is a relay on
loopback. That kubectl has the options is asked of kubectl itself.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.modes import PLAIN
from testbed.relays import Relay
from tests.charts.helm import helm, notes, one, render, require_helm
from tests.charts.matrix import MATRIX, NO_VOLUME, ONE_RELAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.charts.helm import Map

SERVICE = "mail-dms-relay.post.svc.cluster.local"
#: Writes its arguments down, and runs what is to run in a pod of its own.
KUBECTL = """\
#!/bin/sh
printf '%s\\n' "$*" | head -1 >> "$ASKED"
case " $* " in *" run "*) ;; *) exit 0 ;; esac
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
#: Has Python find the Service here.
RESOLVER = f"""\
import socket
asked = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: asked("127.0.0.1" if host == {SERVICE!r} else host, *more, **named)
"""


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    """Run what stands for the Service: it takes mail in the clear and without a login, as a relay of the chart does."""
    with Relay("service.test", PLAIN) as running:
        yield running


def commands(text: str) -> list[str]:
    """Return the lines of the commands, as they stand; a line that ends in a backslash has the next one with it."""
    lines = re.sub(r"\\\n *", "", text).splitlines()
    return [line for line in lines if line.startswith("    ")]


def run(text: str, directory: Path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Paste all commands but those of helm into a shell; return what came of it, and what kubectl was asked."""
    programs = directory / "programs"
    programs.mkdir()
    (programs / "kubectl").write_text(KUBECTL)
    (programs / "kubectl").chmod(0o755)
    (programs / "python3").symlink_to(sys.executable)
    (directory / "sitecustomize.py").write_text(RESOLVER)
    asked = directory / "asked"
    environ = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(directory), "ASKED": str(asked)}
    pasted = "\n".join(line for line in re.findall(r"^    .*$", text, re.MULTILINE) if not line.startswith("    helm "))
    done = subprocess.run(
        ["sh", "-e"], input=pasted, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done, asked.read_text().splitlines()


@pytest.mark.parametrize("values", [{}, NO_VOLUME, ONE_RELAY], ids=["default", "no volume", "a relay"])
def test_the_first_message(relay: Relay, tmp_path: Path, values: Map) -> None:
    """All commands together, pasted into a shell, hand a message to the Service."""
    before = relay.ledger.count()
    done, asked = run(notes({**values, "service": {"port": relay.port}}), tmp_path)
    assert (done.returncode, done.stdout) == (0, "handed over\n"), done.stderr
    message = relay.ledger.wait_for(before + 1)[-1]
    assert (message.sender, message.recipients) == ("me@example.com", ("you@example.com",))
    assert message.message_id == "The first message"
    assert len(asked) == 5
    assert all(" --namespace post " in f" {line}" for line in asked)


def test_kubectl_has_these_options() -> None:
    """Each option of a kubectl command is one that kubectl's own help names."""
    require_helm("kubectl")
    everywhere = _help("options")
    peers = {"networkPolicy": {"allowFrom": [{"podSelector": {"matchLabels": {"app": "web"}}}]}}
    seen = set()
    for line in commands(notes(peers)):
        words = shlex.split(line)
        if words[0] != "kubectl":
            continue
        words = words[: words.index("--")] if "--" in words else words
        verb = words[1] if words[1] == "run" else words[3]
        known = everywhere + _help(verb, *(["status"] if verb == "rollout" else []), "--help")
        for word in words:
            if word.startswith("-"):
                assert re.search(rf"(^|\s){re.escape(word.partition('=')[0])}[=,]", known), (verb, word)
                seen.add(word.partition("=")[0])
    assert {"--namespace", "--rm", "-i", "--restart", "--image", "--labels", "--command", "--timeout"} <= seen


def _help(*words: str) -> str:
    done = subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


#: Peers of networkPolicy.allowFrom, and what kubectl is told so that the pod may send.
SENDERS: dict[str, tuple[list[Map], str]] = {
    "all here": ([{"podSelector": {}}], "--namespace post"),
    "some here": (
        [{"podSelector": {"matchLabels": {"app": "web", "of": "me"}}}],
        "--namespace post --labels=app=web,of=me",
    ),
    "another namespace": (
        [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}],
        "--namespace shop",
    ),
    "some there": (
        [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
                "podSelector": {"matchLabels": {"app": "web"}},
            }
        ],
        "--namespace shop --labels=app=web",
    ),
    "the second": (
        [{"ipBlock": {"cidr": "192.0.2.0/24"}}, {"podSelector": {"matchLabels": {"app": "web"}}}],
        "--namespace post --labels=app=web",
    ),
    "any namespace": ([{"namespaceSelector": {}}], "--namespace post"),
}


@pytest.mark.parametrize("sender", SENDERS)
def test_the_pod_that_sends_may_send(sender: str) -> None:
    """It runs where the NetworkPolicy lets pods send, with the labels that it asks for."""
    peers, options = SENDERS[sender]
    assert f"kubectl run mail-dms-relay-try {options} --rm" in notes({"networkPolicy": {"allowFrom": peers}})


def test_warnings() -> None:
    """What an operator may not have meant is said, and nothing of it where it does not hold."""
    assert "NO RELAY IS SET" in notes()
    assert "NO " not in notes(ONE_RELAY)
    assert "NO RELAY" not in notes({"existingConfigMap": "mine"})
    assert "NO VOLUME" in notes(NO_VOLUME)
    assert "NO NETWORKPOLICY" in notes({"networkPolicy": {"enabled": False}})


def test_which_replica_is_asked() -> None:
    """If there can be several, the notes say that each has its own queue, and how to ask it; not if there is only one."""
    assert "mail-dms-relay-0, mail-dms-relay-1" in notes(ONE_RELAY)
    assert "mail-dms-relay-1" in notes({"replicaCount": 1, "autoscaling": {"enabled": True}})
    assert "mail-dms-relay-1" not in notes({"replicaCount": 1})


@pytest.mark.parametrize("case", ["both families", "a name", "for senders outside", "off"])
def test_names(case: str) -> None:
    """Names and ports are those of the objects."""
    said, objects = notes(MATRIX[case]), render(MATRIX[case])
    [name] = [found["metadata"]["name"] for found in objects if found["kind"] == "StatefulSet"]
    front = one(objects, "Service", name)["spec"]["ports"]
    assert f"{name} takes mail at {name}.post.svc.cluster.local:{front[0]['port']}" in said
    assert f"statefulset/{name}" in said
    for port in front[1:]:
        assert f"and port {port['port']}" in said


def test_the_helm_command() -> None:
    """The command that adds a relay.yaml is one that helm takes, with the chart's name in its place."""
    [line] = [line for line in commands(notes()) if line.split()[0] == "helm"]
    words = shlex.split(line.replace("CHART", "."))
    assert words[:3] == ["helm", "upgrade", "mail"]
    known = helm("upgrade", "--help").stdout
    assert all(f" {word} " in known or f" {word}\n" in known for word in words if word.startswith("--"))
