"""``settings``: which values a send-only Postfix in a container is given, from the environment and a real kernel."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from ipaddress import ip_interface

import pytest

from dms_relay.container import settings
from dms_relay.container.settings import ContainerHost, mynetworks, parameters
from dms_relay.errors import InputError
from dms_relay.interfaces import InterfaceAddress

LOOPBACK = "127.0.0.0/8 [::1]/128"
ONE = ContainerHost("mail.example.test", (InterfaceAddress("eth0", ip_interface("172.18.0.5/24")),))
SEVERAL = ContainerHost(
    "mail.example.test",
    (
        InterfaceAddress("eth0", ip_interface("10.89.7.5/24")),
        InterfaceAddress("eth0", ip_interface("fd00:1::5/64")),
        InterfaceAddress("eth1", ip_interface("192.168.3.4/20")),
        InterfaceAddress("eth1", ip_interface("192.168.3.9/20")),
    ),
)
BARE = ContainerHost("mail.example.test", ())


def errors(environ: dict[str, str], machine: ContainerHost = ONE) -> list[str]:
    """Return what is wrong, a line each."""
    with pytest.raises(InputError) as caught:
        parameters(environ, machine)
    assert caught.value.exit_code == os.EX_CONFIG
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("value", "machine", "networks"),
    [
        ("none", SEVERAL, ""),
        ("", SEVERAL, ""),
        ("container", ONE, " 172.18.0.5/32"),
        ("container", SEVERAL, " 10.89.7.5/32 192.168.3.4/32 192.168.3.9/32 [fd00:1::5]/128"),
        ("host", ONE, " 172.18.0.0/16"),
        ("host", SEVERAL, " 10.89.0.0/16"),
        ("network", ONE, " 172.16.0.0/12"),
        ("network", BARE, " 172.16.0.0/12"),
        ("connected-networks", ONE, " 172.18.0.0/24"),
        ("connected-networks", SEVERAL, " 10.89.7.0/24 192.168.0.0/20 [fd00:1::]/64"),
        ("connected-networks", BARE, ""),
    ],
)
def test_permit_docker(value: str, machine: ContainerHost, networks: str) -> None:
    """Each value of PERMIT_DOCKER names its networks, each once, after loopback."""
    assert mynetworks({"PERMIT_DOCKER": value}, machine) == LOOPBACK + networks


def test_default_is_loopback_alone() -> None:
    """Without PERMIT_DOCKER nobody but loopback may send."""
    assert mynetworks({}, SEVERAL) == LOOPBACK


def test_host_is_about_one_interface() -> None:
    """PERMIT_DOCKER=host takes the network of NETWORK_INTERFACE, eth0 where that is not set or empty."""
    assert mynetworks({"PERMIT_DOCKER": "host", "NETWORK_INTERFACE": "eth1"}, SEVERAL) == f"{LOOPBACK} 192.168.0.0/16"
    assert mynetworks({"PERMIT_DOCKER": "host", "NETWORK_INTERFACE": ""}, SEVERAL) == f"{LOOPBACK} 10.89.0.0/16"
    assert errors({"PERMIT_DOCKER": "host", "NETWORK_INTERFACE": "eth9"}) == [
        (
            'env PERMIT_DOCKER: "host" needs an IPv4 address, and the interface "eth9" has none'
            " -- name the interface in NETWORK_INTERFACE, or write connected-networks"
        ),
    ]


@pytest.mark.parametrize("value", ["all", "None", "none ", "172.16.0.0/12", "connected-networks\n", "container,host"])
def test_other_values_are_errors(value: str) -> None:
    """Any other value is an error that names it, in one line, and those that are known."""
    shown = value.replace("\n", "\\n")
    assert errors({"PERMIT_DOCKER": value}) == [
        (
            f'env PERMIT_DOCKER: "{shown}" is not one of those allowed -- '
            "write one of none, container, host, network, connected-networks"
        ),
    ]


@pytest.mark.parametrize(
    ("value", "networks"),
    [
        ("", ""),
        (" ,\n", ""),
        ("10.0.0.0/8, fd00::/8", " 10.0.0.0/8 [fd00::]/8"),
        ("fd00::/8,10.0.0.0/8\t10.0.0.0/8\n", " 10.0.0.0/8 [fd00::]/8"),
        ("192.0.2.7 2001:DB8::1", " 192.0.2.7/32 [2001:db8::1]/128"),
        ("fc00::/7", " [fc00::]/7"),
    ],
)
def test_relay_permit(value: str, networks: str) -> None:
    """RELAY_PERMIT is a list of networks and addresses, with blanks or commas between; each counts once."""
    assert mynetworks_of({"RELAY_PERMIT": value}) == LOOPBACK + networks


def mynetworks_of(environ: dict[str, str], machine: ContainerHost = ONE) -> str:
    """Return the networks that an environment gives."""
    return parameters(environ, machine)["mynetworks"]


def test_both_permits() -> None:
    """RELAY_PERMIT adds to what PERMIT_DOCKER says; what both name stands once."""
    both = {"PERMIT_DOCKER": "connected-networks", "RELAY_PERMIT": "172.18.0.0/24 10.42.0.0/16"}
    assert mynetworks_of(both) == f"{LOOPBACK} 10.42.0.0/16 172.18.0.0/24"


OPEN = "includes a part of the Internet, which could then send through your relay (an open relay)"
OWN = "write only the networks of your own clients, each with"
NO_NETWORK, BITS = "is not a network, nor an address", "is not a network: the number of bits comes after the slash"
EXAMPLE = "write networks, such as 10.0.0.0/8, fd00::/8"


@pytest.mark.parametrize(
    ("word", "text", "remedy"),
    [
        (
            "10.1.2.3/8",
            "is not a network: 10.1.2.3 is an address in it",
            "write 10.0.0.0/8, or 10.1.2.3 for this address alone",
        ),
        (
            "fd00::1/8",
            "is not a network: fd00::1 is an address in it",
            "write fd00::/8, or fd00::1 for this address alone",
        ),
        ("0.0.0.0/0", OPEN, f"{OWN} /8 or more"),
        ("10.0.0.0/0", OPEN, f"{OWN} /8 or more"),
        ("128.0.0.0/1", OPEN, f"{OWN} /8 or more"),
        ("::/0", OPEN, f"{OWN} /7 or more"),
        ("2000::/3", OPEN, f"{OWN} /7 or more"),
        ("0.0.0.0/0.0.0.0", BITS, f"{OWN} /8 or more"),
        ("10.0.0.0/255.0.0.0", BITS, "write 10.0.0.0/8"),
        ("10.0.0.0/", BITS, EXAMPLE),
        ("[fd00::]/8", "has brackets", "write fd00::/8"),
        ("[fd00::1]/8", "has brackets", "write fd00::/8"),
        ("::ffff:10.0.0.0/104", "is IPv4 in the form of IPv6", "write 10.0.0.0/8"),
        ("fe80::1%eth0", "names an interface", EXAMPLE),
        ("10.0.0.0/33", NO_NETWORK, EXAMPLE),
        ("010.0.0.0/8", NO_NETWORK, EXAMPLE),
        ("!10.0.0.0/8", NO_NETWORK, EXAMPLE),
        ("connected-networks", NO_NETWORK, EXAMPLE),
        ("/etc/networks", BITS, EXAMPLE),
        ("$mynetworks", NO_NETWORK, EXAMPLE),
        ("client.example", NO_NETWORK, EXAMPLE),
    ],
)
def test_wrong_networks(word: str, text: str, remedy: str) -> None:
    """What is no network, or one that makes an open relay, is an error with the right network, which is then taken."""
    assert errors({"RELAY_PERMIT": f"192.0.2.0/24, {word}"}) == [f'env RELAY_PERMIT: "{word}" {text} -- {remedy}']
    written = re.search(r"write ([0-9a-f.:]+(?:/[0-9]+)?)", remedy)
    if written and remedy != EXAMPLE:
        assert mynetworks_of({"RELAY_PERMIT": written[1]}).startswith(LOOPBACK)


def test_the_example_is_right() -> None:
    """What the remedy of a wrong word has for an example can be written."""
    assert mynetworks_of({"RELAY_PERMIT": EXAMPLE.partition("as ")[2]}) == f"{LOOPBACK} 10.0.0.0/8 [fd00::]/8"


@pytest.mark.parametrize("value", ["30s", "2m", "45", "0.5s", "1m", "1h", "24h", "1d", "30S", "30 s"])
def test_drain_is_a_time(value: str) -> None:
    """RELAY_DRAIN is a time, written as for every other setting; it changes nothing of Postfix's."""
    assert parameters({"RELAY_DRAIN": value}, ONE) == parameters({}, ONE)


@pytest.mark.parametrize("value", ["yes", "no", "0", "-1", "25h", "1w", "30x", "s", "86401", "1e3", "inf"])
def test_drain_is_nothing_else(value: str) -> None:
    """Any other value is an error that says what to write."""
    assert errors({"RELAY_DRAIN": value}) == [
        f'env RELAY_DRAIN: "{value}" is not a time that a drain can have -- write seconds, 90s, 5m, or 1h; at most 1d'
    ]


@pytest.mark.parametrize(
    ("told", "hostname", "expected"),
    [
        ("mx.example.com", "ignored", "mx.example.com"),
        ("single", "ignored", "single"),
        ("", "mail.example.com", "mail.example.com"),
        ("", "0a1b2c3d4e5f", "0a1b2c3d4e5f.localdomain"),
        ("", "012345678901", "012345678901.localdomain"),
        ("", "mail_relay-1", "mail_relay-1.localdomain"),
    ],
)
def test_myhostname(told: str, hostname: str, expected: str) -> None:
    """POSTFIX_MYHOSTNAME, or the host name; where that has no domain, with the one that Postfix would append."""
    machine = ContainerHost(hostname, ())
    assert parameters({"POSTFIX_MYHOSTNAME": told}, machine)["myhostname"] == expected


@pytest.mark.parametrize(
    "name",
    [
        "-a.example.com",
        "a-.example.com",
        "a..example.com",
        ".example.com",
        "example.com.",
        "a b.example.com",
        "a.example.com\nrelayhost=x",
        "$mydomain",
        "münchen.example",
        "10.1.2.3",
        "123",
        "[10.1.2.3]",
        "x" * 64 + ".example.com",
        ".".join(["abcdefg"] * 33),
    ],
)
def test_wrong_host_names(name: str) -> None:
    """What Postfix would refuse as a host name, or take for something else, is an error that shows it in one line."""
    shown = name.encode("unicode_escape").decode()
    remedy = "write a full name, such as mail.example.com"
    assert errors({"POSTFIX_MYHOSTNAME": name}) == [f'env POSTFIX_MYHOSTNAME: "{shown}" is not a host name -- {remedy}']


def test_wrong_host_name_of_the_container() -> None:
    """A host name that Postfix would refuse is an error that names the variable to set."""
    assert errors({}, ContainerHost("-mail", ())) == [
        (
            'env POSTFIX_MYHOSTNAME: is not set, and the container\'s host name "-mail.localdomain" is not a host name'
            " -- write a full name, such as mail.example.com"
        ),
    ]


def test_all_problems_at_once() -> None:
    """Every wrong value is reported, sorted."""
    lines = errors(
        {"POSTFIX_MYHOSTNAME": "-", "PERMIT_DOCKER": "x", "RELAY_PERMIT": "a 10.0.0.0/8 b", "RELAY_DRAIN": "x"}
    )
    names = ["PERMIT_DOCKER", "POSTFIX_MYHOSTNAME", "RELAY_DRAIN", "RELAY_PERMIT", "RELAY_PERMIT"]
    assert [line.partition(":")[0] for line in lines] == [f"env {name}" for name in names]


@pytest.mark.parametrize("value", ["true", "No", "no ", "0"])
def test_watch_is_yes_or_no(value: str) -> None:
    """RELAY_WATCH is yes, no or empty; any other value is an error that names these."""
    assert [parameters({"RELAY_WATCH": right}, ONE) for right in ("yes", "no", "")] == [parameters({}, ONE)] * 3
    assert errors({"RELAY_WATCH": value}) == [
        f'env RELAY_WATCH: "{value}" is not one of those allowed -- write one of yes, no'
    ]


def test_send_only() -> None:
    """Postfix takes mail for nobody, relays for its networks alone, trusts the system's authorities, logs to stdout."""
    assert parameters({}, ONE) == {
        "compatibility_level": "3.6",
        "maillog_file": "/dev/stdout",
        "myhostname": "mail.example.test",
        "myorigin": "$myhostname",
        "mydestination": "",
        "inet_interfaces": "all",
        "inet_protocols": "ipv4",
        "mynetworks": LOOPBACK,
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtp_tls_CAfile": "/etc/ssl/certs/ca-certificates.crt",
        "smtp_host_lookup": "dns, native",
    }


@pytest.mark.parametrize(("machine", "expected"), [(ONE, "ipv4"), (BARE, "ipv4"), (SEVERAL, "all")])
def test_ipv6_only_where_there_is_an_address(machine: ContainerHost, expected: str) -> None:
    """IPv6 is used only where an interface has an address for it."""
    assert parameters({}, machine)["inet_protocols"] == expected


@pytest.mark.skipif(shutil.which("hostname") is None, reason="no program that knows the addresses")
def test_the_kernel_tells_its_addresses() -> None:
    """The addresses are those that ``hostname -I`` gives: all but loopback and link-local IPv6 ones."""
    machine = settings.this_machine()
    told = subprocess.run(["hostname", "-I"], capture_output=True, check=True, text=True).stdout.split()
    assert sorted(str(address.value.ip) for address in machine.addresses) == sorted(told)
    assert {address.interface for address in machine.addresses} <= {name for _, name in socket.if_nameindex()}
    assert machine.hostname == socket.gethostname()


def test_where_metrics_are_served() -> None:
    """RELAY_METRICS is a port, a host and a port, no, or empty; anything else is an error, as without a keeper."""
    right = (":9154", "127.0.0.1:9154", "[::1]:9154", "no", "")
    assert [parameters({"RELAY_METRICS": value}, ONE) for value in right] == [parameters({}, ONE)] * 5
    remedy = "write :9154 for all addresses, or one of them: 127.0.0.1:9154, [::1]:9154; no for no metrics"
    assert errors({"RELAY_METRICS": "9154"}) == [
        f"env RELAY_METRICS: the value is neither :PORT nor HOST:PORT -- {remedy}"
    ]
    assert errors({"RELAY_METRICS": ":9154", "RELAY_WATCH": "no"}) == [
        "env RELAY_METRICS: with RELAY_WATCH=no nothing serves metrics -- remove RELAY_WATCH, or RELAY_METRICS"
    ]
    assert parameters({"RELAY_METRICS": "no", "RELAY_WATCH": "no"}, ONE) == parameters({}, ONE)
