"""The keeper beside Postfix: a changed file is in force without a restart, and the health check says what is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.image.engine import EngineError, send, wait_for
from tests.image.test_hardened import HARDENED, HERE, MOUNTED, QUEUE, empty
from tests.image.test_stop import ZOMBIES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Relay, Starter
    from tests.image.engine import Container

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
LOGINS, MAP = "postfix-sasl-password.cf", "postfix-relaymap.cf"
CONFIG_DIR = "/tmp/docker-mailserver"  # noqa: S108 -- in a container
STATE = "/var/lib/dms-relay"
#: Prints the process number of the keeper, and nothing where there is none, nor of processes that end meanwhile.
NUMBER = "grep -slz 'dms_relay/watch/start.py$' /proc/[0-9]*/cmdline | cut -d/ -f3"
#: What master(8) writes its process number into when it starts.
MASTER_LOCK = "/var/spool/postfix/pid/master.pid"
MASTER = f"cat {MASTER_LOCK}"
#: Keepers that look, once a second each; and what tries meanwhile to have the lock, as master(8) does, every 0.5 ms for 4 s.
KEEPERS = 5
TAKES_LOCK = f"""
import fcntl, time
file, until = open("{MASTER_LOCK}"), time.monotonic() + 4
while time.monotonic() < until:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(file, fcntl.LOCK_UN)
    time.sleep(0.0005)
print("free")
"""


def shell(container: Container, text: str) -> str:
    """Run a shell's text in a container, and return what it says, whatever its exit code is."""
    return container.execute("sh", "-c", text, check=False).strip()


def begin(start: Starter, config_dir: Path, *options: str, **environ: str) -> Container:
    """Start a container with a configuration directory, and wait until its keeper runs."""
    container = start.ready(
        f"--volume={config_dir}:{CONFIG_DIR}:ro", *options, **{"RELAY_WATCH_INTERVAL": "0.5", **HERE, **environ}
    )
    wait_for_keeper(container)
    return container


def wait_for_keeper(container: Container, but: str = "") -> str:
    """Wait until a keeper runs that is not the previous one, and has read the inputs; return its process number."""
    script = f"""
    until number=$({NUMBER}); test -n "$number" && test "$number" != '{but}'; do sleep 0.1; done
    cd {STATE}
    until grep -q '"pid": '$number, keeper.json && grep -q '"children": {{}}' keeper.json; do sleep 0.1; done
    echo $number
    """
    return container.execute("timeout", "60", "sh", "-c", script).strip()


def health(container: Container) -> tuple[bool, str]:
    """Run the health check; return what it decides, and what it says."""
    try:
        return True, container.execute("healthcheck")
    except EngineError as error:
        return False, str(error)


def wait_for_health(container: Container, *, is_well: bool) -> str:
    """Wait until the health check decides so; return what it says."""
    begin = time.monotonic()
    wait_for(lambda: health(container)[0] is is_well, f"the health check to say {is_well}")
    print(f"healthy: {is_well} after {time.monotonic() - begin:.1f} s")
    return health(container)[1]


@pytest.mark.one_in(1)
@pytest.mark.long
def test_a_change_counts_without_a_restart(start: Starter, relay: Relay, config_dir: Path) -> None:
    """A new login is in force by itself. A wrong edit turns the health red and says why; mail goes on; a right one heals."""
    container = begin(start, config_dir, RELAY_WATCH_INTERVAL="2")
    assert health(container) == (True, "")
    assert relay.wait_for_mail(send(container, "example.test"))["login"] == ["user", "secret"]
    (config_dir / LOGINS).write_text("@example.test mine:other\n")
    begun = time.monotonic()
    wait_for(lambda: "mine:other" in container.execute("cat", "/etc/postfix/sasl_passwd"), "the new login")
    print(f"in force after {time.monotonic() - begun:.1f} s")
    assert relay.wait_for_mail(send(container, "example.test"))["login"] == ["mine", "other"]
    (config_dir / MAP).write_text("@example.test [relay.test:587\n")
    said = wait_for_health(container, is_well=False)
    assert f'{MAP}:1: nexthop "[relay.test:587" has no closing bracket -- write [relay.test]:587' in said
    assert relay.wait_for_mail(send(container, "example.test"))["login"] == ["mine", "other"]
    (config_dir / MAP).write_text("@example.test [relay.test]:587\n")
    assert wait_for_health(container, is_well=True) == ""
    assert container.log().count("has no closing bracket") == 1
    assert container.stop()[0] == 0


def test_a_keeper_that_ends(start: Starter, relay: Relay, config_dir: Path) -> None:
    """Killed, it is started again, and said once; the health check says that it was not there; Postfix has not noticed.

    What it leaves behind is reaped, and a stop in between is as good as ever.
    """
    container = begin(start, config_dir)
    master, number = shell(container, MASTER), shell(container, NUMBER)
    shell(container, f"touch -d '1 minute ago' {MASTER_LOCK}")
    said = shell(container, f"kill -KILL {number}; sleep 0.1; healthcheck; echo exit code $?")
    assert said == "dms-relay watch does not run\nexit code 1"
    wait_for_keeper(container, number)
    [line] = [line for line in container.log().splitlines() if "ended by itself" in line]
    said = "dms-relay watch ended by itself, with exit code 137; Postfix goes on, and it is started again in 1 s"
    assert line == f"keeper: error: {said}"
    assert health(container) == (True, "")
    relay.wait_for_mail(send(container, "example.test"))
    assert shell(container, MASTER) == master
    assert shell(container, ZOMBIES) == ""
    shell(container, f"kill -KILL $({NUMBER})")
    assert container.stop()[0] == 0
    assert "stopping the Postfix mail system" in container.log()


def test_a_keeper_that_stands_still(start: Starter, config_dir: Path) -> None:
    """One that has said nothing for two minutes is as good as none, and does not hold up a stop."""
    container = begin(start, config_dir)
    shell(container, f"kill -STOP $({NUMBER}); touch -d '3 minutes ago' {STATE}/health")
    assert health(container)[0] is False
    assert "dms-relay watch has reported nothing for more than 120 seconds" in health(container)[1]
    assert container.stop()[0] == 0


def test_the_look_for_postfix_takes_no_lock(start: Starter) -> None:
    """While it waits for a Postfix to start on a queue that is not new, master(8) gets its lock at any moment.

    It does not wait for it: "the Postfix mail system is already running" was the end of the container.
    """
    container = start(command=("sleep", "3600"))
    keepers = f"for n in $(seq {KEEPERS}); do sleep 0.1; /opt/dms-relay/bin/keeper >/dev/null 2>&1 & done"
    said = container.execute("sh", "-c", f"echo 1 >{MASTER_LOCK}; {keepers}; python3 -", feed=TAKES_LOCK)
    assert said == "free\n"


def test_no_keeper(start: Starter, config_dir: Path) -> None:
    """With RELAY_WATCH=no there is none, and the health check misses none."""
    container = start.ready(f"--volume={config_dir}:{CONFIG_DIR}:ro", **HERE, RELAY_WATCH="no")
    time.sleep(1.5)
    assert shell(container, NUMBER) == ""
    assert shell(container, "grep -slz '^/opt/dms-relay/bin/keeper$' /proc/[0-9]*/cmdline") == ""
    assert health(container) == (True, "")
    assert container.stop()[0] == 0


def test_a_wrong_word(start: Starter) -> None:
    """Any other value of RELAY_WATCH ends the start with exit code 78."""
    container = start(command=(), RELAY_WATCH="off")
    assert container.wait_until_ended() == 78
    assert 'env RELAY_WATCH: "off" is not one of those allowed -- write one of yes, no' in container.log()


def test_no_keeper_beside_other_commands(start: Starter) -> None:
    """Another command than the start's has none."""
    container = start(command=("sleep", "60"))
    time.sleep(1.5)
    assert shell(container, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").count("keeper") == 0


@pytest.mark.one_in(3)
@pytest.mark.parametrize("state", ["mounted empty", "nothing mounted", "read-only"])
def test_with_few_rights(start: Starter, volume: str, config_dir: Path, tmp_path: Path, state: str) -> None:
    """In a read-only container with six capabilities it works, and its directory becomes root's alone.

    Also where nothing is mounted for it, since the image declares a volume; and without a record, where that is read-only.
    """
    mounts = [*empty(tmp_path, *MOUNTED), f"--volume={volume}:{QUEUE}", f"--volume={config_dir}:{CONFIG_DIR}:ro"]
    (tmp_path / "tmp").chmod(0o1777)
    if state != "nothing mounted":
        [mount] = empty(tmp_path, STATE)
        mounts.append(f"{mount}:ro" if state == "read-only" else mount)
    container = start.ready(*HARDENED, *mounts, RELAY_WATCH_INTERVAL="0.5", **HERE)
    wait_for(lambda: shell(container, NUMBER) != "", "the keeper")
    expected = "777 root:root" if state == "read-only" else "700 root:root"
    assert shell(container, f"stat -c '%a %U:%G' {STATE}") == expected
    (config_dir / LOGINS).write_text("@example.test mine:other\n")
    wait_for(lambda: "mine:other" in container.execute("cat", "/etc/postfix/sasl_passwd"), "the new login")
    assert health(container) == (True, "")
    assert ("cannot be written" in container.log()) == (state == "read-only")
    assert container.stop()[0] == 0


def test_a_hook_that_changes_what_was_applied(start: Starter, config_dir: Path, tmp_path: Path) -> None:
    """What a hook sets after the inputs were applied stands until one of them changes, also when the keeper starts again."""
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\npostconf -e smtp_tls_security_level=may\n")
    hook.chmod(0o755)
    container = begin(start, config_dir, f"--volume={hook}:/docker-entrypoint.d/40-mine:ro")
    number = shell(container, NUMBER)
    shell(container, f"kill -KILL {number}")
    wait_for_keeper(container, number)
    assert container.execute("postconf", "-h", "smtp_tls_security_level") == "may\n"
    (config_dir / LOGINS).write_text("@example.test mine:other\n")
    wait_for(lambda: container.execute("postconf", "-h", "smtp_tls_security_level") == "encrypt\n", "the inputs")
