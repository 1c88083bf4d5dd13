"""The six commands of `setup relay` on a Postfix that runs: a message before and one after each."""

from collections.abc import Iterator

import pytest

from testbed import SUBMISSION, WORLD, Inputs, Login, Postfix, Relay, Testbed

SENDER = "anna@one.test"


class Operator:
    """Somebody who types `setup relay` commands and looks where the mail goes."""

    def __init__(self, testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
        """Take a running Postfix."""
        self.testbed = testbed
        self.postfix = postfix
        self.inputs = inputs

    def types(self, *command: str, feed: str = "") -> str:
        """Type one command, which must succeed; give what it says on standard output."""
        done = self.inputs.run(self.postfix, *command, feed=feed)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sends(self, sender: str = SENDER) -> tuple[str, Login | None, bool]:
        """Send a message; give the relay that received it, the login, and whether it came over TLS."""
        number = len(self.testbed.ledger.received()) + 1
        self.postfix.send(sender, ["friend@world"], str(number))
        received = self.testbed.ledger.wait_for(number)[-1]
        return received.relay, received.login, received.tls is not None


@pytest.fixture
def operator(testbed: Testbed, inputs: Inputs) -> Iterator[Operator]:
    """Yield an operator with two relays, the world, and a Postfix that sends directly."""
    testbed.world("world", WORLD)
    for name in ("a", "b"):
        testbed.relay(name, SUBMISSION)
    postfix = testbed.postfix({"smtp_tls_security_level": "may"})
    yield Operator(testbed, postfix, inputs)
    assert postfix.complaints() == []


def words(relay: Relay) -> tuple[str, str]:
    """Return host and port as they are typed."""
    return relay.host, str(relay.port)


def test_each_command_has_its_effect(operator: Operator) -> None:
    """A relay and a login are added, changed, listed and removed; each time the next message goes accordingly."""
    a, b = operator.testbed.relays["a"], operator.testbed.relays["b"]
    assert operator.sends()[:2] == ("world", None)
    operator.types("add-auth", "one.test", "anna", "--password-stdin", feed="first \\1&\n")
    operator.types("add-domain", "one.test", *words(a))
    assert operator.sends() == ("a", Login("anna", "first \\1&"), True)
    operator.types("add-auth", "@ONE.test", "anna", "--password-stdin", feed="second")
    assert operator.sends() == ("a", Login("anna", "second"), True)
    operator.types("remove-auth", "one.test")
    operator.types("add-auth", b.nexthop, "ben", "--password-stdin", feed="third")
    operator.types("add-domain", "one.test", *words(b))
    assert operator.sends() == ("b", Login("ben", "third"), True)
    assert operator.types("list").split() == [
        *("SENDER", "RELAY", "LOGIN", "ORIGIN", "@one.test", b.nexthop, "ben"),
        *("postfix-relaymap.cf:1,", "postfix-sasl-password.cf:1"),
    ]
    operator.types("remove-domain", "one.test")
    assert operator.sends()[:2] == ("world", None)


def test_an_excluded_domain(operator: Operator) -> None:
    """Of two managed domains that RELAY_HOST serves, the excluded one goes directly, and back again."""
    a = operator.testbed.relays["a"]
    operator.inputs.settings = {
        "RELAY_HOST": a.host,
        "RELAY_PORT": str(a.port),
        "RELAY_USER": "u",
        "RELAY_PASSWORD": "p",
    }
    operator.inputs.manage(operator.postfix, ["one.test", "two.test"])
    operator.inputs.apply(operator.postfix)
    assert operator.sends() == ("a", Login("u", "p"), True)
    operator.types("exclude-domain", "one.test")
    assert operator.sends() == ("world", None, True)
    assert operator.sends("ben@two.test") == ("a", Login("u", "p"), True)
    operator.types("remove-domain", "one.test")
    assert operator.sends() == ("a", Login("u", "p"), True)


def test_an_address_and_bounces(operator: Operator) -> None:
    """One address goes another way than its domain, and bounces have a way of their own."""
    a, b = operator.testbed.relays["a"], operator.testbed.relays["b"]
    for relay in (a, b):
        operator.types("add-auth", relay.nexthop, f"{relay.name}-user", "--password-stdin", feed="pw")
    operator.types("add-domain", "one.test", *words(a))
    operator.types("add-domain", "boss@one.test", *words(b))
    operator.types("add-domain", "<>", *words(b))
    assert operator.sends() == ("a", Login("a-user", "pw"), True)
    assert operator.sends("boss@one.test") == ("b", Login("b-user", "pw"), True)
    assert operator.sends("<>") == ("b", Login("b-user", "pw"), True)
