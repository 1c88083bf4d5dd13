"""Who may send: PERMIT_DOCKER, as a client on another container meets it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest

from tests.image.conftest import unique
from tests.image.engine import Container, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.image.conftest import Starter
    from tests.image.engine import Engine

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
LOOPBACK = "127.0.0.0/8 [::1]/128"
#: An SMTP client: prints the reply to RCPT TO.
CLIENT = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], timeout=20) as server:
    server.ehlo("client.test")
    server.mail("sender@client.test")
    print(*server.rcpt("someone@elsewhere.test"))
"""
REFUSED = r"554 b'5.7.1 <someone@elsewhere.test>: Recipient address rejected: Access denied'"


def reply(client: Container, address: str) -> str:
    """Return Postfix's reply to a recipient elsewhere, from a client on a container."""
    return client.execute("python3", "-c", CLIENT, address).strip()


def mynetworks(container: Container) -> str:
    """Return what Postfix has."""
    return container.execute("postconf", "-h", "mynetworks").strip()


def expected_networks(value: str, container: Container) -> list[str]:
    """Work out from the container's address who may send beside loopback."""
    networks = container.state()["NetworkSettings"]["Networks"].values()
    address, prefix = next((network["IPAddress"], network["IPPrefixLen"]) for network in networks)
    bits = {"none": None, "container": 32, "host": 16, "network": 12, "connected-networks": prefix}[value]
    if bits is None:
        return []
    return [str(ipaddress.ip_network((address if bits != 12 else "172.16.0.0", bits), strict=False))]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("value", ["none", "container", "host", "network", "connected-networks"])
def test_permit_docker(start: Starter, stranger: Container, value: str) -> None:
    """Each value lets in whom it says, loopback always, and refuses everybody else."""
    container = start.ready(PERMIT_DOCKER=value)
    networks = expected_networks(value, container)
    assert mynetworks(container) == " ".join([LOOPBACK, *networks])
    client = ipaddress.ip_address(stranger.address())
    may_send = any(client in ipaddress.ip_network(network) for network in networks)
    if value != "network":  # whether that has our test's network depends on the engine
        assert may_send == (value in {"host", "connected-networks"})
    assert reply(stranger, container.address()) == ("250 b'2.1.5 Ok'" if may_send else REFUSED)
    assert reply(container, "127.0.0.1") == "250 b'2.1.5 Ok'"


@pytest.mark.one_in(1)
@pytest.mark.parametrize("environ", [{}, {"PERMIT_DOCKER": ""}], ids=["not set", "empty"])
def test_nobody_may_send_by_default(start: Starter, stranger: Container, environ: dict[str, str]) -> None:
    """The default is never an open relay: loopback alone may send, not even the container's own address."""
    container = start.ready(**environ)
    assert mynetworks(container) == LOOPBACK
    assert reply(stranger, container.address()) == REFUSED
    assert reply(container, container.address()) == REFUSED


def test_nobody_may_send_through_a_published_port_by_default(start: Starter) -> None:
    """A client that comes through a published port, with whatever address, is refused."""
    import smtplib  # noqa: PLC0415 -- here alone the client is not in a container

    container = start.ready(f"--network={default_network(start.engine)}", "--publish=127.0.0.1::25")
    port = int(start.engine.call("port", container.name, "25").rpartition(":")[2])
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as server:
        server.ehlo("client.test")
        server.mail("sender@client.test")
        assert server.rcpt("someone@elsewhere.test")[0] == 554


def default_network(engine: Engine) -> str:
    """Name the network that containers join by default."""
    return "podman" if "podman" in engine.call("version").lower() else "bridge"


@pytest.fixture
def network_of_both(engine: Engine) -> Iterator[str]:
    """Yield a network with addresses of both kinds."""
    name = unique("network")
    prefix = f"fd5c:{name[-8:-4]}:{name[-4:]}::/64"
    engine.call("network", "create", "--internal", "--ipv6", f"--subnet={prefix}", name)
    yield name
    engine.call("network", "rm", name)


def test_connected_networks_have_ipv6_too(network_of_both: str, start: Starter) -> None:
    """Where the network has IPv6, its clients may send over it, and Postfix uses it; a stranger's may not by default."""
    network = f"--network={network_of_both}"
    container = start.ready(network, PERMIT_DOCKER="connected-networks")
    closed = start.ready(network)
    own = ipaddress.ip_network((container.address(version=6), 64), strict=False)
    assert f"[{own.network_address}]/64" in mynetworks(container).split()
    assert container.execute("postconf", "-h", "inet_protocols") == "all\n"
    assert reply(closed, container.address(version=6)) == "250 b'2.1.5 Ok'"
    assert reply(container, closed.address(version=6)) == REFUSED


def test_an_unknown_value_stops_the_start(start: Starter) -> None:
    """A value that is not known is an error that names it and those that are; so is a host name that Postfix refuses."""
    container = start(PERMIT_DOCKER="everyone", POSTFIX_MYHOSTNAME="-mail.example.com")
    assert container.wait_until_ended() == 78
    log = container.log()
    assert (
        'env PERMIT_DOCKER: "everyone" is not one of those allowed -- '
        "write one of none, container, host, network, connected-networks"
    ) in log
    assert 'env POSTFIX_MYHOSTNAME: "-mail.example.com" is not a host name' in log
    assert "the hook /docker-entrypoint.d/10-postfix failed with exit code 78" in log.splitlines()[-1]


def test_a_value_that_changes_is_set_again(start: Starter, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The networks are set, never added to: a network that was permitted is not after a start with the default."""
    directory = tmp_path_factory.mktemp("postfix")
    seed = start(f"--volume={directory}:/seed", command=("cp", "-a", "/etc/postfix/.", "/seed"))
    wait_for(lambda: not seed.state()["State"]["Running"], "the copy")
    for value, networks in {"network": f"{LOOPBACK} 172.16.0.0/12", "none": LOOPBACK}.items():
        container = start.ready(f"--volume={directory}:/etc/postfix", PERMIT_DOCKER=value)
        assert mynetworks(container) == networks
        container.stop()
