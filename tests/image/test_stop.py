"""How a container ends: by ``stop`` at any moment, or because Postfix does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.image.engine import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Starter
    from tests.image.engine import Container

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
#: Finds processes that have ended and that nobody has reaped.
ZOMBIES = r"grep -sl '^State:[[:space:]]*Z' /proc/[0-9]*/status || true"


def stop(container: Container, when: str) -> None:
    """Stop a container, and assert that it ends by itself, with exit code 0; after 10 s the engine would kill it."""
    code, seconds = container.stop()
    print(f"stop {when}: {seconds:.2f} s")
    assert code == 0


def test_stop_ends_postfix_in_order(start: Starter) -> None:
    """Once Postfix runs, a stop is Postfix's own stop."""
    container = start.ready()
    stop(container, "when ready")
    assert "stopping the Postfix mail system" in container.log()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("seconds", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_stop_soon_after_the_start(start: Starter, seconds: float) -> None:
    """A stop works in each moment of the start: in a hook, while Postfix starts, right after."""
    container = start()
    time.sleep(seconds)
    stop(container, f"{seconds} s after the start")


@pytest.mark.parametrize("text", ["sleep 60", "trap '' TERM; sleep 60", "exec sleep 60"], ids=["shell", "deaf", "exec"])
def test_stop_during_a_hook(start: Starter, tmp_path: Path, text: str) -> None:
    """A stop ends the hook that runs, even one that does not listen, and Postfix is not started."""
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho the hook runs\n{text}\n")
    hook.chmod(0o755)
    container = start(f"--volume={hook}:/docker-entrypoint.d/30-slow:ro")
    wait_for(lambda: "the hook runs" in container.log(), "the hook")
    stop(container, "during a hook")
    assert "starting the Postfix mail system" not in container.log()


def test_stop_while_something_writes_main_cf(start: Starter) -> None:
    """`postfix stop` waits for a main.cf that was written a moment ago, and a stop does not wait for `postfix stop`."""
    container = start.ready()
    touch = "for i in $(seq 200); do touch /etc/postfix/main.cf; sleep 0.1; done"
    container.execute("sh", "-c", f"({touch}) >/dev/null 2>&1 &")
    stop(container, "while something writes main.cf")


def test_stop_while_postfix_waits_for_a_hot_main_cf(start: Starter, tmp_path: Path) -> None:
    """Postfix waits for a main.cf that something a hook has left behind keeps writing, and a stop works meanwhile too."""
    hook = tmp_path / "hook"
    # Without a pause: our last step sets the time of main.cf back, and Postfix's programs are quick to take that.
    touch = "while :; do touch /etc/postfix/main.cf; done"
    hook.write_text(f"#!/bin/sh\ntimeout 10 sh -c '{touch}' &\nsleep 0.2\necho the hook has ended\n")
    hook.chmod(0o755)
    container = start(f"--volume={hook}:/docker-entrypoint.d/30-hot:ro")
    wait_for(lambda: "the hook has ended" in container.log(), "the hook")
    time.sleep(0.5)
    assert "daemon started" not in container.log()
    stop(container, "while main.cf is hot")


def test_interrupt_ends_it_too(start: Starter) -> None:
    """INT, which Ctrl-C sends, is as good as TERM."""
    container = start.ready()
    container.engine.call("kill", "--signal=INT", container.name)
    assert container.wait_until_ended() == 0
    assert "stopping the Postfix mail system" in container.log()


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_the_container_ends_with_postfix(start: Starter, signal: str) -> None:
    """A container whose Postfix ends by itself ends too, and not with exit code 0, so that it can be started again."""
    container = start.ready()
    container.execute("sh", "-c", f"kill -{signal} $(cat /var/spool/postfix/pid/master.pid)", check=False)
    assert container.wait_until_ended() not in {0, None}
    assert "docker-entrypoint: error: Postfix ended by itself, with exit code " in container.log()


def test_a_restart_changes_nothing(start: Starter) -> None:
    """The second start of a container writes none of Postfix's files, and Postfix runs again."""
    container = start.ready(DEFAULT_RELAY_HOST="[relay.test]:587", RELAY_USER="user", RELAY_PASSWORD="secret")
    before = snapshot(container)
    container.stop()
    container.engine.call("start", container.name)
    container.wait_until_ready(times=2)
    assert snapshot(container) == before
    assert "nothing to do" in container.log()


def snapshot(container: Container) -> str:
    """Return content, times, modes and owners of Postfix's configuration."""
    script = "cd /etc/postfix; find . -type f | sort | while read f; do stat -c '%n %y %a %u:%g' $f; sha256sum $f; done"
    return container.execute("sh", "-c", script)


def test_starts_again_after_a_kill(start: Starter) -> None:
    """What a killed Postfix leaves behind (its lock's file, its sockets) does not keep it from starting again."""
    container = start.ready()
    container.engine.call("kill", container.name)
    assert container.wait_until_ended() == 137
    container.engine.call("start", container.name)
    container.wait_until_ready(times=2)
    stop(container, "after a second start")


def test_orphans_are_reaped(start: Starter) -> None:
    """Process 1 reaps the children that others leave behind."""
    container = start.ready()
    container.execute("sh", "-c", "(sleep 0.2 &) ; (sleep 0.3 &)")
    time.sleep(0.6)
    assert container.execute("sh", "-c", ZOMBIES) == ""


def test_two_containers_do_not_share_a_queue(start: Starter, volume: str) -> None:
    """A second container on the same queue refuses to start and leaves the first one alone."""
    queue = f"--volume={volume}:/var/spool/postfix"
    first = start.ready(queue)
    second = start(queue)
    assert second.wait_until_ended() == 1
    assert "the Postfix mail system is already running" in second.log()
    assert "running: PID" in first.execute("postfix", "status", check=False) + first.log()
