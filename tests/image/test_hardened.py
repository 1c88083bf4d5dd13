"""The image with next to no rights: a root file system that is read-only, six capabilities, no new privileges, empty mounts.

The mounts are empty directories that everybody may write, as an emptyDir of Kubernetes and a tmpfs of Docker are: podman
would fill a tmpfs from the image.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.image.engine import ROOT, send, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Relay, Starter
    from tests.image.engine import Container, Engine

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID", "NET_BIND_SERVICE")
HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    *(f"--cap-add={name}" for name in CAPABILITIES),
    "--security-opt=no-new-privileges",
)
#: Users of a container in a namespace of its own.
USERS = ("--uidmap=0:100000:65536", "--gidmap=0:100000:65536")
MOUNTED = ("/etc/postfix", "/var/lib/postfix", "/run", "/tmp")  # noqa: S108 -- in a container
QUEUE = "/var/spool/postfix"
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": "secret"}
HERE = {"DEFAULT_RELAY_HOST": "[relay.test]:587", **LOGIN}
#: What Postfix says of a directory that has the wrong owner or mode.
COMPLAINTS = re.compile(r"not owned by|writable|\[warn|\[error|warning:|error:")
NOTICE = "docker-entrypoint: notice: /etc/postfix has no main.cf, so it is filled with the image's own files"


def empty(tmp_path: Path, *places: str) -> list[str]:
    """Return options that mount an empty directory, which everybody may write, at each place."""
    options = []
    for place in places:
        directory = tmp_path / place.strip("/").replace("/", "-")
        directory.mkdir()
        directory.chmod(0o777)
        options.append(f"--volume={directory}:{place}")
    return options


def modes(container: Container) -> str:
    """Return modes and owners of the directories that were mounted empty."""
    return container.execute("stat", "-c", "%a %U:%G %n", "/etc/postfix", "/var/lib/postfix", QUEUE)


RIGHT = f"755 root:root /etc/postfix\n700 postfix:postfix /var/lib/postfix\n755 root:root {QUEUE}\n"


@pytest.fixture
def mounts(tmp_path: Path, volume: str) -> list[str]:
    """Return options: empty mounts, a volume for the queue, and an empty configuration directory."""
    return [
        *empty(tmp_path, *MOUNTED),
        f"--volume={volume}:{QUEUE}",
        *empty(tmp_path, "/tmp/docker-mailserver"),  # noqa: S108 -- in a container
    ]


def test_it_does_its_job(start: Starter, relay: Relay, mounts: list[str], tmp_path: Path) -> None:
    """Start, delivery, apply, reload, health check and stop work, and Postfix complains of nothing."""
    # The keeper would apply as well, before or after the command below.
    container = start.ready(*HARDENED, *mounts, LOG_LEVEL="debug", RELAY_WATCH_INTERVAL="60", **HERE)
    assert relay.wait_for_mail(send(container, "example.test"))["login"] == ["user", "secret"]
    assert modes(container) == RIGHT
    relays = tmp_path / "tmp-docker-mailserver"
    (relays / "postfix-sasl-password.cf").write_text("@second.test second:other\n")
    (relays / "postfix-relaymap.cf").write_text("@second.test [relay.test]:587\n")
    # The keeper may have been first: it looks once after the start, which takes its time on a busy machine.
    assert re.search("applied|nothing to do", container.execute("dms-relay", "apply"))
    assert relay.wait_for_mail(send(container, "second.test"))["login"] == ["second", "other"]
    assert "nothing to do" in container.execute("dms-relay", "apply")
    container.execute("postfix", "reload")
    relay.wait_for_mail(send(container, "example.test"))
    container.execute("healthcheck", "check")
    container.engine.call("stop", container.name)
    assert container.wait_until_ended() == 0
    assert [line for line in container.log().splitlines() if COMPLAINTS.search(line)] == []
    assert NOTICE in container.log()
    assert "Postfix starts without its own checks" in container.log()


def test_an_empty_queue_too(start: Starter, relay: Relay, tmp_path: Path) -> None:
    """A queue that is mounted empty, and that everybody may write, is made what Postfix asks for."""
    container = start.ready(*HARDENED, *empty(tmp_path, *MOUNTED, QUEUE), **HERE)
    relay.wait_for_mail(send(container, "example.test"))
    assert modes(container) == RIGHT
    assert "writable" not in container.log()


def test_a_restart_keeps_what_is_there(start: Starter, relay: Relay, mounts: list[str]) -> None:
    """What was filled once is not filled again: what an operator has set since counts."""
    container = start.ready(*HARDENED, *mounts, **HERE)
    container.execute("postconf", "-e", "mail_name=Mine")
    container.engine.call("stop", container.name)
    container.engine.call("start", container.name)
    container.wait_until_ready(times=2)
    assert container.execute("postconf", "-h", "mail_name") == "Mine\n"
    assert container.log().count(NOTICE) == 1
    relay.wait_for_mail(send(container, "example.test"))


def test_in_a_user_namespace(engine: Engine, start: Starter, relay: Relay, tmp_path: Path) -> None:
    """The same where the container's root is nobody outside: the mounts belong to that root, and the log gets out."""
    if engine.program != "podman":
        pytest.skip(
            "only podman takes the users' numbers for one container; Docker has them for its daemon (userns-remap)"
        )
    options = empty(tmp_path, *MOUNTED, QUEUE)
    for directory in tmp_path.iterdir():
        os.chown(directory, 100_000, 100_000)
    container = start.ready(*HARDENED, *USERS, *options, **HERE)
    assert relay.wait_for_mail(send(container, "example.test"))["login"] == ["user", "secret"]
    assert modes(container) == RIGHT
    container.execute("postfix", "reload")
    wait_for(lambda: ": reload -- version" in container.log(), "the log after a reload")
    container.engine.call("stop", container.name)
    assert container.wait_until_ended() == 0
    assert "stopping the Postfix mail system" in container.log()


#: What can be there already, made in a container that was filled, and what is there after the next start.
BEGINNINGS = {
    "killed before the last file": (
        "mkdir .dms-relay.filling && mv main.cf .dms-relay.filling && : > .dms-relay.filling/main.cf",
        "",
    ),
    "killed during the copy": (
        "mkdir .dms-relay.filling && mv m* d* p* .dms-relay.filling && rm .dms-relay.filling/main.cf",
        "",
    ),
    "a file that is mounted below": ("rm -r * && echo mine > mine.cf", "mine.cf"),
    "a file of the image's that is mounted below": ("rm -r * && cp /usr/share/dms-relay/postfix/dynamicmaps.cf .", ""),
    "a new file system": ("rm -r * && mkdir lost+found", "lost+found"),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_start_fills_what_is_not_complete(start: Starter, tmp_path: Path, beginning: str) -> None:
    """Where main.cf is missing all files come to be there, and what was there stays, also after a start that was killed."""
    mount = empty(tmp_path, "/etc/postfix")
    first = start(*mount, command=("sleep", "3600"))
    wait_for(lambda: NOTICE in first.log(), "the files")
    prepare, more = BEGINNINGS[beginning]
    first.execute("sh", "-c", f"cd /etc/postfix && {prepare}")
    start.ready(*mount)
    listing = "cd {} && find . -type f ! -name main.cf ! -name .dms-relay.lock -exec sha256sum {{}} + | sort"
    image = first.execute("sh", "-c", listing.format("/usr/share/dms-relay/postfix"))
    found = first.execute("sh", "-c", listing.format("/etc/postfix"))
    assert set(image.splitlines()) <= set(found.splitlines())
    assert first.execute("postconf", "-n", "compatibility_level") == "compatibility_level = 3.6\n"
    assert first.execute("ls", "-d", f"/etc/postfix/{more}") == f"/etc/postfix/{more}\n"
    assert ".filling" not in first.execute("ls", "-a", "/etc/postfix")


def test_a_directory_of_the_operators_own_is_not_filled(start: Starter, tmp_path: Path) -> None:
    """A directory with a master.cf and no main.cf is somebody's own, with a mistake: the start ends and names main.cf."""
    mount = empty(tmp_path, "/etc/postfix")
    (tmp_path / "etc-postfix/master.cf").write_text("smtp inet n - n - - smtpd\n")
    container = start(*mount)
    assert container.wait_until_ended() == 66
    assert "/etc/postfix/main.cf: cannot be read" in container.log()
    assert [path.name for path in (tmp_path / "etc-postfix").glob("*.cf")] == ["master.cf"]


def test_a_directory_that_cannot_be_filled(start: Starter, tmp_path: Path) -> None:
    """An empty mount that is read-only ends the start with exit code 73 and says what to do."""
    [mount] = empty(tmp_path, "/etc/postfix")
    container = start(f"{mount}:ro")
    assert container.wait_until_ended() == 73
    assert "docker-entrypoint: error: /etc/postfix cannot be filled -- mount a file system" in container.log()
    assert "starting the Postfix mail system" not in container.log()


def test_commands_find_a_configuration(start: Starter, tmp_path: Path) -> None:
    """Another command than the start's finds it, too: postsuper for the queue, say."""
    container = start(*HARDENED, *empty(tmp_path, *MOUNTED), command=("postconf", "-h", "queue_directory"))
    assert container.wait_until_ended() == 0
    assert QUEUE in container.log()


#: Hands a message in over SMTP.
CLIENT = """
import smtplib, sys
with smtplib.SMTP("127.0.0.1") as server:
    server.sendmail(sys.argv[1], "someone@elsewhere.test", "Subject: test\\n\\ntest\\n")
"""


def test_mail_of_other_users(start: Starter, relay: Relay, mounts: list[str]) -> None:
    """Without new privileges only root can use sendmail, whose postdrop is set-gid; anybody can use SMTP."""
    container = start.ready(*HARDENED, *mounts, **HERE)
    user = ("exec", "-i", "--user=1000", container.name)
    said = container.engine.call(
        *user, "timeout", "1", "sendmail", "-f", "a@b.test", "c@d.test", check=False, feed="x\n"
    )
    assert "postdrop: warning: mail_queue_enter: create file maildrop/" in said
    container.engine.call(*user, "python3", "-c", CLIENT, "other@example.test")
    relay.wait_for_mail("other@example.test")


def test_mail_of_other_users_with_new_privileges(start: Starter, relay: Relay) -> None:
    """Where new privileges are allowed, every user can use sendmail and mailq."""
    container = start.ready(**HERE)
    user = ("exec", "-i", "--user=1000", container.name)
    container.engine.call(*user, "sendmail", "-f", "third@example.test", "someone@elsewhere.test", feed="x\n")
    relay.wait_for_mail("third@example.test")
    assert "Mail queue is empty" in container.engine.call(*user, "mailq")


@pytest.mark.one_in(3)
@pytest.mark.parametrize("capability", [name for name in CAPABILITIES if name != "NET_BIND_SERVICE"])
def test_each_capability_is_needed(start: Starter, tmp_path: Path, capability: str) -> None:
    """Without any one of them a start with empty mounts fails, so the list is not longer than need be.

    Whether NET_BIND_SERVICE is needed depends on the engine: Docker lets everybody listen on port 25.
    """
    options = [option for option in HARDENED if option != f"--cap-add={capability}"]
    assert start(*options, *empty(tmp_path, *MOUNTED, QUEUE), command=(), **HERE).wait_until_ended() == 1


def test_compose_has_it_by_default() -> None:
    """compose.yaml asks for all of it, and for no more."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["relay"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["cap_add"] == list(CAPABILITIES)
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert sorted(service["tmpfs"]) == sorted(MOUNTED)
