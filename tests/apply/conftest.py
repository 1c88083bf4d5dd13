"""Fixtures of what more than one module here needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay.sources
from testbed.token_rules import OAuth2Client
from testbed.token_server import TokenServer
from tests.apply.token_scene import AUTHORITY, SECRET, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox import Sandbox


@pytest.fixture
def our_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be where the hook is that applies an operator's own files: any program will do."""
    monkeypatch.setattr(dms_relay.sources, "USER_FILES_HOOK", Path(sys.executable))


@pytest.fixture
def server() -> Iterator[TokenServer]:
    """Return a token endpoint that knows a client."""
    with TokenServer(AUTHORITY) as server:
        server.clients["us"] = OAuth2Client(secret=SECRET)
        yield server


@pytest.fixture
def scene(sandbox: Sandbox, server: TokenServer, tmp_path: Path) -> Scene:
    """Return a scene that is not applied yet."""
    scene = Scene(sandbox, server, tmp_path)
    scene.write()
    return scene
