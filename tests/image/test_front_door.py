"""The first five minutes, typed as the pages have them: the first message is seen at the relay.

The README's way with the image and docs/start-image.md with this machine's engine; docs/start-host.md on a bare Debian.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from dms_relay.model.places import CONFIG_DIR_VARIABLE, HOST_DIRECTORY
from tests.image.conftest import Starter, start_relay, unique
from tests.image.engine import ROOT
from tests.support.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.engine import Engine

#: What each of them has in a place of its own.
NAMES = ("relay-queue", "relay-state")
#: The first line that needs the relay, which stands in for the service of the example.
FIRST = "docker run"


def commands_of(page: str) -> str:
    """Return what a page has one type, without what gets the source, and builds the image that is there already."""
    if page == "README.md":
        text = (ROOT / page).read_text("utf-8").partition("### 1. The image")[2].partition("###")[0]
        found = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    else:
        found = "".join(blocks_of(page))
    assert "docker build" in found
    return "\n".join(line for line in found.splitlines() if not line.startswith(("docker build", "git clone")))


def blocks_of(page: str) -> list[str]:
    """Return what each step of a page has one type."""
    text = (ROOT / page).read_text("utf-8")
    blocks = re.findall(r"^ +```sh\n(.*?)^ +```", text, re.DOTALL | re.MULTILINE)
    return ["".join(f"{line[3:]}\n" for line in block.splitlines()) for block in blocks]


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


#: A bare Debian on which the first two steps were taken; what a person answers is answered before.
MACHINE = """\
FROM debian:{suite}-slim
ENV DEBIAN_FRONTEND=noninteractive
COPY . /src
WORKDIR /src
RUN echo 'postfix postfix/main_mailer_type select Internet Site' | debconf-set-selections; apt-get update
RUN {packages}
RUN {package}
"""


@pytest.mark.soak
@pytest.mark.skipif(not amount(0, 1), reason="it takes minutes: make soak")
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_on_a_bare_machine(engine: Engine, start: Starter, tmp_path: Path, suite: str) -> None:
    """Who types docs/start-host.md has Postfix relay: the program's own message, and one of another program's."""
    if not engine.has(f"debian:{suite}-slim"):
        pytest.skip(f"there is no debian:{suite}-slim")
    begin = time.monotonic()
    packages, package, inputs, first, _unit = blocks_of("docs/start-host.md")
    package = "\n".join(line for line in package.splitlines() if not line.startswith("git clone"))
    commands = {"packages": packages.replace("install", "install -y --no-install-recommends"), "package": package}
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "src" / name)
    written = {name: " && ".join(text.strip().splitlines()) for name, text in commands.items()}
    (tmp_path / "src/Dockerfile").write_text(MACHINE.format(suite=suite, **written))
    machine = engine.build(context=tmp_path / "src", tag=f"dms-relay:test-front-door-{suite}")
    installed = time.monotonic()
    (tmp_path / "certificate").mkdir()
    relay = start_relay(start, "smtp.example.com", tmp_path / "certificate")
    name = unique("machine")
    # A container has its inputs elsewhere unless told otherwise.
    directory = f"--env={CONFIG_DIR_VARIABLE}={HOST_DIRECTORY}"
    options = (f"--network={start.network}", "--hostname=host.example.com", directory)
    # As the machine starts it: in Debian 12, smtp(8) runs in a chroot, which that fills.
    engine.call("run", "-d", "--name", name, *options, machine, "sh", "-c", "service postfix start; sleep 600")
    try:
        started = time.monotonic()
        said = engine.call("exec", name, "bash", "-ec", f"{inputs}{first}")
        assert "applied" in said
        assert relay.wait_for_mail("me@example.com")["login"] == ["me", "PASSWORD"]
        print(
            f"{suite}: {installed - begin:.0f} s to install, then {time.monotonic() - started:.0f} s to the first message"
        )
        engine.call(
            "exec", "-i", name, "sendmail", "-f", "other@example.com", "you@example.org", feed="Subject: x\n\nx\n"
        )
        assert relay.wait_for_mail("other@example.com")["tls"] is True
    finally:
        engine.call("rm", "-f", name, check=False)
