"""A Postfix that is drained, and a client of it."""

from __future__ import annotations

import json
import smtplib
import time
from typing import TYPE_CHECKING, Any

import pytest

from testbed import Inputs, Testbed
from testbed.patience import PATIENCE
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed import Postfix

#: A relay that is away: nobody listens at this port.
AWAY = "[127.9.9.9]:2525"
SENDER, RECIPIENT = "anna@a.test", "bob@world.test"
MESSAGE = "Subject: test\r\nMessage-ID: <{}>\r\n\r\ntext\r\n"


@pytest.fixture(scope="session", autouse=True)
def _postfix_is_there() -> None:
    """Hold every test of this directory to what it needs."""
    require_postfix()


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    """Yield an empty testbed; what is started on it ends with the test."""
    with Testbed() as testbed:
        yield testbed


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Return an empty configuration directory, and no settings."""
    return Inputs(tmp_path / "config")


def drain(inputs: Inputs, postfix: Postfix, *options: str) -> tuple[int, dict[str, Any]]:
    """Run ``dms-relay drain --json``; return its exit code and what it says."""
    done = inputs.run(postfix, "drain", "--json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def text(inputs: Inputs, postfix: Postfix, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ``dms-relay drain`` as a person does."""
    return inputs.run(postfix, "drain", *options)


def greeting(postfix: Postfix) -> tuple[int, bytes]:
    """Return the greeting that a new client gets, and whether it is hung up on where that is no welcome."""
    client = smtplib.SMTP(timeout=PATIENCE)
    code, said = client.connect("127.0.0.1", postfix.port)
    if code != 220:
        assert client.sock is not None
        assert client.sock.recv(1) == b""
    client.close()
    return code, said


def client_of(postfix: Postfix) -> smtplib.SMTP:
    """Return a client that has been greeted."""
    client = smtplib.SMTP("127.0.0.1", postfix.port, timeout=PATIENCE)
    client.ehlo("client.test")
    return client


def put(postfix: Postfix, sender: str = SENDER, recipient: str = RECIPIENT) -> None:
    """Hand a message in, and take leave."""
    with client_of(postfix) as client:
        client.sendmail(sender, [recipient], "Subject: x\r\n\r\nx\r\n")


def begin(client: smtplib.SMTP, number: str) -> None:
    """Send a message but for its last line."""
    client.mail(SENDER)
    client.rcpt(RECIPIENT)
    assert client.docmd("DATA")[0] == 354
    client.send(MESSAGE.format(number))


def finish(client: smtplib.SMTP) -> int:
    """Send the last line; return the code of the reply."""
    return client.docmd(".")[0]


def relays_of(said: dict[str, Any]) -> dict[str, int]:
    """Return how many recipients remain for each relay."""
    return {group["relay"]: group["recipients"] for group in said["remaining"]}


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def master_cf(postfix: Postfix) -> str:
    """Return the text of master.cf."""
    return (postfix.config / "master.cf").read_text()
