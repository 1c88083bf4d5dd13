"""Each level of TLS on each kind of server: what is delivered, what Postfix says, and who sees the login.

One Postfix with one relay.yaml; each relay in it has a name, a level, a login and a sender of its own, and gets one message.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import yaml

from testbed import PATIENCE, STRANGER, Auth, Inputs, Login, Mode, Postfix, Relay, Testbed, Tls
from testbed.ledger import Attempt
from tests.running.tls_cases import CASES, KINDS, MATRIX, OUTCOMES, PASSWORD, PORTS, SERVERS, Case

BOUNCES, REFUSING = "bounces", "refusing"
"""The relay of what is returned, and one that returns every message."""
_ATTEMPT = re.compile(r" postfix/relay-(\S+)/smtp\[\d+\]: \w+: to=<.* status=(\w+) \((.*)\)$", re.MULTILINE)
_LINE = re.compile(r" postfix/relay-(\S+)/smtp\[\d+\]: (?:warning: )?(.*)$", re.MULTILINE)
ALL = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@dataclass(frozen=True)
class Seen:
    """What came of all cases."""

    testbed: Testbed
    attempts: Mapping[str, tuple[str, str]]
    """Status and reason by relay."""
    lines: Mapping[str, list[str]]
    """What was logged by relay."""

    def offered(self, case: Case) -> list[Attempt]:
        """Return where the login of a case was offered, to whomever."""
        return [attempt for attempt in self.testbed.ledger.attempts() if attempt.login.user == case.name]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Yield what came of one message for each case, each of which Postfix has tried once."""
    with Testbed() as testbed:
        servers = {name: testbed.relay(name, mode, PORTS.get(name, 0)) for name, mode in SERVERS.items()}
        servers |= {name: testbed.relay(name, STRANGER) for name in (BOUNCES, "down")}
        servers[REFUSING] = testbed.relay(REFUSING, Mode(Tls.OFFERED, Auth.NONE, refusals={"RCPT": "550 5.1.1 nobody"}))
        servers["down"].stop()
        postfix = testbed.postfix(
            dict.fromkeys(("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay"), "1h")
        )
        inputs = Inputs(tmp_path_factory.mktemp("config"))
        inputs.write("relay.yaml", _relay_yaml(servers, str(postfix.layout.authority)))
        inputs.apply(postfix)
        for case in CASES:
            postfix.send(f"anna@{case.name}.test", ["friend@elsewhere.test"], case.name)
        postfix.send(f"anna@{REFUSING}.test", ["friend@elsewhere.test"], REFUSING)
        attempts = _wait_for_attempts(postfix)
        lines: dict[str, list[str]] = {}
        for name, line in _LINE.findall(postfix.log()):
            lines.setdefault(name, []).append(line)
        yield Seen(testbed, attempts, lines)


def _relay_yaml(servers: Mapping[str, Relay], ca_file: str) -> str:
    relays = {case.name: case.relay(servers, ca_file) for case in CASES}
    for name in (BOUNCES, REFUSING):
        relays[name] = {"host": name, "port": servers[name].port, "tls": {"level": "may"}}
    senders = {f"{case.name}.test": case.name for case in CASES} | {"<>": BOUNCES, f"{REFUSING}.test": REFUSING}
    return yaml.safe_dump({"version": 1, "relays": relays, "senders": senders})


def _wait_for_attempts(postfix: Postfix) -> dict[str, tuple[str, str]]:
    end = time.monotonic() + PATIENCE
    names = {case.name for case in CASES}
    while True:
        attempts = {name: (status, says) for name, status, says in _ATTEMPT.findall(postfix.log())}
        missing = names - attempts.keys()
        if not missing:
            return attempts
        assert time.monotonic() < end, f"not tried after {PATIENCE} s: {sorted(missing)}"
        time.sleep(0.1)


@ALL
def test_outcome(seen: Seen, case: Case) -> None:
    """A message is delivered, waits or comes back as the table says; Postfix logs why, and how far it trusts the server."""
    status, says = seen.attempts[case.name]
    assert status == case.outcome.status, says
    assert re.search(case.outcome.says, says)
    assert any(re.search(case.outcome.log, line) for line in seen.lines[case.name])


@ALL
def test_what_the_server_got(seen: Seen, case: Case) -> None:
    """A delivered message came once, with its relay's login, over TLS or not as the table says; others did not."""
    received = [r for r in seen.testbed.ledger.received() if r.message_id == case.name]
    if case.outcome.status != "sent":
        assert received == []
        return
    (message,) = received
    assert (message.relay, message.login) == (case.kind, Login(case.name, PASSWORD))
    assert (message.tls is not None) == case.outcome.tls


@ALL
def test_who_saw_the_login(seen: Seen, case: Case) -> None:
    """A login is offered to its own server alone, inside TLS as the table says; where Postfix left before, to nobody."""
    offered = {(a.relay, a.tls is not None, a.accepted) for a in seen.offered(case)}
    accepted = case.outcome.status == "sent"
    assert offered == ({(case.kind, case.outcome.tls, accepted)} if case.outcome.login else set())


def test_the_table_has_every_pair() -> None:
    """Every level of relay.yaml is tried on every kind of server, but for implicit TLS at levels that it refuses there."""
    levels = {"secure", "verify", "dane-only", "dane", "fingerprint", "encrypt", "may", "none"}
    assert set(OUTCOMES) == levels
    assert {kind for kinds in OUTCOMES.values() for kind in kinds} == set(KINDS)
    assert len(MATRIX) == len(levels) * len(KINDS) - 3
    assert len({case.name for case in CASES}) == len(CASES)


def test_in_the_clear_only_where_it_is_meant(seen: Seen) -> None:
    """Nothing travels in the clear, neither login nor message, but where the file says `allow_cleartext_login`."""
    meant = {case.name for case in CASES if case.tls.get("allow_cleartext_login")}
    assert {a.login.user for a in seen.testbed.ledger.attempts() if a.tls is None} <= meant
    assert {r.message_id for r in seen.testbed.ledger.received() if r.tls is None and r.sender != "<>"} <= meant


def test_bounces_go_their_own_way(seen: Seen) -> None:
    """What comes back goes by the relay of `<>`, which offers AUTH and, having no login, is offered none."""
    (received,) = seen.testbed.ledger.wait_for(1, relay=BOUNCES)
    assert (received.recipients, received.login) == ((f"anna@{REFUSING}.test",), None)
    assert seen.testbed.ledger.attempts(BOUNCES) == ()
