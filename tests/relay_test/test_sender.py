"""The last step of a try: MAIL FROM with a sender that uses the relay, and RSET, so that nothing is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from testbed import Auth, Mode, Tls
from testbed.listener import Listener
from tests.relay_test.scene import PASSWORD, advice, told

if TYPE_CHECKING:
    from testbed.listener import Client
    from tests.relay_test.scene import Scene

OPEN = Mode(Tls.NONE, Auth.NONE)
CLEAR: dict[str, Any] = {"login": False, "level": "none"}
LOGIN_WANTED = (
    "the server requires a login, and none is set for this relay",
    "set a login for this relay: RELAY_USER and RELAY_PASSWORD, postfix-sasl-password.cf, or relay.yaml",
)


def serve(client: Client) -> None:
    """Take every command."""
    client.say("220 r.test\r\n")
    while line := client.hear():
        if line == "DATA":
            client.say("354 go on\r\n")
            while client.hear() != ".":
                pass
        client.say("250 r.test\r\n")


def lines_of(scene: Scene, *arguments: str, **more: Any) -> list[str]:  # noqa: ANN401 -- as in YAML
    """Return what a server hears of a try, with other senders and recipients."""
    with Listener(serve) as server:
        scene.name("r", server.host, server.port, **CLEAR)
        scene.write(**more)
        assert scene.run(*arguments).code == 0
    return server.lines


def test_nothing_is_sent(scene: Scene) -> None:
    """The sender is named and taken back; no recipient and no message follow."""
    assert lines_of(scene) == ["EHLO mail.example.test", "MAIL FROM:<postmaster@r.example>", "RSET", "QUIT"]


SENDERS: dict[str, tuple[dict[str, Any], str]] = {
    "a domain": ({"senders": {"a.example": "r"}}, "postmaster@a.example"),
    "an address": ({"senders": {"u@a.example": "r", "a.example": "direct"}}, "u@a.example"),
    "a default": ({"senders": {}, "default": "r"}, "postmaster@first.example"),
    "a default for others": ({"senders": {"First.example": "direct"}, "default": "r"}, "postmaster@second.example"),
    "nobody's default": (
        {"senders": {"first.example": "direct", "second.example": "direct"}, "default": "r"},
        "postmaster@mail.example.test",
    ),
    "a recipient": ({"senders": {}, "recipients": {"x.example": "r"}}, "postmaster@first.example"),
    "bounces": ({"senders": {"<>": "r"}}, ""),
    "bounces and others": ({"senders": {"<>": "r", "a.example": "r"}}, "postmaster@a.example"),
    "a default and bounces": ({"senders": {"<>": "r"}, "default": "r"}, "postmaster@first.example"),
}


@pytest.mark.parametrize("name", SENDERS)
def test_sender(scene: Scene, name: str) -> None:
    """The sender is one whose mail goes by the relay: of a key, else of a managed domain; else this host's postmaster."""
    scene.sandbox.write("vhost", "first.example\nsecond.example\n")
    more, sender = SENDERS[name]
    assert f"MAIL FROM:<{sender}>" in lines_of(scene, **more)


def test_sender_of_a_default_relay_with_maps(scene: Scene) -> None:
    """With maps too, the sender is of a managed domain that no route takes elsewhere."""
    scene.sandbox.write("vhost", "first.example\nsecond.example\n")
    with Listener(serve) as server:
        scene.sandbox.write("postfix-relaymap.cf", "@first.example [127.0.0.1]:1\n")
        scene.run(server.nexthop, env={"DEFAULT_RELAY_HOST": server.nexthop})
    assert "MAIL FROM:<postmaster@second.example>" in server.lines


@pytest.mark.parametrize("sender", ["me@else.example", "<>"])
def test_send_from(scene: Scene, sender: str) -> None:
    """``--send-from`` names the sender, which may be the null sender."""
    lines = lines_of(scene, "--send-to", "friend@else.test", "--send-from", sender)
    assert f"MAIL FROM:<{sender.strip('<>')}>" in lines


def test_message_of_the_null_sender(scene: Scene) -> None:
    """A message of the null sender arrives, and has an author whom a reader can make out."""
    relay = scene.relay("r", Mode(), level="encrypt")
    result = scene.result("--send-to", "friend@else.test", "--send-from", "<>")
    assert (result["sent"], [message.sender for message in relay.received]) == (True, ["<>"])


@pytest.mark.parametrize("address", ["<>", "a@b>", ""])
def test_no_address(scene: Scene, address: str) -> None:
    """The null sender is no recipient; what is no address at all is refused, and what to write is said."""
    scene.relay("r", OPEN, **CLEAR)
    scene.write()
    result = scene.run("--send-to", address)
    assert (result.code, "--send-to: this is not an address -- write user@example.com" in result.err) == (2, True)
    if address != "<>":
        result = scene.run("--send-to", "a@b.test", "--send-from", address)
        assert (result.code, "or '<>' alone" in result.err) == (2, True)


@pytest.mark.parametrize(
    "reply",
    [
        "530 5.7.57 Client not authenticated to send mail. [AM0PR02CA0001]",
        "550 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
        "530 5.7.0 Authentication required",
        "530-5.7.0 Authentication Required. For more information, go to\r\n530 5.7.0 https://support.google.com",
        "550 5.7.1 Relaying denied",
        "553 sorry, you must authenticate first",
        "554 5.7.1 Authentication needed",
    ],
)
def test_a_login_is_wanted(scene: Scene, reply: str) -> None:
    """A server that wants a login, and says so at MAIL FROM, is not fine without one."""
    scene.relay("r", Mode(Tls.NONE, Auth.NONE, refusals={"MAIL": reply}), **CLEAR)
    result = scene.result()
    assert told(result)[:2] == ("rejected", "the server refused MAIL FROM:<postmaster@r.example>")
    assert advice(result) == LOGIN_WANTED


def test_a_login_is_wanted_and_given(scene: Scene) -> None:
    """The remedy is followed, and the try is fine."""
    scene.relay("r", Mode(logins={"u": PASSWORD}), login=False, level="encrypt")
    assert advice(scene.result()) == LOGIN_WANTED
    scene.relays["r"]["login"] = {"username": "u", "password": PASSWORD}
    assert scene.result()["result"] == "ok"


@pytest.mark.parametrize(
    "reply",
    [
        "530 Must issue a STARTTLS command first",
        "530 5.7.0 Must issue a STARTTLS command first.",
        "451 5.7.3 STARTTLS is required to send mail",
        "554 5.7.1 TLS required",
        "550 5.7.10 Encryption needed",
        "538 5.7.11 Encryption required for requested authentication mechanism",
        "503 5.5.1 SSL connection required",
    ],
)
@pytest.mark.parametrize("verb", ["MAIL", "AUTH", "EHLO"])
def test_tls_is_wanted(scene: Scene, verb: str, reply: str) -> None:
    """A server that wants TLS first does not want another login or name: the remedy raises the level."""
    refusals = {verb: reply} | ({"HELO": reply} if verb == "EHLO" else {})
    relay = scene.relay("r", Mode(Tls.NONE, Auth.OFFERED, refusals=refusals), level="may", allow_cleartext_login=True)
    result = scene.result()
    assert (result["result"], result["failure"]["reply"]) == ("rejected", reply)
    assert advice(result) == (
        "the server wants TLS first, and at level may this connection has none",
        "raise the level: tls: {level: encrypt}, or better secure",
    )
    assert relay.received == ()


def test_tls_is_wanted_and_given(scene: Scene) -> None:
    """The remedy is followed, and the try is fine."""
    scene.relay("r", Mode(logins={"r-user": PASSWORD}), level="none", allow_cleartext_login=True)
    scene.relays["r"].pop("login")
    assert advice(scene.result())[1].startswith("raise the level: tls: {level: encrypt}")
    scene.relays["r"] |= {"login": {"username": "r-user", "password": PASSWORD}}
    scene.relays["r"]["tls"] |= {"level": "encrypt"}
    assert scene.result()["result"] == "ok"


@pytest.mark.parametrize("routing", ["transports", "maps"])
def test_remedy_for_tls_by_routing(scene: Scene, routing: str) -> None:
    """With maps the level is main.cf's."""
    relay = scene.testbed.relay("r.test", Mode())
    scene.main_cf("smtp_tls_security_level = none\n")
    env = {"DEFAULT_RELAY_HOST": relay.nexthop, "RELAY_ROUTING": routing, "RELAY_TLS_LEVEL": "none"}
    (result,) = json.loads(scene.run("--json", env=env).out)["results"]
    assert result["result"] == "rejected"
    named = "smtp_tls_security_level = encrypt in main.cf" if routing == "maps" else "RELAY_TLS_LEVEL=encrypt"
    assert named in result["failure"]["remedy"]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("553 5.1.8 Sender address rejected", "ok"),
        ("450 4.1.8 Sender address rejected: Domain not found", "ok"),
        ("421 4.3.2 too busy", "rejected"),
        ("530 5.7.57 Client not authenticated", "rejected"),
    ],
)
def test_a_sender_that_nobody_named(scene: Scene, reply: str, outcome: str) -> None:
    """A server that does not want a sender whom we made up is fine; the refusal is a remark."""
    scene.relay("r", Mode(Tls.NONE, Auth.NONE, refusals={"MAIL": reply}), **CLEAR)
    scene.write(senders={}, default="r")
    (result,) = scene.results().values()
    assert result["result"] == outcome
    refused = "the server refused MAIL FROM:<postmaster@mail.example.test>"
    remark = f"{refused}, which no configuration names as a sender: {reply}"
    assert (remark in result["remarks"]) == (outcome == "ok")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("553 5.7.1 not your address", "rejected"),
        ("451 4.7.1 try later", "rejected"),
        ("550 5.7.30 Basic authentication is not supported for Client Submission.", "mechanism"),
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.", "mechanism"),
    ],
)
def test_a_sender_that_is_refused(scene: Scene, reply: str, outcome: str) -> None:
    """A server that does not want a sender of ours is not fine; one that refuses passwords only now is told apart."""
    scene.relay("r", Mode(refusals={"MAIL": reply}))
    assert told(scene.result()) == (outcome, "the server refused MAIL FROM:<postmaster@r.example>", reply)


@pytest.mark.parametrize(
    "reply",
    [
        "504 5.5.2 <mail>: Helo command rejected: need fully-qualified hostname",
        "450 4.7.1 <mail.example.test>: Helo command rejected: Host not found",
        "550 5.7.1 invalid HELO name (see RFC2821 4.1.1.1)",
    ],
)
def test_the_name_is_refused_later_on(scene: Scene, reply: str) -> None:
    """Many servers say only after the sender what they have against the name in EHLO."""
    scene.relay("r", Mode(refusals={"MAIL": reply}))
    result = scene.result()
    assert told(result) == ("rejected", "the server refused MAIL FROM:<postmaster@r.example>", reply)
    assert advice(result) == (
        "the server does not accept the name of this machine in EHLO, mail.example.test: see its reply",
        (
            "set smtp_helo_name in main.cf to the full name by which the DNS knows this machine, and run postfix reload;"
            " if the reply is about something else, wait or ask the service"
        ),
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_closed_after_the_login(scene: Scene, mechanism: str) -> None:
    """A server that closes the connection in place of an answer to the login may mean the login."""

    def close_at_auth(client: Client) -> None:
        for text in ("220 r.test", f"250-r.test\r\n250 AUTH {mechanism}"):
            client.say(f"{text}\r\n")
            client.hear()

    with Listener(close_at_auth) as server:
        scene.name("r", server.host, server.port, level="none", allow_cleartext_login=True)
        result = scene.result()
    assert result["result"] == "connection lost"
    assert advice(result) == (
        "some servers close the connection at a wrong login, or after too many attempts from here",
        "correct the login at relay.yaml:5:7, if it is wrong; otherwise wait, then try again",
    )


def test_two_logins_of_one_user_name(scene: Scene) -> None:
    """Two logins that look alike are told apart by their places."""
    scene.relay("r", Mode(), level="encrypt")
    own = {"relay": "r", "login": {"username": "r-user", "password": f"{PASSWORD}2"}}
    scene.write(senders={"a.example": "r", "b.example": own})
    rows = [line for line in scene.run().out.splitlines() if line.startswith("r ")]
    assert len(rows) == 2
    assert len({"relay.yaml:5:7" in row for row in rows}) == 2
    assert all("r-user (relay.yaml:" in row for row in rows)
