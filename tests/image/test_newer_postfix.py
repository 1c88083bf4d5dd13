"""The tests of relays with a transport, and of the SASL plugin, once more, on the image's Postfix: newer than Debian 12's.

A test image is the project's image with Python's venv and what the tests need; the project's own files are mounted.
"""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.image.conftest import Starter
from tests.image.engine import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.image.engine import Container, Engine

#: The first part depends on the stage `base` of our Dockerfile alone, so that it is made once, and not after each change.
DOCKERFILE = """\
FROM dms-relay:test-base AS tools
RUN apt-get update -qq; \\
    DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends python3-venv
COPY requirements.lock /
RUN python3 -m venv /venv; \\
    /venv/bin/pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r /requirements.lock
FROM dms-relay:test
COPY --from=tools /venv /venv
"""
#: What the tests import beside the package itself: of all that is locked, these and what they need. The others, such as
#: mypy and ruff, take twice as long to install as these.
NEEDED = ("dms-relay", "aiosmtpd", "hypothesis", "pytest", "pytest-xdist", "trustme")
TESTS = tuple(f"tests/running/test_{name}.py" for name in ("states", "tls_levels", "transports", "explain"))
#: These with the plugin that the image has.
TESTS += ("tests/sasl/test_postfix.py", "tests/sasl/test_tables.py")
#: What the tests need of the project.
PARTS = ("dms_relay", "testbed", "tests", "docs", "pyproject.toml")
#: Says the version, then runs the tests of a file.
COMMAND = "postconf -h mail_version && exec /venv/bin/python -m pytest -p no:cacheprovider -n2 -rfEs "
#: Seconds that the tests may take; on two processors and nothing else they take 25.
PATIENCE = 600
OLDEST = (3, 10)
SUMMARY = re.compile(r"(\d+) passed in [\d.]+s.*")


def with_all_they_need(packages: Iterable[str]) -> set[str]:
    """Return packages, and all that these need, as they are installed here; extras apart."""
    found: set[str] = set()
    left = list(packages)
    while left:
        name = canonicalize_name(left.pop())
        if name not in found:
            found.add(name)
            needs = map(Requirement, metadata.requires(name) or ())
            left += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def locked(lock: str, packages: set[str]) -> Iterator[str]:
    """Yield the entries of some packages: version and hashes."""
    for entry in re.split(r"^(?=\w)", lock, flags=re.MULTILINE):
        if canonicalize_name(entry.partition("==")[0]) in packages:
            yield entry


@pytest.fixture
def start_tests(engine: Engine, image: str, network: str, tmp_path: Path) -> Iterator[Starter]:
    """Build the test image on the image; give what starts its containers."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    lock = (ROOT / "requirements-dev.lock").read_text()
    (tmp_path / "requirements.lock").write_text("".join(locked(lock, with_all_they_need(NEEDED))))
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


@pytest.mark.one_in(6)
@pytest.mark.long
@pytest.mark.parametrize("file", TESTS)
def test_transports_on_the_newer_postfix(engine: Engine, start_tests: Starter, file: str) -> None:
    """All tests of these files pass on the image's Postfix, 3.10 or later, and none is skipped."""
    mounts = [f"--volume={ROOT / part}:/project/{part}:ro" for part in PARTS]
    container = start_tests(
        "--workdir=/project",
        "--entrypoint=/bin/sh",
        *mounts,
        command=("-euc", COMMAND + file),
        REQUIRE_POSTFIX_TESTS="1",
        SOAK="0.004",
        PYTHONPYCACHEPREFIX="/tmp/pycache",  # noqa: S108 -- in a container
    )
    assert exit_code(engine, container) == 0
    version, *lines = container.log().splitlines()
    assert tuple(map(int, re.findall(r"\d+", version)[:2])) >= OLDEST
    assert SUMMARY.fullmatch(lines[-1])
