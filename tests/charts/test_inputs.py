"""relay.yaml and the other files come into the pod as they were written, and dms-relay believes and understands them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.charts.helm import ROOT, Map, container, helm, one, pod, render
from tests.charts.matrix import MATRIX, RELAY_YAML
from tests.support.scene import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

CONFIG = "/tmp/docker-mailserver"  # noqa: S108 -- in a pod
#: Texts that YAML, Helm or a shell could change on the way.
ODD = "a = {{ .Release.Name }} $HOME \\n\t'\"\n  b\n\n# é #\r\nno line end"


def test_texts_are_what_was_written() -> None:
    """Every file is the same to the letter, whatever is in it; nothing in it is a template."""
    values = {
        "relayYaml": RELAY_YAML,
        "existingSecret": "s",
        "postfixMainCf": ODD,
        "postfixMasterCf": f"\n{ODD}\n\n",
        "postfixRelaymapCf": "@a b\n",
    }
    assert one(render(values), "ConfigMap")["data"] == {
        "relay.yaml": RELAY_YAML,
        "postfix-main.cf": ODD,
        "postfix-master.cf": f"\n{ODD}\n\n",
        "postfix-relaymap.cf": "@a b\n",
    }


def test_a_file_on_the_command_line() -> None:
    """``--set-file`` takes the example that shows the keys of relay.yaml as it is."""
    example = ROOT / "examples/relay.yaml"
    text = example.read_text("utf-8")
    done = helm("template", "mail", str(ROOT / "charts/dms-relay"), "--set-file", f"relayYaml={example}")
    # It names files of Secrets that are the reader's own.
    assert "/run/secrets/" in text
    assert "is named, but no Secret is mounted there" in done.stderr


def test_dms_relay_understands_it(sandbox: Sandbox) -> None:
    """A relay.yaml that was a map in the values is one that dms-relay carries out, with the same relays."""
    for case in ("a relay as a map", "a relay"):
        text = one(render(MATRIX[case]), "ConfigMap")["data"]["relay.yaml"]
        sandbox.write("relay.yaml", text.replace(", password_file: /run/secrets/dms-relay/mailgun", ", password: x"))
        result = sandbox.run("list")
        assert result.code == 0, result.err
    assert "[smtp.mailgun.org]:2526" in result.out


def files_of(volume: Map) -> dict[str, int]:
    """Return the files that a volume of the pod shows, with their modes: one for each object in it."""
    if "configMap" in volume:
        return {"relay.yaml": volume["configMap"]["defaultMode"]}
    if "secret" in volume:
        return {"password": volume["secret"]["defaultMode"]}
    found: dict[str, int] = {}
    for source in volume.get("projected", {}).get("sources", ()):
        items = source.get("secret", {}).get("items", ())
        found |= {item["path"]: item["mode"] for item in items} or {"relay.yaml": volume["projected"]["defaultMode"]}
    return found


def test_dms_relay_believes_it(tmp_path: Path) -> None:
    """Mounted as kubelet does it, all inputs are those that nobody else can write; not so without a mount in between."""
    if os.geteuid() != 0:
        needs_root("only root can mount")
    objects = render({**MATRIX["two Secrets"], "saslPasswordSecret": {"name": "sasl"}})
    volumes = {volume["name"]: files_of(volume) for volume in pod(objects)["volumes"]}
    mounts = [mount for mount in container(objects)["volumeMounts"] if mount["mountPath"].startswith(("/run", "/tmp"))]  # noqa: S108
    ask = [f"{CONFIG}/relay.yaml", f"{CONFIG}/postfix-sasl-password.cf"]
    ask += [f"/run/secrets/{name}/password" for name in ("dms-relay", "two.example", "three")]
    assert believed(volumes, mounts, ask, tmp_path) == [f"{path}: believed" for path in ask]
    without = [mount for mount in mounts if mount["mountPath"] != "/run/secrets"]
    assert believed(volumes, without, ask, tmp_path)[2] == "/run/secrets/dms-relay/password: /run others"


def believed(volumes: dict[str, dict[str, int]], mounts: list[Map], ask: list[str], tmp_path: Path) -> list[str]:
    """Return what ``pod_mounts`` says."""
    told = tmp_path / "told"
    told.write_text(json.dumps({"volumes": volumes, "mounts": mounts, "ask": ask}), "utf-8")
    command = ["unshare", "--mount", sys.executable, "-m", "tests.charts.pod_mounts"]
    with told.open(encoding="utf-8") as feed:
        done = subprocess.run(command, cwd=ROOT, stdin=feed, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()
