"""`explain`, `check` and `test` in a container, through `exec`; and the health check that uses `check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.image.engine import EngineError, send

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Relay, Starter
    from tests.image.engine import Container

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
CONFIG_DIR = "/tmp/docker-mailserver"  # noqa: S108 -- where the image looks
RELAYMAP = "@example.test [relay.test]:587\n"
LOGINS = "@example.test user:secret\n"


@pytest.fixture
def container(start: Starter, relay: Relay, config_dir: Path) -> Container:
    """Start a container with one relay, which is there. Nothing is applied but by the commands that a test runs."""
    assert relay
    write(config_dir, RELAYMAP, LOGINS)
    return start.ready(f"--volume={config_dir}:{CONFIG_DIR}:ro", RELAY_WATCH="no")


def write(config_dir: Path, relaymap: str, logins: str) -> None:
    """Write the inputs, for root alone."""
    for name, text in {"postfix-relaymap.cf": relaymap, "postfix-sasl-password.cf": logins}.items():
        (config_dir / name).write_text(text)
        (config_dir / name).chmod(0o600)


def test_explain(container: Container, relay: Relay, config_dir: Path) -> None:
    """What it says is what happens: a message from that sender comes to that relay with that login."""
    way = json.loads(container.execute("dms-relay", "explain", "--json", "someone@example.test"))["now"]
    record = relay.wait_for_mail(send(container, "example.test"))
    [hop] = way["hops"]
    assert (hop["nexthop"], [hop["login"]["username"], "secret"]) == ("[relay.test]:587", record["login"])
    assert hop["login"]["origin"] == "postfix-sasl-password.cf:1"
    write(config_dir, RELAYMAP.replace("relay.test", "other.test"), LOGINS)
    said = container.execute("dms-relay", "explain", "someone@example.test")
    assert "goes by smtp to [relay.test]:587" in said
    assert "apply is due; after dms-relay apply:\n  goes by smtp to [other.test]:587" in said


def test_check(container: Container, config_dir: Path) -> None:
    """It finds who is not relayed where all is right, and a login that no relay has after a change, with the nearest one."""
    found = json.loads(container.execute("dms-relay", "check", "--json"))["findings"]
    assert [finding["id"] for finding in found] == ["opt-out-needs-tls", "mail-not-relayed"]
    write(config_dir, RELAYMAP, LOGINS + "[relay.test]:25 user:secret\n")
    found = json.loads(container.execute("dms-relay", "check", "--json"))["findings"]
    assert [finding["id"] for finding in found] == [
        "apply-due",
        "opt-out-needs-tls",
        "login-without-relay",
        "mail-not-relayed",
    ]
    assert "[relay.test]:587 differs in its port" in found[2]["text"] + found[1]["remedy"]
    with pytest.raises(EngineError, match="exit code 1"):
        container.execute("dms-relay", "check", "--strict")


def test_health_check_with_check(container: Container, config_dir: Path) -> None:
    """`healthcheck check` fails where check finds an error, with exit code 1 and what was found."""
    said = container.execute("healthcheck", "check")
    assert "1 warning, 1 note (looked at" in said  # of mail that goes directly: no sender but one has a relay
    write(config_dir, "@example.test [relay.test:587\n", LOGINS)
    with pytest.raises(EngineError, match=r"exit code 1\nerror    wrong-input  postfix-relaymap\.cf:1\n"):
        container.execute("healthcheck", "check")
    assert container.execute("healthcheck") == ""


def test_test(container: Container, relay: Relay, config_dir: Path) -> None:
    """It logs in at the relay over TLS and mails nothing; a host that is not there is a failure of its own, exit code 1."""
    [result] = json.loads(container.execute("dms-relay", "test", "--json"))["results"]
    assert (result["result"], result["login"]["username"], result["tls"]["protocol"]) == ("ok", "user", "TLSv1.3")
    assert relay.received("postmaster@example.test") == []
    container.execute("dms-relay", "test", "--send-to", "someone@elsewhere.test")
    assert relay.wait_for_mail("postmaster@example.test")["login"] == ["user", "secret"]
    write(config_dir, RELAYMAP.replace("relay.test", "nowhere.test"), LOGINS)
    # On a network without a way out, podman's name server knows that it is not there; Docker's answers SERVFAIL or nothing.
    unknown = r"nowhere\.test (does not exist in the DNS|could not be looked up: )"
    with pytest.raises(EngineError, match=rf"exit code 1\n(?s:.*){unknown}"):
        container.execute("dms-relay", "test", "--timeout", "5")
