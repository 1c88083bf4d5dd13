"""The image of a release for another processor than this machine's: it starts, and relays, in an emulator.

Skips, with the reason, where nothing runs that processor's programs (docs/release.md says what to install), where Debian's
image cannot be had for it, or without helm. The first build takes half an hour and more, so it is for ``make soak``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

import dms_relay
from tests.image import engine as engines
from tests.image.conftest import Starter
from tests.image.engine import send
from tests.support.amounts import amount
from tools import images, release

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.image.conftest import Relay
    from tests.image.engine import Engine

OTHER = next(name for name, machine in images.ARCHITECTURES.items() if machine != os.uname().machine)
NAME = f"dms-relay:{dms_relay.__version__}"
#: Programs take about ten times as long in the emulator: seconds for a call of the engine, and for what is waited for.
CALL_TIMEOUT, PATIENCE = 900, 900.0

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not amount(0, 1), reason="it takes half an hour: make soak"),
]


@pytest.fixture(scope="module")
def archive(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have `make release` make the image for the other processor; return the archive."""
    if not shutil.which("helm"):
        pytest.skip("helm is not installed")
    try:
        missing = images.not_built_here(engine.program, [OTHER])
    except images.NoBuilderError as error:
        pytest.skip(str(error))
    if missing:
        pytest.skip(f"nothing runs programs for {OTHER} here: {images.remedy(engine.program)}")
    directory = tmp_path_factory.mktemp("release")
    (directory / "Dockerfile").write_text("FROM debian:trixie-slim\nRUN true\n", "ascii")
    command = [engine.program, "build", "--platform", f"linux/{OTHER}", str(directory)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=images.environ())
    if done.returncode:
        pytest.skip(f"there is no debian:trixie-slim for {OTHER}: {done.stderr.strip().splitlines()[-1]}")
    begin = time.monotonic()
    options = ("--repository", "https://example.org/us/dms_relay", "--draft", "--architectures", OTHER)
    output = directory / "dist"
    assert release.main((*options, "--engine", engine.program, "--output", str(output))) == 0
    print(f"made for {OTHER} in {time.monotonic() - begin:.0f} s")
    [path] = output.glob("*.oci.tar")
    assert path.name == f"dms-relay-{dms_relay.__version__}-{OTHER}.oci.tar"
    return path


@pytest.fixture(scope="module")
def other(engine: Engine, archive: Path) -> Iterator[str]:
    """Load the archive as docs/release.md says; yield what the image is called then."""
    assert not engine.call("images", "--quiet", NAME), f"there is an image {NAME} already -- remove it"
    engine.call("load", "-i", str(archive))
    yield NAME
    engine.call("rmi", NAME)


def test_it_relays(monkeypatch: pytest.MonkeyPatch, engine: Engine, network: str, relay: Relay, other: str) -> None:
    """It starts, has applied what its variables say, relays a message over TLS with the login, and finds itself well."""
    monkeypatch.setattr(engines, "CALL_TIMEOUT", CALL_TIMEOUT)
    monkeypatch.setattr(engines.wait_for, "__defaults__", (PATIENCE,))
    start = Starter(engine, other, network)
    options = (f"--platform=linux/{OTHER}", "--hostname=mail.example.com")
    login = {"DEFAULT_RELAY_HOST": "[relay.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "p:ass w$rd"}
    try:
        begin = time.monotonic()
        container = start.ready(*options, **login)
        print(f"takes mail after {time.monotonic() - begin:.0f} s")
        assert container.execute("uname", "-m") == f"{images.ARCHITECTURES[OTHER]}\n"
        assert "nothing to do" in container.execute("dms-relay", "plan")
        record = relay.wait_for_mail(send(container, "example.test"))
        assert (record["login"], record["tls"]) == (["user", "p:ass w$rd"], True)
        print(f"relayed after {time.monotonic() - begin:.0f} s")
        assert container.execute("healthcheck") == ""
        said = container.execute(
            "dms-relay", "test", "--send-to", "you@elsewhere.test", "--send-from", "me@example.test"
        )
        assert "ok" in said
        assert relay.wait_for_mail("me@example.test")["login"] == ["user", "p:ass w$rd"]
    finally:
        start.clean_up()
