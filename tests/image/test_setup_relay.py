"""`setup relay …` through the engine's ``exec`` on a running container: a message before and one after each command."""

from __future__ import annotations

import json
import os
import pty
from typing import TYPE_CHECKING

import pytest

from tests.image.conftest import Relay, Starter, start_relay
from tests.image.engine import EngineError, send, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.image.engine import Container, Engine

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
CONFIG_DIR = "/tmp/docker-mailserver"  # noqa: S108 -- in a container
RELAY_HOST = {"RELAY_HOST": "relay.test", "RELAY_PORT": "587", "RELAY_USER": "env-user", "RELAY_PASSWORD": "of env"}
SECRET = "s3cret \\1\\n&-P4ss"


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    """Return a configuration directory with an account in one.test."""
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "postfix-accounts.cf").write_text("anna@one.test|{SHA512-CRYPT}x\n")
    return directory


@pytest.fixture(scope="session")
def other(long_lived: Starter, tmp_path_factory: pytest.TempPathFactory) -> Relay:
    """Start a second relay, known as ``other.test``."""
    return start_relay(long_lived, "other.test", tmp_path_factory.mktemp("other"))


def setup(container: Container, *words: str, feed: str = "") -> str:
    """Type ``setup relay …``, which must succeed; give what it says."""
    return container.execute("setup", "relay", *words, feed=feed)


def goes_directly(container: Container, sender: str) -> bool:
    """Return True if Postfix has looked for the recipient's own server, which is nowhere here."""
    found = [line for line in container.log().splitlines() if f"from=<{sender}>" in line]
    number = found[0].split(": ")[1] if found else "not yet"
    return any(f"{number}: " in line and "relay=none" in line for line in container.log().splitlines())


@pytest.mark.long
def test_each_command_has_its_effect(start: Starter, relay: Relay, other: Relay, config_dir: Path) -> None:
    """Add, list, exclude, remove: each time the next message goes accordingly; and no password is said."""
    container = start.ready(f"--volume={config_dir}:{CONFIG_DIR}", **RELAY_HOST)
    assert relay.wait_for_mail(send(container, "one.test"))["login"] == ["env-user", "of env"]

    said = setup(container, "add-auth", "one.test", "anna", "--password-stdin", feed=f"{SECRET}\n")
    said += setup(container, "add-domain", "one.test", "other.test", "587")
    assert other.wait_for_mail(send(container, "one.test"))["login"] == ["anna", SECRET]

    rows = json.loads(setup(container, "list", "--json"))
    assert [(row["sender"], row["relay"], row["logins"]) for row in rows] == [
        ("@one.test", "[other.test]:587", ["anna"]),
        (None, "[relay.test]:587", ["env-user"]),
    ]

    said += setup(container, "exclude-domain", "one.test")
    sender = send(container, "one.test")
    wait_for(lambda: goes_directly(container, sender), "the direct delivery")
    assert relay.received(sender) == other.received(sender) == []

    said += setup(container, "remove-domain", "one.test")
    said += setup(container, "remove-auth", "one.test")
    assert relay.wait_for_mail(send(container, "one.test"))["login"] == ["env-user", "of env"]
    assert "no change needed" in setup(container, "remove-auth", "one.test")
    assert SECRET not in said + container.log()


def test_files_that_are_mounted_singly(start: Starter, other: Relay, config_dir: Path) -> None:
    """Two files that are mounted singly are edited in place, and their owner and mode stay on the outside."""
    names = ("postfix-relaymap.cf", "postfix-sasl-password.cf")
    for name in names:
        (config_dir / name).write_text("# mine\n")
        (config_dir / name).chmod(0o640)
    inodes = [(config_dir / name).stat().st_ino for name in names]
    container = start.ready(*(f"--volume={config_dir}/{name}:{CONFIG_DIR}/{name}" for name in names))
    setup(container, "add-auth", "[other.test]:587", "ben", "--password-stdin", feed=SECRET)
    setup(container, "add-domain", "one.test", "other.test", "587")
    assert other.wait_for_mail(send(container, "one.test"))["login"] == ["ben", SECRET]
    assert (config_dir / names[0]).read_text() == "# mine\n@one.test  [other.test]:587\n"
    for name, inode in zip(names, inodes, strict=True):
        status = (config_dir / name).stat()
        assert (status.st_ino, status.st_mode & 0o7777) == (inode, 0o640)
    assert container.execute("ls", "-A", CONFIG_DIR).split() == [*names]


@pytest.mark.parametrize("what", ["", "/postfix-relaymap.cf"])
def test_a_read_only_mount(start: Starter, config_dir: Path, what: str) -> None:
    """A read-only mount, of the directory or of the file, is named as such, with what to do: exit code 73."""
    (config_dir / "postfix-relaymap.cf").write_text("# mine\n")
    container = start.ready(f"--volume={config_dir}{what}:{CONFIG_DIR}{what}:ro")
    with pytest.raises(EngineError) as refused:
        setup(container, "add-domain", "one.test", "other.test")
    assert "exit code 73" in str(refused.value)
    assert "Read-only file system" in str(refused.value)
    assert "mount it without :ro, or edit it where it comes from" in str(refused.value)
    assert (config_dir / "postfix-relaymap.cf").read_text() == "# mine\n"


def test_no_mount(start: Starter) -> None:
    """Without a configuration directory nothing is written into the container, where it would be lost."""
    container = start.ready()
    with pytest.raises(
        EngineError, match=f"nothing is mounted at {CONFIG_DIR}, .* -- mount the configuration directory there"
    ):
        setup(container, "add-domain", "one.test", "other.test")


@pytest.fixture
def typist(engine: Engine, start: Starter, config_dir: Path) -> Iterator[tuple[Container, int]]:
    """Yield a container, and a terminal on which ``add-auth`` asks for a password."""
    container = start.ready(f"--volume={config_dir}:{CONFIG_DIR}")
    pid, terminal = pty.fork()
    if pid == 0:
        words = ["exec", "-it", container.name, "setup", "relay", "add-auth", "one.test", "anna"]
        os.execvp(engine.program, [engine.program, *words])  # noqa: S606 -- the child of a fork
    yield container, terminal
    os.close(terminal)
    os.waitpid(pid, 0)


def test_the_password_is_asked_for(typist: tuple[Container, int], config_dir: Path) -> None:
    """``docker exec -it`` has a terminal: it asks twice, and shows nothing of what is typed."""
    container, terminal = typist
    shown = b""
    for prompt in (b"Password for @one.test: ", b"Repeat the password: "):
        while prompt not in shown:
            shown += os.read(terminal, 4096)
        os.write(terminal, f"{SECRET}\n".encode())
    wait_for((config_dir / "postfix-sasl-password.cf").exists, "the login")
    while b"@one.test logs in as anna" not in shown:
        shown += os.read(terminal, 4096)
    assert SECRET.encode() not in shown
    assert container.execute("cat", f"{CONFIG_DIR}/postfix-sasl-password.cf") == f"@one.test  anna:{SECRET}\n"
