"""From the nexthop to an address, with a real name server on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dns.name
import dns.resolver
import pytest

from dms_relay.relay_test.resolve import HOST_MAX
from testbed import PLAIN, Auth, Mode
from testbed.listener import Listener, saying
from tests.relay_test.scene import SHORT, TIMEOUT, advice, told

if TYPE_CHECKING:
    from tests.relay_test.scene import Scene

NAME_CAUSE = (
    "a typing error in the name, or a DNS server that does not answer. Postfix asks only the DNS: a name in /etc/hosts"
    " counts only with smtp_host_lookup = native in main.cf"
)
OPEN: dict[str, Any] = {"login": False, "level": "may"}


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ({}, "r.test does not exist in the DNS"),
        ({("r.test", "TXT"): ['"x"']}, "r.test has no address in the DNS"),
        ({("r.test", "SILENT"): []}, "r.test could not be looked up: no answer from the DNS within 0.5 s"),
    ],
)
def test_name(scene: Scene, records: dict[tuple[str, str], list[str]], what: str) -> None:
    """A name that is not there, has no address, or is not answered for."""
    scene.names.records |= records
    scene.name("r", "r.test", 587)
    result = scene.result(timeout=SHORT if SHORT in what else TIMEOUT)
    assert told(result) == ("name", what, None)
    assert advice(result) == (
        NAME_CAUSE,
        "check the spelling of the name, or add it to the DNS that this machine asks (/etc/resolv.conf)",
    )
    assert (result["host"], result["address"]) == (None, None)


def test_servfail(scene: Scene) -> None:
    """A DNS server that fails is named as such: the name itself may be right."""
    scene.names.records["r.test", "BROKEN"] = []
    scene.name("r", "r.test", 587)
    result = scene.result()
    assert told(result) == ("name", "r.test could not be looked up: the DNS answers SERVFAIL", None)
    assert advice(result) == (
        "a DNS server fails: the one that this machine asks, or the domain's own; the name itself may be right",
        "try again; if this continues, ask the DNS for the name yourself (host, dig), and check /etc/resolv.conf",
    )


@pytest.mark.parametrize(
    ("protocols", "kind", "address", "other"), [("ipv4", "AAAA", "::1", 6), ("ipv6", "A", "127.0.0.1", 4)]
)
def test_a_host_of_the_other_family(scene: Scene, protocols: str, kind: str, address: str, other: int) -> None:
    """A host whose addresses are all of a family that main.cf excludes is said to be just that; so is such an address."""
    scene.main_cf(f"inet_protocols = {protocols}\n")
    scene.names.records["r.test", kind] = [address]
    scene.name("r", "r.test", 587)
    result = scene.result()
    assert told(result) == ("name", f"r.test has only IPv{other} addresses, which inet_protocols excludes", None)
    assert advice(result) == (
        "inet_protocols in main.cf excludes every address that the host has, so Postfix finds none",
        "set inet_protocols = all in main.cf and run postfix reload, if the network has both; otherwise name another host",
    )
    scene.relays["r"] |= {"host": address}
    scene.relays["r"]["tls"] |= {"level": "encrypt"}
    assert told(scene.result()) == ("name", f"{address} is an address that inet_protocols excludes", None)


@pytest.mark.parametrize(
    ("options", "name", "is_found"),
    [
        ("", "r", False),
        ("", "r.sub", False),
        ("res_defnames", "r", True),
        ("res_defnames", "r.sub", False),
        ("res_defnames", "s", False),
        ("res_dnsrch", "r", False),
        ("res_dnsrch", "r.sub", True),
        ("res_defnames, res_dnsrch", "r", True),
        ("res_defnames, res_dnsrch", "r.sub", True),
        ("res_defnames res_dnsrch", "s", True),
    ],
)
def test_other_domains(scene: Scene, options: str, name: str, *, is_found: bool) -> None:
    """``smtp_dns_resolver_options`` says whether a name is looked for in the domains of resolv.conf too (resolver(3))."""
    relay = scene.testbed.relay("r.test", PLAIN)
    domains = [dns.name.from_text(domain) for domain in ("first.test", "second.test")]
    dns.resolver.get_default_resolver().search = domains
    for found in ("r.first.test", "r.sub.first.test", "s.second.test"):
        scene.names.records[found, "A"] = [relay.host]
    scene.main_cf(f"smtp_dns_resolver_options = {options}\n")
    scene.name("r", name, relay.port, **OPEN)
    result = scene.result()
    assert (result["result"], result["host"]) == (("ok", name) if is_found else ("name", None))


def test_native(scene: Scene) -> None:
    """Where main.cf says so, the system's own names count, alone or for what the DNS does not have, as localhost here."""
    with Listener(saying("554 no\r\n")) as server:
        scene.name("r", "localhost", server.port, **OPEN)
        assert scene.result()["result"] == "name"
        for lookup in ("native", "dns, native", "native, dns"):
            scene.main_cf(f"smtp_host_lookup = {lookup}\ninet_protocols = ipv4\n")
            assert told(scene.result())[::2] == ("rejected", "554 no")


@pytest.mark.parametrize(("answer", "timeout"), [("SILENT", SHORT), ("BROKEN", TIMEOUT)])
def test_native_behind_a_dns_that_fails(scene: Scene, answer: str, timeout: str) -> None:
    """A name that the system has does not count where the DNS, which is asked first, fails; that is what is said."""
    scene.main_cf("smtp_host_lookup = dns, native\ninet_protocols = ipv4\n")
    scene.names.records |= {("localhost", answer): [], ("r.test", answer): []}
    scene.name("r", "localhost", 587)
    result = scene.result(timeout=timeout)
    assert "localhost could not be looked up: " in told(result)[1]
    cause, remedy = advice(result)
    assert cause.startswith("this machine's resolver has the name (/etc/hosts), but Postfix asks the DNS before it")
    assert (
        "or set smtp_host_lookup = native in main.cf, in the image in postfix-main.cf, and run postfix reload" in remedy
    )
    scene.relays["r"]["host"] = "r.test"
    assert "this machine's resolver has the name" not in advice(scene.result(timeout=timeout))[0]


@pytest.mark.parametrize("off", ["smtp_dns_support_level = disabled", "disable_dns_lookups = yes"])
def test_without_dns(scene: Scene, off: str) -> None:
    """Where main.cf turns the DNS off, there is no MX either: a domain is its own host, by the system's names."""
    scene.main_cf(f"{off}\ninet_protocols = ipv4\n")
    with Listener(saying("554 no\r\n")) as server:
        scene.name("r", "localhost", server.port, **OPEN)
        scene.relays["r"]["mx"] = True
        assert told(scene.result())[::2] == ("rejected", "554 no")


def test_native_name_that_is_not_there(scene: Scene) -> None:
    """A name that the system does not know either."""
    scene.main_cf("smtp_host_lookup = native\n")
    scene.name("r", "nobody.invalid", 587)
    assert told(scene.result()) == ("name", "nobody.invalid has no address", None)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("smtp_host_lookup = dns", "Postfix asks only the DNS: a name in /etc/hosts counts only with"),
        ("smtp_host_lookup = dns, native", "Postfix asks the DNS and this machine's resolver"),
        ("smtp_host_lookup = native", "Postfix asks only this machine's resolver: /etc/hosts"),
        ("smtp_dns_support_level = disabled", "Postfix asks only this machine's resolver: /etc/hosts"),
        ("smtp_dns_support_level = disabled\nsmtp_host_lookup = dns", "Postfix asks only this machine's resolver"),
        ("smtp_dns_support_level = enabled\ndisable_dns_lookups = yes", "Postfix asks only the DNS"),
    ],
)
def test_the_cause_is_of_this_machine(scene: Scene, setting: str, says: str) -> None:
    """What Postfix asks follows main.cf, and so does what is said of it."""
    scene.main_cf(f"{setting}\n")
    scene.name("r", "nobody.invalid", 587)
    assert says in advice(scene.result())[0]


def test_no_mx_hosts(scene: Scene) -> None:
    """Of a mail domain, it is said that its MX hosts are not looked up."""
    scene.names.records["only.invalid", "MX"] = ["10 mx.invalid."]
    scene.main_cf("disable_dns_lookups = yes\n")
    scene.name("r", "only.invalid", 587)
    scene.relays["r"]["mx"] = True
    result = scene.result()
    assert told(result) == ("name", "only.invalid has no address", None)
    assert "so Postfix looks up no MX hosts" in advice(result)[0]


def test_the_first_address_that_connects(scene: Scene) -> None:
    """Of several addresses the first that takes the connection counts; the others are remarked on."""
    relay = scene.relay("r", PLAIN, **OPEN)
    scene.names.records["r.test", "AAAA"] = ["::1"]
    result = scene.result()
    assert (result["result"], result["address"]) == ("ok", relay.host)
    assert result["remarks"][0] == "::1: the connection was refused, so the next address was tried"


def test_no_address_connects(scene: Scene) -> None:
    """Where none takes it, all are named."""
    relay = scene.relay("r", PLAIN, **OPEN)
    relay.stop()
    scene.names.records["r.test", "AAAA"] = ["::1"]
    what = f"::1: the connection was refused; {relay.host}: the connection was refused"
    assert told(scene.result()) == ("refused", what, None)


def test_ipv6(scene: Scene) -> None:
    """An IPv6 address, by name and as it is."""
    with Listener(saying("554 no\r\n"), "::1") as server:
        scene.names.records["r.test", "AAAA"] = ["::1"]
        scene.name("r", "r.test", server.port, **OPEN)
        scene.name("s", "::1", server.port, **OPEN)
        scene.write()
        assert {result["address"] for result in scene.results().values()} == {"::1"}
    assert server.connections == 2


def test_inet_protocols(scene: Scene) -> None:
    """An address of a family that main.cf does not have is not tried."""
    relay = scene.relay("r", PLAIN, **OPEN)
    scene.names.records["r.test", "AAAA"] = ["::1"]
    scene.main_cf("inet_protocols = ipv4\n")
    result = scene.result()
    assert (result["address"], result["remarks"][1:]) == (relay.host, [])


def mx(scene: Scene, *records: str) -> None:
    """Have a relay by MX."""
    relay = scene.relay("r", Mode(auth=Auth.OFFERED), login=False)
    scene.names.records["domain.test", "MX"] = list(records)
    scene.relays["r"] |= {"host": "domain.test", "port": relay.port, "mx": True}


def test_mx(scene: Scene) -> None:
    """Without brackets the MX hosts count, by preference; one without an address is passed over."""
    mx(scene, "20 nobody.test.", "30 r.test.", "10 gone.test.")
    scene.relays["r"]["tls"] |= {"level": "verify"}
    result = scene.result()
    assert (result["result"], result["host"], result["nexthop"].partition(":")[0]) == ("ok", "r.test", "domain.test")


def test_secure_by_mx(scene: Scene) -> None:
    """At level secure the certificate must have the nexthop's name, not the one that the DNS gave."""
    mx(scene, "10 r.test.")
    what = "the certificate is for r.test, not for domain.test or .domain.test"
    assert told(scene.result()) == ("certificate", what, None)


def test_no_mx(scene: Scene) -> None:
    """A domain without MX is its own host."""
    mx(scene)
    scene.names.records |= {
        ("domain.test", "MX"): [],
        ("domain.test", "A"): scene.names.records["r.test", "A"],
    }
    scene.relays["r"]["tls"] |= {"level": "encrypt"}
    assert scene.result()["host"] == "domain.test"


def test_null_mx(scene: Scene) -> None:
    """A domain that takes no mail."""
    mx(scene, "0 .")
    result = scene.result()
    assert told(result) == ("name", "domain.test accepts no mail: its MX record is empty (RFC 7505)", None)
    port = scene.relays["r"]["port"]
    assert advice(result) == (
        "without brackets this is a mail domain, and Postfix looks up its MX hosts",
        f"write [domain.test]:{port} for the host itself; otherwise check the spelling of the name",
    )


def test_mx_without_addresses(scene: Scene) -> None:
    """MX hosts that are not there are a failure of the first."""
    mx(scene, "10 gone.test.", "20 nobody.test.")
    assert told(scene.result()) == ("name", "gone.test does not exist in the DNS", None)


@pytest.mark.parametrize(("answer", "timeout"), [("SILENT", SHORT), ("BROKEN", TIMEOUT)])
def test_many_mx_hosts(scene: Scene, answer: str, timeout: str) -> None:
    """However many MX hosts a domain has, few are looked up, and all of them together in the time of one try.

    Names that are not answered for used up that time each.
    """
    mx(scene, *(f"10 host{number}.test." for number in range(600)))
    scene.names.records |= {(f"host{number}.test", answer): [] for number in range(600)}
    assert scene.result(timeout=timeout)["result"] == "name"
    hosts = {name for name in scene.names.asked if name.startswith("host")}
    assert 0 < len(hosts) <= HOST_MAX


def test_five_addresses_at_most(scene: Scene) -> None:
    """As Postfix, the command tries five addresses and no more."""
    relay = scene.relay("r", PLAIN, **OPEN)
    relay.stop()
    scene.names.records["r.test", "A"] = [f"127.3.2.{number}" for number in range(1, 9)]
    assert scene.result()["failure"]["what"].count("refused") == 5


def test_a_name_in_another_script(scene: Scene) -> None:
    """A name in another script is looked up as the DNS has it."""
    relay = scene.relay("r", PLAIN, **OPEN)
    scene.names.records["xn--bcher-kva.test", "A"] = [relay.host]
    scene.relays["r"]["host"] = "bücher.test"
    assert scene.result()["result"] == "ok"
