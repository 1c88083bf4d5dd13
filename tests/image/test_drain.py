"""The drain in the image: RELAY_DRAIN at a stop, the words of the health check, and a start after it."""

from __future__ import annotations

import time
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from tests.image.engine import send, wait_for

if TYPE_CHECKING:
    from tests.image.conftest import Relay, Starter
    from tests.image.engine import Container

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
#: A relay that nobody is behind, and one that is; the second one takes what comes.
DEFAULT = {"RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}
GREETS = """
import socket, sys
with socket.create_connection(("127.0.0.1", 25), 20) as client:
    print(client.recv(1000).decode())
"""


def stop(container: Container, seconds: int) -> float:
    """Stop a container that has so many seconds for it; return how many it took. Its exit code is 0."""
    begin = time.monotonic()
    container.engine.call("stop", f"--time={seconds}", container.name)
    assert container.wait_until_ended() == 0
    return time.monotonic() - begin


def health(container: Container, word: str) -> str:
    """Return what the health check says, and its exit code."""
    return container.execute("sh", "-c", f"healthcheck {word} 2>&1; echo exit code $?").strip()


def test_a_stop_delivers_what_waits(start: Starter, relay: Relay) -> None:
    """What was accepted just now is at the relay when `docker stop` with RELAY_DRAIN has ended; then Postfix is stopped."""
    container = start.ready(DEFAULT_RELAY_HOST="[relay.test]:587", RELAY_DRAIN="30s", **DEFAULT)
    assert health(container, "live") == health(container, "ready") == "exit code 0"
    sender = send(container, "drain.test")
    stop(container, 60)
    assert len(relay.received(sender)) == 1
    log = container.log()
    assert "at most RELAY_DRAIN=30s" in log
    assert "nothing remains of" in log
    assert log.index("nothing remains of") < log.index("stopping the Postfix mail system")


def test_a_relay_that_is_away(start: Starter, volume: str) -> None:
    """What remains is said with its reason; a second TERM ends the drain at once; the next start takes mail again.

    Meanwhile the container is alive and not ready, and new sessions get 421.
    """
    queue = f"--volume={volume}:/var/spool/postfix"
    container = start.ready(queue, DEFAULT_RELAY_HOST="[127.0.0.2]:2", RELAY_DRAIN="2m", **DEFAULT)
    send(container, "drain.test")
    container.engine.call("kill", "--signal=TERM", container.name)
    wait_for(lambda: "Postfix takes no new mail\n" in container.log(), "the drain")
    assert container.execute("python3", "-c", GREETS).startswith("421 4.3.2 ")
    assert health(container, "live") == "exit code 0"
    assert health(container, "ready").endswith("exit code 1")
    assert health(container, "").endswith("exit code 1")
    container.engine.call("kill", "--signal=TERM", container.name)
    assert container.wait_until_ended() == 0
    assert "stopping the Postfix mail system" in container.log()
    container.engine.call("start", container.name)
    container.wait_until_ready(times=2)
    assert container.execute("python3", "-c", GREETS).startswith("220 ")
    assert health(container, "ready") == "exit code 0"
    said = container.execute("dms-relay", "drain", "--timeout", "1", check=False)
    assert "[127.0.0.2]:2" in said
    assert "they stay in /var/spool/postfix" in said


def test_hand_over(start: Starter, relay: Relay) -> None:
    """What a relay that is away does not take arrives by another container, whose RELAY_PERMIT lets this one send."""
    good = {"DEFAULT_RELAY_HOST": "[relay.test]:587", **DEFAULT}
    container = start.ready(DEFAULT_RELAY_HOST="[127.0.0.2]:2", **DEFAULT)
    network = ip_network(f"{container.address()}/16", strict=False)
    start.ready("--network-alias=other.test", RELAY_PERMIT=f"192.0.2.7, {network}", **good)
    sender = send(container, "hand-over.test")
    said = container.execute("dms-relay", "drain", "--timeout", "40", "--hand-over", "other.test")
    assert "nothing remains of" in said
    assert relay.wait_for_mail(sender)
    wait_for(lambda: "to=<someone@elsewhere.test>, relay=other.test" in container.log(), "the delivery in the log")


def test_a_wrong_time_stops_the_start(start: Starter) -> None:
    """A RELAY_DRAIN that is no time is an error at the start."""
    container = start(RELAY_DRAIN="soon", RELAY_PERMIT="10.1.2.3/8")
    assert container.wait_until_ended() == 78
    assert 'env RELAY_DRAIN: "soon" is not a time that a drain can have -- write seconds, 90s, ' in container.log()
    assert 'env RELAY_PERMIT: "10.1.2.3/8" is not a network' in container.log()
