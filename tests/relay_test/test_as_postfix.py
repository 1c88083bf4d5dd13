"""What the command says of each level of TLS on each kind of server is what Postfix does there.

The table is the one that ``tests/running/test_tls_levels.py`` holds a real Postfix to: what it delivers, who sees the login.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import dns.resolver
import pytest
import yaml

from testbed import STRANGER, Login, Testbed
from tests.running.needs import require_postfix
from tests.running.tls_cases import CASES, CLEARTEXT_LEVELS, MORE, PASSWORD, PORTS, SERVERS, Case
from tests.support.name_server import NameServer
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.ledger import Attempt

DANE = ("dane", "dane-only")
CLASSES = {
    "no-tls": "no TLS offered",
    "auth-refused": "wrong login",
    "other-name": "certificate",
    "expired": "certificate",
    "unknown-ca": "certificate",
}
"""By kind of server, where Postfix does not deliver."""
ALL = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


class Observations(NamedTuple):
    """The results by relay, and the logins that were offered."""

    results: dict[str, list[dict[str, Any]]]
    attempts: tuple[Attempt, ...]
    received: int

    def of(self, case: Case) -> dict[str, Any]:
        """Return the result of a case at the last of its hosts."""
        return self.results[case.name][-1]

    def offered(self, case: Case) -> set[tuple[str, Login, bool]]:
        """Return where the login of a case was offered, and whether inside TLS."""
        return {(a.relay, a.login, a.tls is not None) for a in self.attempts if a.login.user == case.name}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observations]:
    """Yield what came of one run with a relay for each case."""
    require_postfix()
    root = tmp_path_factory.mktemp("as-postfix")
    sandbox = Sandbox(root)
    with Testbed() as testbed, NameServer({}) as names, pytest.MonkeyPatch.context() as patch:
        servers = {name: testbed.relay(name, mode, PORTS.get(name, 0)) for name, mode in SERVERS.items()}
        servers["down"] = testbed.relay("down", STRANGER)
        servers["down"].stop()
        names.records |= {(name, "A"): [server.host] for name, server in servers.items()}
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], names.port
        patch.setattr(dns.resolver, "default_resolver", resolver)
        ca_file = str(testbed.authority.write_certificate(root / "ca.pem"))
        relays = {case.name: case.relay(servers, ca_file) for case in CASES}
        senders = {f"{case.name}.test": case.name for case in CASES}
        sandbox.write("relay.yaml", yaml.safe_dump({"version": 1, "relays": relays, "senders": senders}))
        run = sandbox.run("test", "--json")
        assert PASSWORD not in run.out + run.err
        results: dict[str, list[dict[str, Any]]] = {}
        for result in json.loads(run.out)["results"]:
            results.setdefault(result["relay"], []).append(result)
        yield Observations(results, testbed.ledger.attempts(), testbed.ledger.count())


@ALL
def test_verdict(seen: Observations, case: Case) -> None:
    """A relay is fine where Postfix delivers, and only there; at the levels of DANE the command says that it cannot tell."""
    level = seen.of(case)["tls"]["level"]
    if level in DANE and case.kind != "no-tls":
        assert seen.of(case)["result"] == "not checked"
        return
    assert (seen.of(case)["result"] == "ok") == (case.outcome.status == "sent" and level not in DANE)


@ALL
def test_who_saw_the_login(seen: Observations, case: Case) -> None:
    """A login is offered where Postfix offers it, inside TLS where Postfix has it so; at the levels of DANE to nobody."""
    is_offered = case.outcome.login and seen.of(case)["tls"]["level"] not in DANE
    place = (case.kind, Login(case.name, PASSWORD), case.outcome.tls)
    assert seen.offered(case) == ({place} if is_offered else set())


@ALL
def test_class(seen: Observations, case: Case) -> None:
    """Where Postfix does not deliver, the class says why."""
    result = seen.of(case)
    if result["result"] in {"ok", "not checked"}:
        return
    fits = {CLASSES.get(case.kind), "certificate" if case in MORE else None}
    if result["tls"]["level"] == "none":
        fits = {"no AUTH offered"}
    assert result["result"] in fits


def test_certificates_are_shown_where_they_do_not_pass(seen: Observations) -> None:
    """Names and dates of a certificate are shown at every level that uses TLS, whether it passes or not."""
    for case in CASES:
        result = seen.of(case)
        has_tls = case.kind != "no-tls" and result["tls"]["level"] != "none"
        assert (result["tls"]["certificate"] is not None) == has_tls, case.name
    assert seen.results["secure-other-name"][0]["tls"]["certificate"]["names"] == ["other.test"]
    assert seen.results["secure-expired"][0]["tls"]["certificate"]["valid_until"].startswith("2002-01-01")


def test_each_host_is_tried(seen: Observations) -> None:
    """Of a relay with two hosts each is tried on its own, also where the first one would do for Postfix."""
    assert [result["result"] for result in seen.results["secure-failover"]] == ["refused", "ok"]


def test_in_the_clear_only_where_it_is_meant(seen: Observations) -> None:
    """No password travels in the clear but at a level that does without TLS, where the file says that it is meant."""
    in_clear = {attempt.login.user.partition("-")[0] for attempt in seen.attempts if attempt.tls is None}
    assert in_clear <= set(CLEARTEXT_LEVELS)
    assert {attempt.relay for attempt in seen.attempts if attempt.tls is None} == {"no-tls"}


def test_nothing_is_mailed(seen: Observations) -> None:
    """No relay receives a message."""
    assert seen.received == 0
