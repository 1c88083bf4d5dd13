"""What Kubernetes and Docker inject for a service beside us is no setting: it counts as not set, with one notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

HOST = {"RELAY_HOST": "r.test", "RELAY_USER": "u", "RELAY_PASSWORD": "s3cret"}
CURE = "enableServiceLinks: false"


def links(service: str, port: str = "tcp://10.96.1.2:25") -> dict[str, str]:
    """Return what Kubernetes injects for a Service."""
    name = service.upper().replace("-", "_")
    return {
        f"{name}_SERVICE_HOST": "10.96.1.2",
        f"{name}_SERVICE_PORT": "25",
        f"{name}_SERVICE_PORT_SMTP": "25",
        f"{name}_PORT": port,
        f"{name}_PORT_25_TCP": port,
        f"{name}_PORT_25_TCP_PROTO": "tcp",
        f"{name}_PORT_25_TCP_PORT": "25",
        f"{name}_PORT_25_TCP_ADDR": "10.96.1.2",
    }


SERVICES = (
    *("relay", "mail-relay", "smtp-relay", "dms-relay", "postfix-relay", "relayhost", "relay-host", "default-relay"),
    *("default-relay-host", "relays", "smtp", "smtp-server", "smarthost", "relay-server", "ses"),
)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("port", ["tcp://10.96.1.2:25", "udp://10.96.1.2:25", "tcp://[fd00::2]:25"])
def test_kubernetes(sandbox: Sandbox, service: str, port: str) -> None:
    """Whatever the Service is called, the relay is the one that is set, and one notice names the cure."""
    sandbox.write("postfix-accounts.cf", "me@a.test|hash\n")
    result = sandbox.apply(**HOST, **links(service, port))
    assert sandbox.table("relayhost_map") == {"@a.test": "[r.test]:25"}
    assert (of_level(result, "warn"), of_level(result, "error")) == ([], [])
    assert [CURE in line for line in of_level(result, "info")].count(True) == 1


@pytest.mark.parametrize("service", ["kubernetes", "web", "mailserver", "relation"])
def test_other_services(sandbox: Sandbox, service: str) -> None:
    """A service whose variables look like none of ours is not spoken of."""
    assert sandbox.apply(**links(service)).err == ""


def test_docker(sandbox: Sandbox) -> None:
    """``docker run --link web:relay`` injects a name as well, and the variables of the other container."""
    docker = {**links("relay"), "RELAY_NAME": "/mail/relay", "RELAY_ENV_RELAY_HOST": "x", "RELAY_ENV_PORT": "1"}
    result = sandbox.apply(**docker)
    assert of_level(result, "warn") == []
    (notice,) = [line for line in of_level(result, "info") if CURE in line]
    assert notice.startswith("env RELAY_NAME: RELAY_NAME and RELAY_PORT: injected by Kubernetes or Docker ")


def test_what_is_set_elsewhere_stands(sandbox: Sandbox) -> None:
    """The port of ``relay.env``, or of a file, is not hidden by a link."""
    sandbox.write("postfix-accounts.cf", "me@a.test|hash\n")
    sandbox.write("relay.env", "RELAY_PORT=2525\n")
    sandbox.apply(**HOST, **links("relay"))
    assert sandbox.table("relayhost_map") == {"@a.test": "[r.test]:2525"}
    port = sandbox.write("port", "587\n")
    sandbox.apply(**HOST, **links("relay"), RELAY_PORT__FILE=str(port))
    assert sandbox.table("relayhost_map") == {"@a.test": "[r.test]:587"}


def test_a_link_that_was_written_is_wrong(sandbox: Sandbox) -> None:
    """Nobody injects into ``relay.env``: such a port there is a slip."""
    sandbox.write("relay.env", "RELAY_HOST=r.test\nRELAY_PORT=tcp://10.96.1.2:25\n")
    result = sandbox.run("apply")
    assert (result.code, of_level(result, "error")[-1].partition(" -- ")[0]) == (
        78,
        "relay.env:2: port is not a number from 1 to 65535",
    )
