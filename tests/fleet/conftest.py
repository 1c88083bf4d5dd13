"""Fixtures of the fleet's tests: podman, the image, the programs that render the chart, and replicas.

Without podman, or without helm and kubectl, the tests skip, with the reason; with ``REQUIRE_IMAGE_TESTS=1`` or
``REQUIRE_HELM_TESTS=1`` that is a failure.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from testbed.fleet.fleet import Fleet
from tests.image.conftest import engine, give_up, image
from tests.support.scene import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.image.engine import Engine

__all__ = ["engine", "image"]

#: Seconds that a replica has to deliver what waits, when it is told to go: one whose server takes nothing, and one of three.
SHORT, LONG = 5, 30
#: A changed input is seen within this many seconds.
ENV = {"RELAY_WATCH_INTERVAL": "0.5"}


@pytest.fixture(scope="session")
def replica_image(engine: Engine, request: pytest.FixtureRequest) -> str:
    """Build the image, where what tests need is here: podman, which plays pods, and what renders them."""
    if engine.program != "podman":
        give_up("pods are played by podman only")
    if os.geteuid() != 0:
        needs_root("only root can lay volumes out as kubelet does")
    for program in ("helm", "kubectl"):
        if shutil.which(program) is None:
            if os.environ.get("REQUIRE_HELM_TESTS") == "1":
                pytest.fail(f"{program} is not found")
            pytest.skip(f"{program} is not found")
    return str(request.getfixturevalue("image"))


@pytest.fixture(scope="module")
def replica(replica_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Yield a fleet of one replica, which tests change: what it has is what was set last."""
    directory = tmp_path_factory.mktemp("replica")
    with Fleet(directory, replica_image, replicaCount=1, env=ENV, drain={"timeout": SHORT}) as fleet:
        yield fleet


@pytest.fixture
def fleet(replica_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Yield a fleet of three replicas."""
    with Fleet(
        tmp_path_factory.mktemp("fleet"), replica_image, replicaCount=3, env=ENV, drain={"timeout": LONG}
    ) as fleet:
        yield fleet
