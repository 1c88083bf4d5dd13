"""Fixtures: a testbed, a name server that this process asks, and a configuration on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.resolver
import pytest

from testbed import Testbed
from tests.relay_test.scene import Scene
from tests.running.needs import require_postfix
from tests.support.name_server import NameServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sandbox import Sandbox


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Yield a name server, which dnspython asks from now on."""
    with NameServer({}) as server:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.port
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        yield server


@pytest.fixture
def scene(sandbox: Sandbox, names: NameServer, tmp_path: Path) -> Iterator[Scene]:
    """Yield a configuration without a relay. main.cf is read by Postfix itself."""
    require_postfix()
    with Testbed() as testbed:
        yield Scene(sandbox, testbed, names, tmp_path)
