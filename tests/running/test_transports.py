"""Relays with a transport of their own on a real Postfix: who gets the mail, with which login, and what is left alone."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import (
    CLEARTEXT_STRANGER,
    PATIENCE,
    SMTPS,
    STRANGER,
    SUBMISSION,
    Inputs,
    Login,
    Mode,
    Postfix,
    Received,
    Relay,
    Testbed,
)
from testbed.certificates import Authority
from testbed.inputs import LOGINS, RELAYMAP
from tests.support.scene import wait_until

PASSWORD = "secret"
MAY = {"smtp_tls_security_level": "may"}
FRIEND = "friend@elsewhere.test"
"""Nobody's address: mail to it arrives only by way of a relay."""


def entry(relay: Relay, postfix: Postfix, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- whatever relay.yaml takes
    """Return a relay as it stands in relay.yaml, with a login of its own, at the level that is the default."""
    return {
        "host": relay.name,
        "port": relay.port,
        "login": {"username": f"{relay.name}-user", "password": PASSWORD},
        "tls": {"ca_file": str(postfix.layout.authority)},
        **more,
    }


def own(relay: str, user: str) -> dict[str, Any]:
    """Return a sender with a login of its own."""
    return {"relay": relay, "login": {"username": user, "password": PASSWORD}}


def write(inputs: Inputs, relays: Mapping[str, Any], **rest: Any) -> None:  # noqa: ANN401 -- the same
    """Write relay.yaml."""
    inputs.write("relay.yaml", yaml.safe_dump({"version": 1, "relays": dict(relays), **rest}))


def arrival(received: Received) -> tuple[str, str | None, bool]:
    """Return the relay, the user name, and whether TLS was in use."""
    assert received.login in {None, Login(received.user or "", PASSWORD)}
    return received.relay, received.user, received.tls is not None


def outcomes(testbed: Testbed, postfix: Postfix, messages: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """Send a message for each pair of sender and recipient, and give where each of them arrived."""
    for number, (sender, recipient) in enumerate(messages):
        postfix.send(sender, [recipient], str(number))
    testbed.ledger.wait_for(len(messages), PATIENCE)
    postfix.wait_until_queue_empty()
    arrived = {r.message_id: arrival(r) for r in testbed.ledger.received()}
    assert len(testbed.ledger.received()) == len(messages)
    return {pair: arrived[str(number)] for number, pair in enumerate(messages)}


def offered(testbed: Testbed) -> set[tuple[str, str]]:
    """Return each relay with each user name that it was ever offered."""
    return {(attempt.relay, attempt.login.user) for attempt in testbed.ledger.attempts()}


A, B, C, M = ((name, f"{name}-user", True) for name in ("a", "b", "c", "m"))
DIRECT = ("world", None, False)
WAYS = {
    ("anna@any.test", FRIEND): A,
    ("anna@b.test", FRIEND): B,
    ("ANNA+x@B.Test", FRIEND): B,
    ("boss@b.test", FRIEND): A,
    ("Boss+x@b.test", FRIEND): A,
    ("anna@mx.test", FRIEND): M,
    ("anna@own.test", FRIEND): ("a", "own-user", True),
    ("plain@own.test", FRIEND): A,
    ("<>", FRIEND): C,
    # An opt-out while a default is set: to the recipient's own server, which has no TLS, and takes every login.
    ("anna@direct.test", "friend@world"): DIRECT,
    # Recipients win over senders, and use the relay's own login, or the one that the sender has there.
    ("anna@b.test", "friend@to-a.test"): A,
    ("anna@direct.test", "friend@to-b.test"): B,
    ("<>", "friend@to-b.test"): B,
    ("anna@own.test", "friend@to-b.test"): B,
    ("anna@own.test", "friend@to-a.test"): ("a", "own-user", True),
    ("anna@any.test", "friend@deep.below.test"): B,
    ("anna@any.test", "vip@to-b.test"): A,
    ("anna@b.test", "neighbour@world"): DIRECT,
    ("anna@own.test", "neighbour@world"): DIRECT,
    ("<>", "neighbour@world"): DIRECT,
    ("anna@any.test", "friend@world"): A,
}
"""Sender and recipient, and where that message arrives, with which login, and whether over TLS."""


def test_ways(testbed: Testbed, inputs: Inputs) -> None:
    """Recipients win over senders, addresses over domains, and what goes directly needs no TLS and is offered no login."""
    testbed.world("world", CLEARTEXT_STRANGER)
    a, b, c, m = (testbed.relay(name, SMTPS if name == "b" else SUBMISSION) for name in "abcm")
    postfix = testbed.postfix(MAY)
    implicit = entry(b, postfix, tls={"mode": "implicit", "ca_file": str(postfix.layout.authority)})
    write(
        inputs,
        {"a": entry(a, postfix), "b": implicit, "c": entry(c, postfix), "m": entry(m, postfix, mx=True)},
        default="a",
        senders={
            "b.test": "b",
            "boss@b.test": "a",
            "mx.test": "m",
            "own.test": own("a", "own-user"),
            "plain@own.test": "a",
            "direct.test": "direct",
            "<>": "c",
        },
        recipients={
            "to-a.test": "a",
            "to-b.test": "b",
            "vip@to-b.test": "a",
            ".below.test": "b",
            "neighbour@world": "direct",
        },
    )
    inputs.apply(postfix)
    assert outcomes(testbed, postfix, WAYS) == WAYS
    assert offered(testbed) == {(name, f"{name}-user") for name in "abcm"} | {("a", "own-user")}
    assert postfix.complaints() == []


def test_null_sender_without_a_line(testbed: Testbed, inputs: Inputs) -> None:
    """Mail from `<>` goes by the default where the file does not name it."""
    testbed.world("world", CLEARTEXT_STRANGER)
    a, b = testbed.relay("a"), testbed.relay("b")
    postfix = testbed.postfix(MAY)
    write(inputs, {"a": entry(a, postfix), "b": entry(b, postfix)}, default="b", senders={"a.test": "a"})
    inputs.apply(postfix)
    ways = {("<>", FRIEND): B, ("anna@a.test", FRIEND): A}
    assert outcomes(testbed, postfix, ways) == ways


def test_many_accounts_at_one_relay(testbed: Testbed, inputs: Inputs) -> None:
    """200 domains with 200 accounts at one relay are one service, and each domain's mail comes with its own login."""
    relay = testbed.relay("a")
    postfix = testbed.postfix(MAY)
    senders = {f"domain{number}.test": own("big", f"user{number}") for number in range(200)}
    write(inputs, {"big": entry(relay, postfix)}, senders=senders)
    inputs.apply(postfix)
    services = re.findall(r"^relay-\S+", (postfix.config / "master.cf").read_text(), re.MULTILINE)
    assert services == ["relay-big"]
    sample = range(0, 200, 5)
    ways = {(f"anna@domain{number}.test", FRIEND): ("a", f"user{number}", True) for number in sample}
    assert outcomes(testbed, postfix, ways) == ways
    assert offered(testbed) == {("a", f"user{number}") for number in sample}


def inline(entries: Mapping[str, str]) -> str:
    """Return a lookup table of Postfix that stands in main.cf."""
    return "inline:{ " + ", ".join(f"{{ {key} = {value} }}" for key, value in entries.items()) + " }"


def wait_for_first_attempt(postfix: Postfix) -> str:
    """Wait until Postfix has tried to deliver the first message; give the outcome, as it logs it."""
    end = time.monotonic() + PATIENCE
    while not (statuses := postfix.statuses()):
        assert time.monotonic() < end, postfix.log()
        time.sleep(0.1)
    return next(iter(statuses))


class Operator:
    """An operator whose main.cf has a fallback relay, policies and logins for everything in reach."""

    def __init__(self, testbed: Testbed, inputs: Inputs) -> None:
        """Start relay a, relay b, for which there is no login, a fallback relay, and Postfix."""
        testbed.world("world", STRANGER)
        self.a, self.b, self.fallback = (
            testbed.relay("a"),
            testbed.relay("b", STRANGER),
            testbed.relay("fallback", STRANGER),
        )
        testbed.relay("gone").stop()
        a, b, fallback = (f"[{relay.name}]:{relay.port}" for relay in (self.a, self.b, self.fallback))
        keys = (a, "[a]", "a", b, "[b]", "b", "@a.test", "@b.test")
        self.postfix = testbed.postfix(
            MAY
            | {
                "smtp_fallback_relay": fallback,
                "smtp_tls_policy_maps": inline({"world": "none", **dict.fromkeys(keys[:-2], "none")}),
                "smtp_tls_secure_cert_match": "hostname",
                "smtp_sasl_auth_enable": "yes",
                "smtp_sasl_security_options": "noanonymous",
                "smtp_sender_dependent_authentication": "yes",
                "smtp_sasl_password_maps": inline(dict.fromkeys((*keys, fallback), f"operator:{PASSWORD}")),
            }
        )
        nobody = entry(self.b, self.postfix)
        del nobody["login"]
        write(
            inputs,
            {"a": entry(self.a, self.postfix), "b": nobody},
            senders={"a.test": "a", "b.test": "b"},
        )
        inputs.apply(self.postfix)


def test_the_operators_policies_and_logins(testbed: Testbed, inputs: Inputs) -> None:
    """Main.cf's policies and logins serve direct mail alone: relays keep their TLS, and see no login but their own."""
    operator = Operator(testbed, inputs)
    ways = {
        ("anna@a.test", FRIEND): A,
        ("anna@b.test", FRIEND): ("b", None, True),
        ("anna@any.test", "friend@world"): DIRECT,
        ("anna@any.test", "friend@gone"): ("fallback", "operator", True),
    }
    assert outcomes(testbed, operator.postfix, ways) == ways
    assert offered(testbed) == {("a", "a-user"), ("fallback", "operator")}


@pytest.mark.parametrize("mode", [STRANGER, CLEARTEXT_STRANGER])
def test_the_operators_levels_by_site(testbed: Testbed, inputs: Inputs, mode: Mode) -> None:
    """Main.cf's `smtp_tls_per_site`, what came before policies, does not take a relay's TLS away, nor its login's cover."""
    relay = testbed.relay("a", mode)
    sites = inline({"a": "NONE", f"[a]:{relay.port}": "NONE"})
    postfix = testbed.postfix(MAY | {"smtp_tls_per_site": sites})
    write(inputs, {"a": entry(relay, postfix)}, default="a")
    inputs.apply(postfix)
    postfix.send("anna@any.test", [FRIEND], "one")
    if mode is STRANGER:
        assert arrival(relay.wait_for(1)[0]) == A
    else:
        assert wait_for_first_attempt(postfix) == "deferred"
    assert [attempt for attempt in relay.attempts if attempt.tls is None] == []


def test_the_operators_trust_anchor(testbed: Testbed, inputs: Inputs, tmp_path: Path) -> None:
    """Main.cf's `smtp_tls_trust_anchor_file` does not make a relay trust another authority than its `ca_file`."""
    relay = testbed.relay("a")
    postfix = testbed.postfix(MAY | {"smtp_tls_trust_anchor_file": "/anchor.pem"})
    testbed.authority.write_certificate(postfix.layout.queue / "anchor.pem")  # where smtp(8) looks, in its chroot
    other = Authority().write_certificate(tmp_path / "other.pem")
    write(inputs, {"a": entry(relay, postfix, tls={"ca_file": str(other)})}, default="a")
    inputs.apply(postfix)
    postfix.send("anna@any.test", [FRIEND], "one")
    assert wait_for_first_attempt(postfix) == "deferred"
    assert relay.attempts == ()


def test_the_operators_fallback_relay(testbed: Testbed, inputs: Inputs) -> None:
    """Mail for a relay that is down waits for it, and does not go to main.cf's fallback relay, as direct mail does."""
    operator = Operator(testbed, inputs)
    operator.a.stop()
    operator.postfix.send("anna@a.test", [FRIEND], "waits")
    assert wait_for_first_attempt(operator.postfix) == "deferred"
    operator.postfix.send("anna@any.test", ["friend@gone"], "falls back")
    assert [r.message_id for r in operator.fallback.wait_for(1)] == ["falls back"]
    operator.a.start()
    operator.postfix.wait_until_queue_empty()
    assert [(r.message_id, *arrival(r)) for r in testbed.ledger.received("a")] == [("waits", *A)]
    assert offered(testbed) == {("a", "a-user"), ("fallback", "operator")}


def test_the_operators_transport_maps(testbed: Testbed, inputs: Inputs) -> None:
    """Main.cf's transport_maps works behind the recipients of relay.yaml, and alone again once that file is gone."""
    a, b = testbed.relay("a"), testbed.relay("b", STRANGER)
    table = inline(dict.fromkeys(("to-a.test", "theirs.test"), f"smtp:[b]:{b.port}"))
    postfix = testbed.postfix(MAY | {"transport_maps": table})
    before = postfix.postconf_n()
    write(inputs, {"a": entry(a, postfix)}, recipients={"to-a.test": "a"})
    inputs.apply(postfix)
    ways = {("anna@any.test", "friend@to-a.test"): A, ("anna@any.test", "friend@theirs.test"): ("b", None, True)}
    assert outcomes(testbed, postfix, ways) == ways
    testbed.ledger.clear()
    inputs.write("relay.yaml", None)
    inputs.apply(postfix)
    assert postfix.postconf_n() == before
    ways = dict.fromkeys(ways, ("b", None, True))
    assert outcomes(testbed, postfix, ways) == ways


def test_the_transport_maps_of_the_operators_file(testbed: Testbed, inputs: Inputs) -> None:
    """What postfix-main.cf says for transport_maps works behind the recipients of relay.yaml."""
    a, b = testbed.relay("a"), testbed.relay("b", STRANGER)
    postfix = testbed.postfix(MAY)
    table = inline(dict.fromkeys(("to-a.test", "theirs.test"), f"smtp:[b]:{b.port}"))
    inputs.write("postfix-main.cf", f"transport_maps = {table}\n")
    write(inputs, {"a": entry(a, postfix)}, recipients={"to-a.test": "a"})
    inputs.apply(postfix)
    ways = {("anna@any.test", "friend@to-a.test"): A, ("anna@any.test", "friend@theirs.test"): ("b", None, True)}
    assert outcomes(testbed, postfix, ways) == ways


def test_without_relay_yaml(testbed: Testbed, inputs: Inputs) -> None:
    """RELAY_ROUTING=transports serves ENV and the .cf files: port 465, and an opt-out under DEFAULT_RELAY_HOST, too."""
    testbed.world("world", CLEARTEXT_STRANGER)
    a, b, c = testbed.relay("a", SMTPS, 465), testbed.relay("b"), testbed.relay("c")
    postfix = testbed.postfix(MAY)
    inputs.settings = {
        "RELAY_ROUTING": "transports",
        "DEFAULT_RELAY_HOST": f"[a]:{a.port}",
        "RELAY_USER": "a-user",
        "RELAY_PASSWORD": PASSWORD,
        "RELAY_HOST": "c",
        "RELAY_PORT": str(c.port),
    }
    inputs.manage(postfix, ["managed.test", "mapped.test", "optout.test"])
    inputs.write(RELAYMAP, f"@mapped.test [b]:{b.port}\nvip@mapped.test [a]:{a.port}\n@optout.test\n")
    inputs.write(
        LOGINS, f"[b]:{b.port} b-user:{PASSWORD}\n[c]:{c.port} c-user:{PASSWORD}\n@own.test own-user:{PASSWORD}\n"
    )
    inputs.apply(postfix)
    ways = {
        ("anna@managed.test", FRIEND): C,
        ("anna@mapped.test", FRIEND): B,
        ("vip@mapped.test", FRIEND): A,
        ("anna@any.test", FRIEND): A,
        ("<>", FRIEND): A,
        ("anna@own.test", FRIEND): ("a", "own-user", True),
        ("anna@optout.test", "friend@world"): DIRECT,
    }
    assert outcomes(testbed, postfix, ways) == ways
    assert offered(testbed) == {("a", "a-user"), ("a", "own-user"), ("b", "b-user"), ("c", "c-user")}
    assert postfix.complaints() == []


SLOW = Mode(delay=1.0)
"""Long enough for a second delivery to begin meanwhile, where none is held back."""


def test_limits_have_the_name_of_the_service(testbed: Testbed, inputs: Inputs) -> None:
    """Main.cf's `relay-NAME_destination_…` hold for a relay; `smtp_destination_…` for direct mail, and for no relay."""
    testbed.world("world", STRANGER)
    a, b, c = testbed.relay("a", SLOW), testbed.relay("b", SLOW), testbed.relay("c")
    postfix = testbed.postfix(
        MAY
        | {
            "smtp_destination_concurrency_limit": "1",
            "smtp_destination_rate_delay": "1h",
            "relay-a_destination_concurrency_limit": "1",
            "relay-c_destination_rate_delay": "1h",
        }
    )
    relays = {relay.name: entry(relay, postfix) for relay in (a, b, c)}
    write(inputs, relays, senders={f"{name}.test": name for name in relays})
    inputs.apply(postfix)
    for name in ("a", "b", "c", "any"):
        postfix.send(f"anna@{name}.test", ["friend@world"], name, 2)
    testbed.ledger.wait_for(6, PATIENCE)
    assert [len(testbed.ledger.received(name)) for name in ("a", "b", "c", "world")] == [2, 2, 1, 1]
    wait_until(lambda: len(postfix.queue()) <= 2)  # a relay notes a message before Postfix hears that it has it
    assert sorted(message["sender"] for message in postfix.queue()) == ["anna@any.test", "anna@c.test"]
    assert a.connections[1].time > a.received[0].time
    assert b.connections[1].time < b.received[0].time
