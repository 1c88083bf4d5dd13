"""The tests of relays with a transport of their own once more, on the Postfix of the image, which is newer than Debian 12's.

A test image is the project's image with Python's venv and what the tests need; the project's own files are mounted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.image.conftest import Starter
from tests.image.engine import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.image.engine import Container, Engine

#: The first part depends on the stage `base` of our Dockerfile alone, so that it is made once, and not after each change.
DOCKERFILE = """\
FROM dms-relay:test-base AS tools
RUN apt-get update -qq; \\
    DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends python3-venv
COPY requirements-dev.lock /
RUN python3 -m venv /venv; \\
    /venv/bin/pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r /requirements-dev.lock
FROM dms-relay:test
COPY --from=tools /venv /venv
"""
TESTS = tuple(f"tests/running/test_{name}.py" for name in ("states", "tls_levels", "transports", "explain"))
#: What the tests need of the project.
PARTS = ("dms_relay", "testbed", "tests", "docs", "pyproject.toml")
#: Says the version, then runs the tests.
COMMAND = f"postconf -h mail_version && exec /venv/bin/python -m pytest -p no:cacheprovider -n2 -rfEs {' '.join(TESTS)}"
#: Seconds that the tests may take; on two processors and nothing else they take 25.
PATIENCE = 600
OLDEST = (3, 10)
SUMMARY = re.compile(r"(\d+) passed in [\d.]+s.*")


@pytest.fixture
def start_tests(engine: Engine, image: str, network: str, tmp_path: Path) -> Iterator[Starter]:
    """Build the test image on the image; give what starts its containers."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    shutil.copy(ROOT / "requirements-dev.lock", tmp_path)
    assert image  # which is tagged dms-relay:test: a number can stand in a Dockerfile with podman alone
    engine.build("--target=base", tag="dms-relay:test-base")
    number = engine.build(context=tmp_path, tag="dms-relay:test-newer-postfix")
    starter = Starter(engine, number, network)
    yield starter
    starter.clean_up()


def exit_code(engine: Engine, container: Container) -> int:
    """Wait until a container has ended, however long the tests take in it; give its exit code."""
    command = [engine.program, "wait", container.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return int(done.stdout)


@pytest.mark.long
def test_transports_on_the_newer_postfix(engine: Engine, start_tests: Starter) -> None:
    """All tests of TLS levels, transports and `explain` pass on the image's Postfix, 3.10 or later, and none is skipped."""
    mounts = [f"--volume={ROOT / part}:/project/{part}:ro" for part in PARTS]
    container = start_tests(
        "--workdir=/project",
        "--entrypoint=/bin/sh",
        *mounts,
        command=("-euc", COMMAND),
        REQUIRE_POSTFIX_TESTS="1",
        SOAK="0.004",
        PYTHONPYCACHEPREFIX="/tmp/pycache",  # noqa: S108 -- in a container
    )
    assert exit_code(engine, container) == 0
    version, *lines = container.log().splitlines()
    assert tuple(map(int, re.findall(r"\d+", version)[:2])) >= OLDEST
    assert SUMMARY.fullmatch(lines[-1])
