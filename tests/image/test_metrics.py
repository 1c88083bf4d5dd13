"""Metrics of the image: deliveries counted as the log passes, served by the keeper, going on after a restart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.image.engine import send, wait_for
from tests.image.test_hardened import HARDENED, HERE, MOUNTED, empty

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Relay, Starter
    from tests.image.engine import Container

PORT = 9154
FETCH = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{PORT}/metrics').read().decode())"
SENT = r'^postfix_smtp_messages_processed_total\{dsn="2",relay="\[relay\.test\]:587",status="sent"\} (\S+)$'


def fetched(container: Container) -> str:
    """Return what is served; empty for nothing."""
    return container.execute("/opt/dms-relay/bin/python", "-I", "-c", FETCH, check=False)


def sent(text: str) -> float:
    """Return how many recipients have gone to the relay."""
    found = re.search(SENT, text, re.MULTILINE)
    return float(found[1]) if found else -1


@pytest.mark.long
def test_deliveries_are_counted(start: Starter, relay: Relay, tmp_path: Path) -> None:
    """In a hardened container, what the relay has got is counted and served; a restart goes on; the log is whole."""
    container = start.ready(*HARDENED, *empty(tmp_path, *MOUNTED), **{**HERE, "RELAY_METRICS": f":{PORT}"})
    wait_for(lambda: sent(fetched(container)) == 0, "metrics")
    for count in (1, 2):
        sender = send(container, "metrics.test")
        relay.wait_for_mail(sender)
        wait_for(lambda count=count: sent(fetched(container)) == count, "the delivery")  # type: ignore[misc]
        text = fetched(container)
        assert re.search(r"^postfix_cleanup_messages_processed_total [1-9]", text, re.MULTILINE)
        assert "\ndms_relay_keeper_running 1.0\n" in text
        assert "\ndms_relay_postfix_running 1.0\n" in text
        assert "\ndms_relay_unparsed_deliveries_total 0.0\n" in text
        assert sender in container.log()
        if count == 1:
            container.stop()
            container.engine.call("start", container.name)
            container.wait_until_ready(2)
            wait_for(lambda: sent(fetched(container)) == 1, "metrics again")


def test_a_wrong_value_ends_the_start(start: Starter) -> None:
    """What RELAY_METRICS cannot be is said, with exit code 78."""
    container = start(RELAY_METRICS="9154")
    assert container.wait_until_ended() == 78
    assert "env RELAY_METRICS: the value is neither :PORT nor HOST:PORT" in container.log()
