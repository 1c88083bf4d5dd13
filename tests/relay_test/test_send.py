"""``--send-to``: one message through each relay that works, and none without it."""

from __future__ import annotations

import email
from typing import TYPE_CHECKING

import pytest

from testbed import SUBMISSION, Login, Mode
from testbed.listener import Listener
from tests.relay_test.scene import PASSWORD, advice, told

if TYPE_CHECKING:
    from testbed.listener import Client
    from tests.relay_test.scene import Scene

TO = ("--send-to", "friend@elsewhere.test")


def test_nothing_is_sent_without_it(scene: Scene) -> None:
    """Without ``--send-to`` a relay sees the login, and no message."""
    relay = scene.relay("r", Mode())
    assert (scene.result()["sent"], relay.received, len(relay.attempts)) == (False, (), 1)


def test_one_message(scene: Scene) -> None:
    """It comes from an address that uses the relay, with the relay's login, inside TLS."""
    relay = scene.relay("r", Mode())
    result = scene.result(*TO)
    (message,) = relay.received
    assert (result["result"], result["sent"]) == ("ok", True)
    assert (message.sender, message.recipients) == ("postmaster@r.example", ("friend@elsewhere.test",))
    assert (message.login, message.tls) == (Login("r-user", PASSWORD), "TLSv1.3")
    assert message.message_id == "dms-relay test: r"


def test_it_is_said(scene: Scene) -> None:
    """The table is followed by a word on each message."""
    scene.relay("r", Mode())
    scene.write()
    assert "  sent:    the server accepted the message" in scene.run(*TO).out.splitlines()


def test_one_message_for_each_relay_and_login(scene: Scene) -> None:
    """Many senders with one login make one message; a sender with a login of its own makes another, from that sender."""
    relay = scene.relay("r", Mode())
    own = {"relay": "r", "login": {"username": "own-user", "password": PASSWORD}}
    scene.write(senders={"a.example": "r", "b.example": "r", "boss@c.example": own}, default="r")
    result = scene.run(*TO)
    assert result.code == 0, result.out
    assert sorted((m.sender, m.user) for m in relay.received) == [
        ("boss@c.example", "own-user"),
        ("postmaster@a.example", "r-user"),
    ]


def test_one_message_for_all_hosts_of_a_relay(scene: Scene) -> None:
    """A relay with two hosts gets one message, by the first of them."""
    first, second = scene.relay("first", Mode()), scene.relay("second", Mode())
    login = scene.relays["first"]["login"]
    hosts = [f"{relay.name}:{relay.port}" for relay in (first, second)]
    scene.relays = {"both": {"hosts": hosts, "login": login, "tls": {"ca_file": scene.ca_file}}}
    scene.write()
    assert scene.run(*TO).code == 0
    assert [len(relay.received) for relay in (first, second)] == [1, 0]
    assert [len(relay.attempts) for relay in (first, second)] == [1, 1]


def test_a_relay_for_everybody(scene: Scene) -> None:
    """Where no sender is named, the message is from the postmaster of this host."""
    relay = scene.relay("r", Mode())
    scene.write(senders={}, default="r")
    assert scene.run(*TO).code == 0
    assert [message.sender for message in relay.received] == ["postmaster@mail.example.test"]


def test_send_from(scene: Scene) -> None:
    """``--send-from`` names the sender of all messages."""
    relay = scene.relay("r", Mode())
    assert scene.result(*TO, "--send-from", "me@r.example")["sent"]
    assert [message.sender for message in relay.received] == ["me@r.example"]


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("MAIL", "the server refused MAIL FROM:<postmaster@r.example>"),
        ("RCPT", "the server refused RCPT TO:<friend@elsewhere.test>"),
        ("DATA", "the server refused DATA"),
    ],
)
def test_rejected(scene: Scene, verb: str, what: str) -> None:
    """A refusal at each step of the message is shown as it is."""
    relay = scene.relay("r", Mode(refusals={verb: "550 5.7.1 not yours"}))
    result = scene.result(*TO)
    assert told(result) == ("rejected", what, "550 5.7.1 not yours")
    assert advice(result)[1].startswith("read the reply; usually you must verify the sender at the service")
    assert (relay.received, result["sent"]) == ((), False)


def test_login_that_the_server_wants(scene: Scene) -> None:
    """530 at the message says that a login is missing, and so do cause and remedy."""
    relay = scene.relay("r", SUBMISSION, login=False)
    result = scene.result(*TO)
    assert told(result)[0] == "rejected"
    assert "530" in str(told(result)[2])
    assert advice(result) == (
        "the server requires a login, and none is set for this relay",
        "set a login for this relay: RELAY_USER and RELAY_PASSWORD, postfix-sasl-password.cf, or relay.yaml",
    )
    assert relay.received == ()


def serve_and_keep(client: Client) -> None:
    """Take a message, and refuse it at its end."""
    for text in ("220 r", "250 r", "250 ok", "250 ok", "354 go on"):
        client.say(f"{text}\r\n")
        client.hear()
    while client.hear() != ".":
        pass
    client.say("554 5.6.0 not that one\r\n")
    client.hear()


def test_the_message(scene: Scene) -> None:
    """It has the headers of RFC 5322, and says that no person wrote it; a refusal at its end is shown."""
    with Listener(serve_and_keep) as server:
        scene.name("r", server.host, server.port, login=False, level="may")
        result = scene.result(*TO)
    assert told(result) == ("rejected", "the server refused the message", "554 5.6.0 not that one")
    begin = server.lines.index("DATA") + 1
    message = email.message_from_string("\n".join(server.lines[begin:]))
    assert dict(message) | {"Date": "", "Message-ID": ""} == {
        "From": "<postmaster@r.example>",
        "To": "<friend@elsewhere.test>",
        "Subject": "dms-relay test: r",
        "Date": "",
        "Message-ID": "",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=us-ascii",
    }
    assert message["Date"].endswith("+0000")
    assert message["Message-ID"].endswith("@mail.example.test>")


BAD_ADDRESSES = [
    "friend",
    "@elsewhere.test",
    "a b@elsewhere.test",
    "<friend@elsewhere.test>",
    "friend@elsewhere.test> SIZE=1",
    "friend@elsewhere.test\r\nRCPT TO:<other@elsewhere.test>",
    "friend@elsewhere.test\n",
    "fr\0iend@elsewhere.test",
    "freund@bücher.test",
    "x" * 250 + "@elsewhere.test",
    "",
]


@pytest.mark.parametrize("option", ["--send-to", "--send-from"])
@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_addresses_that_cannot_be_used(scene: Scene, option: str, address: str) -> None:
    """An address that could end a command, or needs more than ASCII, is refused before anything is connected to."""
    relay = scene.relay("r", Mode())
    scene.write()
    arguments = dict([TO]) | {option: address}
    result = scene.run(*(word for pair in arguments.items() for word in pair))
    assert (result.code, result.out, relay.connections) == (2, "", ())
    assert f"{option}: this is not an address -- write user@example.com, in ASCII, without <>" in result.err


def test_send_from_alone(scene: Scene) -> None:
    """``--send-from`` without ``--send-to`` has no meaning."""
    result = scene.run("--send-from", "me@r.example")
    assert result.code == 2
    assert "--send-from without --send-to: no message is sent -- add --send-to user@example.com" in result.err


def test_a_sender_that_cannot_be_used(scene: Scene) -> None:
    """A sender key that is no address in ASCII makes a failure, and no command of it is sent."""
    relay = scene.relay("r", Mode())
    scene.write(senders={"bücher.example": "r"})
    (result,) = scene.results(*TO).values()
    assert told(result) == ("rejected", "the sender's address cannot be used in a test message", None)
    assert relay.received == ()
