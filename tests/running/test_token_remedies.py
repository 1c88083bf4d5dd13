"""The remedies of access tokens are followed as all others: the finding is gone, no other came, and the mail arrives."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from testbed import Testbed
from testbed.token_server import TokenServer
from tests.running.test_remedies_followed import follow
from tests.running.walks.token_scene import TokenScene, relays_with_tokens
from tests.running.walks.token_walks import WALKS
from tests.sasl.plugin import build
from tests.support.table_types import require_indexes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running.walks import Walk


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenScene]:
    """Yield one Postfix with our plugin, its relays and an endpoint for all walks of a process."""
    require_indexes()
    plugin = build(tmp_path_factory.mktemp("plugin"))
    with ExitStack() as running, Testbed() as testbed:
        endpoint = running.enter_context(TokenServer(testbed.authority))
        relays_with_tokens(testbed, endpoint)
        postfix = testbed.postfix({"import_environment": plugin.import_environment})
        base = tuple((postfix.config / name).read_text() for name in ("main.cf", "master.cf"))
        scene = TokenScene(testbed, postfix, (base[0], base[1]), endpoint, plugin)
        with scene.lock, scene.daemons:
            yield scene


@pytest.mark.one_in(3)
@pytest.mark.parametrize("walk", [pytest.param(walk, id=walk.name) for walk in WALKS])
def test_remedy(scene: TokenScene, walk: Walk) -> None:
    """Before, the finding is there; once its remedy is followed, it is gone, and so is all that it kept from its way."""
    follow(scene, walk)
