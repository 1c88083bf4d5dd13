"""The README's way with the image, and docs/start-image.md, typed as they stand: the first message is seen at the relay."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.image.conftest import Starter, start_relay, unique
from tests.image.engine import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.engine import Engine

#: What each of them has in a place of its own.
NAMES = ("relay-queue", "relay-state")
#: The first line that needs the relay, which stands in for the service of the example.
FIRST = "docker run"


def commands_of(page: str) -> str:
    """Return what a page has one type, without what gets the source, and builds the image that is there already."""
    text = (ROOT / page).read_text("utf-8")
    if page == "README.md":
        text = text.partition("### 1. The image")[2].partition("###")[0]
        found = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    else:
        blocks = re.findall(r"^ +```sh\n(.*?)^ +```", text, re.DOTALL | re.MULTILINE)
        found = "\n".join(line.strip() for block in blocks for line in block.splitlines())
    assert "docker build" in found
    return "\n".join(line for line in found.splitlines() if not line.startswith(("docker build", "git clone")))


@pytest.mark.parametrize("page", ["README.md", "docs/start-image.md"])
def test_from_nothing_to_the_first_message(engine: Engine, image: str, tmp_path: Path, page: str) -> None:
    """Who types it, with the service's host in reach, has sent a message, with the login, over TLS."""
    network, name = unique("network"), unique("relay")
    text = commands_of(page).replace(" relay ", f" {name} ").replace("network create mail", f"network create {network}")
    text = text.replace("--network mail", f"--network {network}").replace("unless-stopped", "no")
    volumes = [unique(volume) for volume in NAMES]
    for ours, theirs in zip(volumes, NAMES, strict=True):
        text = text.replace(f"{theirs}:", f"{ours}:")
    text = re.sub(r"\bdms-relay$", image, text, count=1, flags=re.MULTILINE)
    first, _, then = text.partition(FIRST)
    starter = Starter(engine, image, network)
    try:
        type_in(engine, tmp_path, first)
        (tmp_path / "certificate").mkdir()
        relay = start_relay(starter, "smtp.example.com", tmp_path / "certificate")
        said = type_in(engine, tmp_path, f"{FIRST}{then}")
        assert "ok" in said
        record = relay.wait_for_mail("me@example.com")
        assert (record["to"], record["login"], record["tls"]) == (["you@example.org"], ["me", "PASSWORD"], True)
    finally:
        engine.call("rm", "-f", name, check=False)
        starter.clean_up()
        engine.call("volume", "rm", *volumes, check=False)
        engine.call("network", "rm", network, check=False)


def type_in(engine: Engine, directory: Path, text: str) -> str:
    """Run what is typed, where ``docker`` is the engine that is here."""
    script = f'set -e\ndocker() {{ {engine.program} "$@"; }}\n{text}'
    done = subprocess.run(["bash", "-c", script], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
