"""How a container starts: what Postfix's own checks are left out for, and that no mail is lost over it.

Each test says with LOG_LEVEL=debug whether Postfix made its checks itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from dms_relay.container.installation import INSTALLATION
from tests.image.engine import ROOT, Container, send, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Relay, Starter

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(2)
QUEUE = "/var/spool/postfix"
QUICK = "Postfix starts without its own checks"
FULL = "Postfix starts with its own checks"
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": "secret", "LOG_LEVEL": "debug"}
#: A relay at which nobody listens: mail waits.
AWAY = {"DEFAULT_RELAY_HOST": "[relay.test]:9", **LOGIN}
HERE = {"DEFAULT_RELAY_HOST": "[relay.test]:587", **LOGIN}
#: Messages that a test puts into the queue.
MESSAGES = 8
#: Seconds between two flushes of the queue.
FLUSH = 5.0
#: Prints each message whose name does not end with its inode, as long and short queue ids do (mail_queue.c), by its number.
MISNAMED = f"""
cd {QUEUE} && find deferred active incoming -type f -printf '%f %i\\n' | while read -r name inode; do
  case $name in *$(printf %X "$inode")) ;; *) echo "$name" ;; esac
done
"""


def again(container: Container, times: int) -> str:
    """Start a container again, and return what it has said since."""
    before = len(container.log().splitlines())
    container.engine.call("start", container.name)
    container.wait_until_ready(times)
    return "\n".join(container.log().splitlines()[before:])


def fill(container: Container) -> list[str]:
    """Put mail into the queue that cannot be delivered yet; return its senders."""
    senders = [send(container, "example.test") for _ in range(MESSAGES)]
    wait_for(lambda: container.log().count("status=deferred") >= MESSAGES, "the relay to be out of reach")
    return [*senders]


def delivered(container: Container, relay: Relay, senders: list[str]) -> None:
    """Assert that each message arrives, once. The network's DNS may fail for a moment, so the queue is flushed again."""
    flushed = float("-inf")

    def have_arrived() -> bool:
        nonlocal flushed
        if time.monotonic() - flushed > FLUSH:
            container.execute("postqueue", "-f")
            flushed = time.monotonic()
        return all(relay.received(sender) for sender in senders)

    wait_for(have_arrived, "all messages at the relay")
    assert [len(relay.received(sender)) for sender in senders] == [1] * len(senders)


@pytest.fixture
def helper(start: Starter, volume: str) -> Container:
    """Return a container in which nothing runs, on the queue's volume."""
    return start(f"--volume={volume}:{QUEUE}", command=("sleep", "3600"))


def test_a_new_queue_and_a_restart(start: Starter, relay: Relay, volume: str) -> None:
    """Postfix makes no checks of its own on a new volume, nor at a restart, and mail is relayed."""
    container = start.ready(f"--volume={volume}:{QUEUE}", **HERE)
    assert QUICK in container.log()
    relay.wait_for_mail(send(container, "example.test"))
    container.stop()
    assert QUICK in again(container, 2)
    relay.wait_for_mail(send(container, "example.test"))
    assert container.execute("sh", "-c", f"ls {QUEUE}/quick-start 2>&1", check=False).startswith("ls: cannot access")


def test_an_empty_directory(start: Starter, relay: Relay, tmp_path: Path) -> None:
    """A directory of the host's that is empty is filled by Postfix's own checks, with owners and modes; then it is quick."""
    (tmp_path / "queue").mkdir()
    container = start.ready(f"--volume={tmp_path}/queue:{QUEUE}", **HERE)
    assert FULL in container.log()
    relay.wait_for_mail(send(container, "example.test"))
    assert container.execute("stat", "-c", "%a %U %G", f"{QUEUE}/maildrop") == "730 postfix postdrop\n"
    container.stop()
    assert QUICK in again(container, 2)


@pytest.mark.one_in(1)
@pytest.mark.long
def test_a_kill_loses_nothing(start: Starter, relay: Relay, volume: str) -> None:
    """Mail in the queue of a container that is killed, and taken away, is delivered by the next one, each message once."""
    queue = f"--volume={volume}:{QUEUE}"
    first = start.ready(queue, **AWAY)
    senders = fill(first)
    first.execute("postqueue", "-f")  # so that some are in the active queue
    first.engine.call("kill", first.name)
    assert first.wait_until_ended() == 137
    first.remove()
    second = start.ready(queue, **HERE)
    assert QUICK in second.log()
    delivered(second, relay, senders)


@pytest.mark.long
def test_a_kill_during_deliveries_loses_nothing(start: Starter, relay: Relay, volume: str) -> None:
    """A container that is killed again and again while it takes mail and delivers it: all arrives that it said it took."""
    container = start.ready(f"--volume={volume}:{QUEUE}", **HERE)
    senders = []
    for times in (2, 3):
        senders += [send(container, "example.test") for _ in range(MESSAGES)]
        container.engine.call("kill", container.name)
        container.wait_until_ended()
        assert QUICK in again(container, times)
    container.execute("postqueue", "-f")
    for sender in senders:
        wait_for(lambda sender=sender: bool(relay.received(sender)), f"mail from {sender}")  # type: ignore[misc]


@pytest.fixture
def restored(start: Starter) -> str:
    """Return the name of another volume."""
    return start.new_volume()


@pytest.mark.long
def test_a_backup_that_is_restored(start: Starter, relay: Relay, volume: str, restored: str) -> None:
    """Messages that come back from a backup, whose inodes are other ones, get names that fit, and are all delivered."""
    first = start.ready(f"--volume={volume}:{QUEUE}", **AWAY)
    senders = fill(first)
    first.stop()
    copy = start(f"--volume={volume}:/from", f"--volume={restored}:/to", command=("sleep", "3600"))
    copy.execute("sh", "-c", "rm -rf /to/*; tar -C /from -cf - . | tar -C /to -xpf -")
    look = start(f"--volume={restored}:{QUEUE}", command=("sleep", "3600"))
    assert len(look.execute("sh", "-c", MISNAMED).splitlines()) == MESSAGES
    second = start.ready(f"--volume={restored}:{QUEUE}", **HERE)
    assert f"postsuper: Renamed to match inode number: {MESSAGES} messages" in second.log()
    delivered(second, relay, senders)


@pytest.mark.long
def test_a_backup_without_its_owners(start: Starter, relay: Relay, helper: Container, volume: str) -> None:
    """A queue whose files all belong to root stops the start, and nothing is lost: docs/image.md has what gives it back."""
    first = start.ready(f"--volume={volume}:{QUEUE}", **AWAY)
    senders = fill(first)
    first.stop()
    helper.execute("chown", "-R", "root:root", QUEUE)
    assert start(f"--volume={volume}:{QUEUE}", command=(), **HERE).wait_until_ended() == 1
    text = (ROOT / "docs/image.md").read_text()
    command = text[text.index("sh -c 'cd /var/spool/postfix &&") + len("sh -c '") :].partition("'")[0]
    helper.execute("sh", "-c", command)
    helper.execute("postsuper", "-h", "ALL")
    second = start.ready(f"--volume={volume}:{QUEUE}", **HERE)
    assert QUICK in second.log()
    assert second.execute("postqueue", "-p").count("!") == MESSAGES
    second.execute("postsuper", "-H", "ALL")
    delivered(second, relay, senders)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("chown postfix {q}/pid", "not owned by root: /var/spool/postfix/pid"),
        ("chmod 775 {q}", "group or other writable: /var/spool/postfix"),
        ("install -D -o root -m 700 /dev/null {q}/saved/x", "not owned by postfix: /var/spool/postfix/saved/x"),
        ("install -o postfix /dev/null {q}/corrupt/x", "damaged message: corrupt/x"),
    ],
)
def test_what_is_wrong_is_said(start: Starter, helper: Container, volume: str, damage: str, said: str) -> None:
    """What is wrong with a queue is said at the start, also where somebody has left Postfix's file there."""
    helper.execute("sh", "-c", f"{damage.format(q=QUEUE)}; touch {QUEUE}/quick-start")
    container = start.ready(f"--volume={volume}:{QUEUE}", **HERE)
    wait_for(lambda: said in container.log(), said)
    assert FULL in container.log()


def test_a_missing_directory_is_made(start: Starter, relay: Relay, helper: Container, volume: str) -> None:
    """A directory that is missing in the queue is made."""
    helper.execute("sh", "-c", f"rmdir {QUEUE}/deferred {QUEUE}/trace; touch {QUEUE}/quick-start")
    container = start.ready(f"--volume={volume}:{QUEUE}", **HERE)
    assert container.execute("stat", "-c", "%a %U", f"{QUEUE}/deferred", f"{QUEUE}/trace") == "700 postfix\n" * 2
    relay.wait_for_mail(send(container, "example.test"))


def test_a_hook_at_the_end(start: Starter, tmp_path: Path) -> None:
    """Postfix's checks are left out by what stands after the last hook, an operator's too; what it spoils is seen."""
    for name, text in {"30-fine": "postconf -e mail_name=Mine", "30-spoils": f"chmod 777 {QUEUE}"}.items():
        hook = tmp_path / name
        hook.write_text(f"#!/bin/sh\n{text}\n")
        hook.chmod(0o755)
        container = start.ready(f"--volume={hook}:/docker-entrypoint.d/{name}:ro", **HERE)
        assert (QUICK if name == "30-fine" else FULL) in container.log()


def test_the_installation_is_what_we_think(helper: Container) -> None:
    """Postfix's parts are where the package looks for them."""
    names = [name for name in INSTALLATION._fields if name != "config_directory"]
    said = helper.execute("postconf", "-d", *names, "config_directory")
    found = dict(line.split(" = ") for line in said.splitlines())
    assert found == {name: str(value) for name, value in INSTALLATION._asdict().items()}
