"""`apply` on a Postfix that runs: what changes takes effect at once, and what does not change is left alone."""

import pytest

from testbed import SUBMISSION, WORLD, Auth, Inputs, Login, Mode, Postfix, Received, Relay, Testbed, Tls
from testbed.inputs import LOGINS, RELAYMAP

SENDER = "anna@managed.test"
LENIENT = Mode(Tls.OFFERED, Auth.OFFERED)
"""A relay that takes mail in any way, so that the way it came shows."""


@pytest.fixture
def postfix(testbed: Testbed) -> Postfix:
    """Return a running Postfix with one managed domain, and the recipient's server."""
    testbed.world("world", WORLD)
    postfix = testbed.postfix()
    (postfix.config / "vhost").write_text("managed.test\n")
    return postfix


def deliver(testbed: Testbed, postfix: Postfix, sender: str = SENDER) -> Received:
    """Send one message, and give it as it arrived."""
    number = len(testbed.ledger.received()) + 1
    postfix.send(sender, ["friend@world"], str(number))
    return testbed.ledger.wait_for(number)[-1]


def relay_host(relay: Relay, user: str | None = None, password: str = "pw") -> dict[str, str]:  # noqa: S107
    """Return the settings for RELAY_HOST, with or without a login."""
    login = {"RELAY_USER": user, "RELAY_PASSWORD": password} if user else {}
    return {"RELAY_HOST": relay.host, "RELAY_PORT": str(relay.port)} | login


def test_switched_on_while_running(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """A relay that is configured while Postfix runs gets the next message, with login and TLS."""
    relay = testbed.relay("relay", SUBMISSION)
    assert deliver(testbed, postfix).relay == "world"
    inputs.settings = relay_host(relay, "user")
    inputs.apply(postfix)
    received = deliver(testbed, postfix)
    assert (received.relay, received.login, received.tls is not None) == ("relay", Login("user", "pw"), True)


def test_relay_taken_away(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """Without the input, the next message goes directly, without login, and the parameters are as before."""
    before = postfix.postconf_n()
    inputs.settings = relay_host(testbed.relay("relay", SUBMISSION), "user")
    inputs.apply(postfix)
    assert deliver(testbed, postfix).relay == "relay"
    inputs.settings = {}
    inputs.apply(postfix)
    received = deliver(testbed, postfix)
    assert (received.relay, received.login, received.tls) == ("world", None, None)
    assert postfix.postconf_n() == before
    assert not (postfix.config / "sasl_passwd").exists()


def test_login_taken_away(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """Without RELAY_USER and RELAY_PASSWORD, the next message reaches the same relay without a login."""
    relay = testbed.relay("relay", LENIENT)
    inputs.settings = relay_host(relay, "user")
    inputs.apply(postfix)
    assert deliver(testbed, postfix).login == Login("user", "pw")
    inputs.settings = relay_host(relay)
    inputs.apply(postfix)
    received = deliver(testbed, postfix)
    assert (received.relay, received.login) == ("relay", None)


def test_new_password(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """A new password is used for the next message."""
    relay = testbed.relay("relay", SUBMISSION)
    inputs.settings = relay_host(relay, "user", "old")
    inputs.apply(postfix)
    assert deliver(testbed, postfix).login == Login("user", "old")
    inputs.settings = relay_host(relay, "user", "new")
    inputs.apply(postfix)
    assert deliver(testbed, postfix).login == Login("user", "new")


def test_mapping_taken_away(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """A line that leaves the relaymap leaves Postfix too; the domain falls back to RELAY_HOST and its login."""
    mapped, default = testbed.relay("mapped"), testbed.relay("default")
    inputs.settings = relay_host(default, "default-user")
    inputs.write(RELAYMAP, f"@managed.test {mapped.nexthop}\n")
    inputs.write(LOGINS, f"{mapped.nexthop} mapped-user:pw\n")
    inputs.apply(postfix)
    assert deliver(testbed, postfix).user == "mapped-user"
    inputs.write(RELAYMAP, "")
    inputs.apply(postfix)
    assert deliver(testbed, postfix).user == "default-user"


def test_login_by_sender_taken_away(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """A login by sender that leaves the file is used no more; the one of the nexthop takes its place."""
    relay = testbed.relay("relay")
    inputs.settings = relay_host(relay, "env-user")
    inputs.write(LOGINS, "@managed.test anna-user:pw\n")
    inputs.apply(postfix)
    assert deliver(testbed, postfix).user == "anna-user"
    inputs.write(LOGINS, None)
    inputs.apply(postfix)
    assert deliver(testbed, postfix).user == "env-user"


def test_nothing_to_do_does_not_reload(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """A second run with the same inputs says so, and Postfix is not reloaded."""
    inputs.settings = relay_host(testbed.relay("relay"), "user")
    assert "Postfix reloaded" in inputs.apply(postfix)
    reloads = postfix.log().count("reload --")
    said = inputs.apply(postfix)
    assert "nothing to do" in said
    assert "Postfix reloaded" not in said
    assert postfix.log().count("reload --") == reloads > 0


def test_no_reload_leaves_the_daemons(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """With `--no-reload` the daemons go on as they were until somebody reloads them."""
    inputs.settings = relay_host(testbed.relay("relay"), "user")
    inputs.apply(postfix, "--no-reload")
    assert "reload --" not in postfix.log()
    postfix.reload()
    assert deliver(testbed, postfix).relay == "relay"


def test_tables_as_the_daemons_read_them(testbed: Testbed, postfix: Postfix, inputs: Inputs) -> None:
    """Each table holds what the inputs say: keys in any case and order, one line each, no warning from Postfix."""
    relay = testbed.relay("relay")
    inputs.settings = relay_host(relay, "env-user")
    inputs.write(RELAYMAP, f"@Upper.TEST\t{relay.nexthop}\r\n  <>   {relay.nexthop}\n@upper.test [other.test]:25\n")
    inputs.write(LOGINS, "@upper.test us er:pass:wo#rd\n")
    inputs.apply(postfix)
    assert table(postfix, "relayhost_map") == {
        "@upper.test": relay.nexthop,
        "<>": relay.nexthop,
        "@managed.test": relay.nexthop,
    }
    assert table(postfix, "sasl_passwd") == {"@upper.test": "us er:pass:wo#rd", relay.nexthop: "env-user:pw"}
    assert deliver(testbed, postfix, "Anna@UPPER.test").login == Login("us er", "pass:wo#rd")
    assert deliver(testbed, postfix, "<>").login == Login("env-user", "pw")
    assert postfix.complaints() == []


def table(postfix: Postfix, name: str) -> dict[str, str]:
    """Return a table as Postfix reads it; whatever it has to say about it is a failure."""
    done = postfix.command("postmap", "-s", f"texthash:{postfix.config / name}")
    assert done.stderr == ""
    return {key.casefold(): value for key, _, value in (line.partition("\t") for line in done.stdout.splitlines())}
