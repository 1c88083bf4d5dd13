"""Versions of TLS and certificates at each level: what ``dms-relay test`` says is what Postfix does there.

One relay with a login and a sender for each pair of a server and a level; one run of the command, one message by Postfix.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from testbed import PATIENCE, Certificate, Inputs, Mode, Testbed
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed import Postfix

PASSWORD = "s3cret-P4ss"
SERVERS = {
    "tls10": Mode(newest_tls=ssl.TLSVersion.TLSv1),
    "tls11": Mode(newest_tls=ssl.TLSVersion.TLSv1_1),
    "tls12": Mode(newest_tls=ssl.TLSVersion.TLSv1_2),
    "tls13": Mode(),
    "rsa1024": Mode(certificate=Certificate.RSA_1024),
    "rsa512": Mode(certificate=Certificate.RSA_512, newest_tls=ssl.TLSVersion.TLSv1_2),
    "not-yet": Mode(certificate=Certificate.NOT_YET),
    "anonymous": Mode(certificate=Certificate.NONE),
}
LEVELS = ("may", "encrypt", "fingerprint", "verify", "secure")
CASES = tuple(f"{server}-{level}" for server in SERVERS for level in LEVELS)
_ATTEMPT = re.compile(r"to=<friend@(\S+)\.world>, .* status=(\w+) \((.*)\)$", re.MULTILINE)
ALL = pytest.mark.parametrize("case", CASES)


class Seen(NamedTuple):
    """What came of each case: the result of the command, Postfix's status and reason."""

    results: dict[str, dict[str, Any]]
    statuses: dict[str, tuple[str, str]]


def first_attempts(postfix: Postfix) -> dict[str, tuple[str, str]]:
    """Wait until Postfix has tried every message."""
    end = time.monotonic() + PATIENCE
    while True:
        found = {name: (status, says) for name, status, says in _ATTEMPT.findall(postfix.log())}
        if found.keys() >= set(CASES):
            return found
        assert time.monotonic() < end, sorted(set(CASES) - found.keys())
        time.sleep(0.1)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Yield what came of one run of the command and of one message for each case."""
    require_postfix()
    with Testbed() as testbed:
        relays = {name: testbed.relay(name, mode) for name, mode in SERVERS.items()}
        postfix = testbed.postfix(
            dict.fromkeys(("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay"), "1h")
        )
        entries = {}
        for case in CASES:
            server, _, level = case.rpartition("-")
            relay = relays[server]
            tls: dict[str, Any] = {"level": level, "ca_file": str(postfix.layout.authority)}
            tls |= {"allow_cleartext_login": True} if level == "may" else {}
            tls |= {"match": server} if level in {"verify", "secure"} else {}
            tls |= {"fingerprints": relay.fingerprint or ":".join(["AB"] * 32)} if level == "fingerprint" else {}
            login = {"username": case, "password": PASSWORD}
            entries[case] = {"host": relay.host, "port": relay.port, "tls": tls, "login": login}
        inputs = Inputs(tmp_path_factory.mktemp("config"))
        senders = {f"{case}.test": case for case in CASES}
        inputs.write("relay.yaml", yaml.safe_dump({"version": 1, "relays": entries, "senders": senders}))
        inputs.apply(postfix)
        run = inputs.run(postfix, "test", "--json")
        for case in CASES:
            postfix.send(f"anna@{case}.test", [f"friend@{case}.world"], case)
        statuses = first_attempts(postfix)
        yield Seen({result["relay"]: result for result in json.loads(run.stdout)["results"]}, statuses)


@ALL
def test_verdict(seen: Seen, case: str) -> None:
    """The command says ``ok`` where Postfix delivers, and only there."""
    result, (status, says) = seen.results[case], seen.statuses[case]
    assert (result["result"] == "ok") == (status == "sent"), (result, says)


@pytest.mark.parametrize(
    ("case", "cause"),
    [
        ("not-yet-secure", "the certificate is not valid yet, or this machine's clock is wrong"),
        (
            "rsa512-secure",
            "a key or a signature of the certificate, or of its authorities, is too weak for this level",
        ),
        (
            "rsa512-fingerprint",
            "a key or a signature of the certificate, or of its authorities, is too weak for this level",
        ),
    ],
)
def test_cause(seen: Seen, case: str, cause: str) -> None:
    """What is wrong with a certificate is said, whoever signed it."""
    failure = seen.results[case]["failure"]
    assert (seen.results[case]["result"], failure["cause"]) == ("certificate", cause)


def test_not_valid_yet_where_nobody_looks(seen: Seen) -> None:
    """At a level that does not look, a certificate of the future is a remark."""
    remark = "the certificate is not valid yet; this level does not check that"
    assert seen.results["not-yet-encrypt"]["remarks"] == [remark]
