"""Each list of mechanisms that a server announces: what ``dms-relay test`` says is what Postfix does, in both routings.

One Postfix and one run of the command for each routing. Every list has a relay, which has PLAIN, LOGIN and CRAM-MD5 (the
latter where it announces it) and refuses what else it announces, as a server that cannot do it for a login; and a sender.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from testbed import PATIENCE, Auth, Inputs, Login, Mode, Testbed, Tls
from testbed.inputs import LOGINS, RELAYMAP
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed import Postfix, Relay
    from testbed.ledger import Attempt

PASSWORD = "s3cret-P4ss"
LISTS = (
    "PLAIN LOGIN",
    "LOGIN PLAIN",
    "LOGIN",
    "plain login",
    "CRAM-MD5",
    "PLAIN LOGIN CRAM-MD5",
    "PLAIN LOGIN DIGEST-MD5",
    "PLAIN LOGIN SCRAM-SHA-256",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1 SCRAM-SHA-256-PLUS LOGIN",
    "NTLM LOGIN",
    "GSSAPI NTLM LOGIN PLAIN",
    "EXTERNAL PLAIN LOGIN",
    "EXTERNAL",
    "OTP PLAIN",
    "ANONYMOUS PLAIN",
    "ANONYMOUS",
    "XOAUTH2 PLAIN",
    "XOAUTH2 OAUTHBEARER",
    "DIGEST-MD5 CRAM-MD5 NTLM PLAIN LOGIN",
    "X-UNKNOWN LOGIN",
)
ROUTINGS = ("maps", "maps in the clear", "transports", "transports in the clear")
_ATTEMPT = re.compile(r"to=<friend@(case\d+)\.world>, .* status=(\w+) \((.*)\)$", re.MULTILINE)
ALL = pytest.mark.parametrize("announced", LISTS)


class Seen(NamedTuple):
    """What came of each list: the result of the command, Postfix's status and reason, and the logins that each offered."""

    routing: str
    results: dict[str, dict[str, Any]]
    statuses: dict[str, tuple[str, str]]
    by_test: dict[str, list[Attempt]]
    by_postfix: dict[str, list[Attempt]]


def name_of(announced: str) -> str:
    """Return a name for a list."""
    return f"case{LISTS.index(announced)}"


def write(inputs: Inputs, routing: str, relays: dict[str, Relay]) -> None:
    """Write what an operator gives."""
    level = "none" if "clear" in routing else "encrypt"
    if routing.startswith("maps"):
        inputs.write(RELAYMAP, "".join(f"@{name}.test {relay.nexthop}\n" for name, relay in relays.items()))
        inputs.write(LOGINS, "".join(f"{relay.nexthop} {name}:{PASSWORD}\n" for name, relay in relays.items()))
        return
    tls = {"level": level, "allow_cleartext_login": True} if level == "none" else {"level": level}
    entries = {
        name: {
            "host": relay.host,
            "port": relay.port,
            "tls": tls,
            "login": {"username": name, "password": PASSWORD},
        }
        for name, relay in relays.items()
    }
    senders = {f"{name}.test": name for name in relays}
    inputs.write("relay.yaml", yaml.safe_dump({"version": 1, "relays": entries, "senders": senders}))


def first_attempts(postfix: Postfix, names: set[str]) -> dict[str, tuple[str, str]]:
    """Wait until Postfix has tried every message."""
    end = time.monotonic() + PATIENCE
    while True:
        found = {name: (status, says) for name, status, says in _ATTEMPT.findall(postfix.log())}
        if names <= found.keys():
            return found
        assert time.monotonic() < end, sorted(names - found.keys())
        time.sleep(0.1)


def attempts(relays: dict[str, Relay]) -> dict[str, list[Attempt]]:
    """Return the logins that each relay was offered."""
    return {name: list(relay.attempts) for name, relay in relays.items()}


@pytest.fixture(scope="module", params=ROUTINGS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Yield what came of one run of the command and of one message for each list."""
    require_postfix()
    routing = request.param
    is_clear = "clear" in routing
    with Testbed() as testbed:
        relays = {
            name_of(announced): testbed.relay(
                name_of(announced),
                Mode(
                    Tls.NONE if is_clear else Tls.DEMANDED,
                    Auth.DEMANDED,
                    logins={name_of(announced): PASSWORD},
                    mechanisms=tuple(announced.split()),
                ),
            )
            for announced in LISTS
        }
        postfix = testbed.postfix(
            dict.fromkeys(("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay"), "1h")
        )
        inputs = Inputs(tmp_path_factory.mktemp("config"))
        write(inputs, routing, relays)
        inputs.apply(postfix)
        if routing == "maps in the clear":
            postfix.command("postconf", "-e", "smtp_tls_security_level=may")
            inputs.write("postfix-main.cf", "smtp_tls_security_level = may\n")
            inputs.apply(postfix)
        run = inputs.run(postfix, "test", "--json")
        assert PASSWORD not in run.stdout + run.stderr
        by_test = attempts(relays)
        assert testbed.ledger.count() == 0
        testbed.ledger.clear()
        for name in relays:
            postfix.send(f"anna@{name}.test", [f"friend@{name}.world"], name)
        statuses = first_attempts(postfix, set(relays))
        by_address = {(result["address"], result["port"]): result for result in json.loads(run.stdout)["results"]}
        results = {name: by_address[relay.host, relay.port] for name, relay in relays.items()}
        yield Seen(routing, results, statuses, by_test, attempts(relays))


@pytest.mark.one_in(3)
@ALL
def test_verdict(seen: Seen, announced: str) -> None:
    """The command says ``ok`` where Postfix delivers, and only there; or that it has not what Postfix uses."""
    result, (status, says) = seen.results[name_of(announced)], seen.statuses[name_of(announced)]
    if result["result"] == "not checked":
        assert "which this command does not support" in result["failure"]["what"]
        assert seen.by_test[name_of(announced)] == []
    else:
        assert (result["result"] == "ok") == (status == "sent"), (result, says)


@ALL
def test_who_saw_the_login(seen: Seen, announced: str) -> None:
    """Where the command offers a login, Postfix does the same; what the command leaves alone, no server of ours accepts."""
    name = name_of(announced)
    tried, used = ([(a.login, a.accepted) for a in found[name]] for found in (seen.by_test, seen.by_postfix))
    assert tried == used
    assert tried in ([], [(Login(name, PASSWORD), True)])


@ALL
def test_a_server_that_has_plain_or_login(seen: Seen, announced: str) -> None:
    """With transports a server that has PLAIN or LOGIN takes the mail, whatever else it announces."""
    if seen.routing.startswith("transports") and {"PLAIN", "LOGIN"} & set(announced.upper().split()):
        assert seen.results[name_of(announced)]["result"] == "ok"
        assert seen.statuses[name_of(announced)][0] == "sent"


REMEDY = "smtp_sasl_mechanism_filter = plain, login in main.cf"


@pytest.mark.one_in(2)
@pytest.mark.parametrize("announced", ["PLAIN LOGIN DIGEST-MD5", "SCRAM-SHA-256 LOGIN", "NTLM PLAIN", "EXTERNAL LOGIN"])
def test_remedy_with_maps(tmp_path: Path, announced: str) -> None:
    """The remedy is followed: the try is fine, and the message that waited arrives."""
    require_postfix()
    with Testbed() as testbed:
        relay = testbed.relay("r", Mode(logins={"u": PASSWORD}, mechanisms=tuple(announced.split())))
        inputs = Inputs(tmp_path / "config", DEFAULT_RELAY_HOST=relay.nexthop, RELAY_USER="u", RELAY_PASSWORD=PASSWORD)
        postfix = testbed.postfix()
        inputs.apply(postfix)
        postfix.send("anna@a.test", ["friend@case0.world"], "waits")
        assert first_attempts(postfix, {"case0"})["case0"][0] == "deferred"
        (result,) = json.loads(inputs.run(postfix, "test", "--json").stdout)["results"]
        assert (result["result"], REMEDY in result["failure"]["remedy"]) == ("not checked", True)
        postfix.command("postconf", "-e", REMEDY.removesuffix(" in main.cf"))
        postfix.command("postfix", "reload")
        assert inputs.run(postfix, "test").returncode == 0
        postfix.flush()
        postfix.wait_until_queue_empty()
        assert [message.message_id for message in relay.wait_for(1)] == ["waits"]


def test_remedy_with_transports(tmp_path: Path) -> None:
    """A server that has CRAM-MD5 alone: what the remedy names for relay.yaml is written there, and the message arrives."""
    require_postfix()
    with Testbed() as testbed:
        relay = testbed.relay("r", Mode(logins={"u": PASSWORD}, mechanisms=("CRAM-MD5",)))
        inputs = Inputs(tmp_path / "config")
        login: dict[str, Any] = {"username": "u", "password": PASSWORD}
        entry = {"host": relay.host, "port": relay.port, "tls": {"level": "encrypt"}, "login": login}
        file = {"version": 1, "relays": {"r": entry}, "default": "r"}
        inputs.write("relay.yaml", yaml.safe_dump(file))
        postfix = testbed.postfix()
        inputs.apply(postfix)
        postfix.send("anna@a.test", ["friend@case0.world"], "waits")
        assert first_attempts(postfix, {"case0"})["case0"][0] == "deferred"
        (result,) = json.loads(inputs.run(postfix, "test", "--json").stdout)["results"]
        remedy = result["failure"]["remedy"]
        login |= yaml.safe_load(remedy[remedy.index("{") : remedy.index("}") + 1])
        assert login["mechanisms"] == ["cram-md5"]
        inputs.write("relay.yaml", yaml.safe_dump(file))
        inputs.apply(postfix)
        assert inputs.run(postfix, "test").returncode == 0
        postfix.flush()
        postfix.wait_until_queue_empty()
        assert [message.message_id for message in relay.wait_for(1)] == ["waits"]
