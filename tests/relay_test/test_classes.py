"""For each class of failure a real server on loopback that behaves so; the message, cause and remedy that it gets."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from testbed import WORLD, Auth, Mode, Tls
from testbed.listener import Listener, closing, saying, silent
from tests.relay_test.scene import SHORT, advice, told

if TYPE_CHECKING:
    from testbed.listener import Client
    from tests.relay_test.scene import Scene

CLEAR: dict[str, Any] = {"level": "none", "allow_cleartext_login": True}
ODD_PORT = "use the port that the service documents: usually 587, or 465 with implicit TLS"  # as for a refusal
LOGIN_PORT = (
    "use the port that the service documents for logins: 587, or 465 with implicit TLS; or remove the login if none is"
    " needed"
)
HELLO = "220 odd.test ESMTP\r\n"


def test_refused(scene: Scene) -> None:
    """Nobody listens at the port."""
    relay = scene.relay("gone", Mode())
    relay.stop()
    result = scene.result()
    assert told(result) == ("refused", "the connection was refused", None)
    assert advice(result) == (
        "the host is up, but nothing listens on this port, or a firewall refuses the connection",
        ODD_PORT,
    )
    assert (result["host"], result["address"], result["port"]) == ("gone.test", relay.host, relay.port)


def test_timed_out(scene: Scene) -> None:
    """A server that takes the connection and says nothing, in the clear or with TLS."""
    with Listener(silent) as server:
        scene.name("silent", server.host, server.port, **CLEAR)
        result = scene.result(timeout=SHORT)
    assert told(result) == ("timed out", "no greeting within 0.5 s", None)
    assert advice(result) == (
        "the host is down or slow, or a firewall drops the packets",
        "try again with a longer --timeout; if that does not help, ask your network administrator, or the service",
    )


def test_timed_out_by_drops(scene: Scene) -> None:
    """An octet now and then does not stretch the time for a reply."""

    def serve(client: Client) -> None:
        for octet in "220 v":
            client.say(octet)
        silent(client)

    with Listener(serve) as server:
        scene.name("drops", server.host, server.port, **CLEAR)
        assert told(scene.result(timeout=SHORT))[:2] == ("timed out", "no greeting within 0.5 s")


def test_timed_out_in_small_steps(scene: Scene) -> None:
    """Nor do answers that come late, each in time by itself, stretch the time for a try as a whole."""

    def serve(client: Client) -> None:
        for answer in ("220 slow ESMTP", *["250 slow"] * 3):
            time.sleep(0.6 * float(SHORT))
            client.say(f"{answer}\r\n")
        silent(client)

    with Listener(serve) as server:
        scene.name("slow", server.host, server.port, login=False, **CLEAR)
        assert told(scene.result(timeout=SHORT))[:2] == ("timed out", "no answer to EHLO within 0.5 s")


def test_connection_lost(scene: Scene) -> None:
    """A server that closes the connection without a word."""
    with Listener(closing) as server:
        scene.name("closing", server.host, server.port, **CLEAR)
        result = scene.result()
    assert result["result"] == "connection lost"
    assert result["failure"]["what"] in {
        "the server closed the connection before the greeting",
        "the connection broke before the greeting: Connection reset by peer",
    }
    assert advice(result) == (
        "the server closes connections from this machine: there are too many, or it does not accept this address",
        "try again later; ask the service whether it accepts connections from this machine's address",
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "the greeting is not SMTP"),
        ("x" * 20000, "the greeting has a line of more than 12288 octets"),
        ("220-more\r\n" * 300, "the greeting has more than 200 lines"),
    ],
)
def test_not_smtp(scene: Scene, text: str, what: str) -> None:
    """A web server, and servers that say more than SMTP allows; nothing of it is shown."""
    with Listener(saying(text)) as server:
        scene.name("web", server.host, server.port, **CLEAR)
        result = scene.result()
    assert told(result) == ("not SMTP", what, None)
    assert advice(result) == ("something other than a mail server answers on this port", ODD_PORT)


def test_no_auth_offered(scene: Scene) -> None:
    """A server that takes no logins, inside TLS."""
    relay = scene.relay("world", WORLD)
    result = scene.result()
    assert told(result) == ("no AUTH offered", "the server does not offer AUTH inside TLS", None)
    assert advice(result) == (
        "this server accepts mail without a login, or recognizes this machine by its address",
        LOGIN_PORT,
    )
    assert relay.attempts == ()


def test_no_auth_offered_in_the_clear(scene: Scene) -> None:
    """A server that takes logins inside TLS only, at a level without TLS."""
    scene.relay("clear", Mode(), **CLEAR)
    result = scene.result()
    assert told(result) == ("no AUTH offered", "the server does not offer AUTH in the clear", None)
    assert advice(result) == (
        "many servers offer AUTH only inside TLS",
        "raise the level: tls: {level: encrypt}, or better secure",
    )


@pytest.mark.parametrize(
    ("greeting", "is_temporary"),
    [("554 5.7.1 not from you", False), ("421 4.3.2 too busy", True)],
)
def test_rejected_at_the_greeting(scene: Scene, greeting: str, *, is_temporary: bool) -> None:
    """A greeting that is none; a temporary refusal has another remedy than one for good."""
    scene.relay("rejects", Mode(greeting=greeting))
    result = scene.result()
    assert told(result) == ("rejected", "the server refuses the connection in its greeting", greeting)
    assert advice(result) == (TEMPORARY if is_temporary else FOR_GOOD)


TEMPORARY = (
    "the server temporarily refuses: overload, a limit, or too many attempts from here",
    "wait, then try again; if the reply stays the same, ask the service about it",
)
FOR_GOOD = (
    "the server does not accept this machine, its name, or an address: see its reply",
    "read the reply; usually you must verify the sender at the service, or have it allow this machine's address",
)
BY_NAME = (
    "the server does not accept the name of this machine in EHLO, mail.example.test: see its reply",
    (
        "set smtp_helo_name in main.cf to the full name by which the DNS knows this machine, and run postfix reload;"
        " if the reply is about something else, wait or ask the service"
    ),
)


@pytest.mark.parametrize(
    "refusal",
    ["550 5.7.1 that is not you", "504 5.5.2 need fully-qualified hostname", "450 4.7.1 Helo command rejected"],
)
def test_rejected_by_name(scene: Scene, refusal: str) -> None:
    """A server that takes neither EHLO nor HELO with our name, which is main.cf's."""
    scene.relay("picky", Mode(refusals={"EHLO": refusal, "HELO": refusal}))
    result = scene.result()
    assert told(result) == ("rejected", "the server refused EHLO mail.example.test", refusal)
    assert advice(result) == BY_NAME


def test_a_server_that_knows_helo_alone_and_refuses_the_name(scene: Scene) -> None:
    """Where EHLO is not known, what the server says to HELO is the reason."""
    refusals = {"EHLO": "502 what", "HELO": "550 5.7.1 not you"}
    scene.relay("picky", Mode(Tls.NONE, Auth.NONE, refusals=refusals), login=False, level="may")
    result = scene.result()
    assert told(result) == ("rejected", "the server refused EHLO mail.example.test", "550 5.7.1 not you")
    assert advice(result) == BY_NAME


def test_no_helo_after_421(scene: Scene) -> None:
    """After 421 the session is over, so no HELO follows; nor does Postfix say one."""

    def serve(client: Client) -> None:
        client.say(HELLO)
        client.hear()
        client.say("421 4.7.0 not with that name\r\n")
        client.hear()

    with Listener(serve) as server:
        scene.name("r", server.host, server.port, level="encrypt")
        result = scene.result()
    assert told(result) == (
        "rejected",
        "the server refused EHLO mail.example.test",
        "421 4.7.0 not with that name",
    )
    assert advice(result) == BY_NAME
    assert server.lines == ["EHLO mail.example.test"]


@pytest.mark.parametrize("is_hasty", [False, True])
def test_421_inside_tls(scene: Scene, is_hasty: bool) -> None:  # noqa: FBT001 -- a case
    """A server that says 421 inside TLS and closes is quoted, whether it has heard us before or not."""
    context = scene.testbed.authority.server("odd.test").context

    def serve(client: Client) -> None:
        for text in (HELLO, "250-odd.test\r\n250 STARTTLS\r\n"):
            client.say(text)
            client.hear()
        client.say("220 go on\r\n")
        client.start_tls(context)
        steps = (lambda: client.say("421 4.3.2 too many connections\r\n"), client.hear)
        for step in steps if is_hasty else reversed(steps):
            step()

    with Listener(serve) as server:
        scene.name("r", server.host, server.port, level="encrypt")
        result = scene.result()
    assert told(result)[::2] == ("rejected", "421 4.3.2 too many connections"), result["failure"]


def test_closed_inside_tls(scene: Scene) -> None:
    """A connection that breaks inside TLS is described in words, not in those of OpenSSL's source."""
    context = scene.testbed.authority.server("odd.test").context

    def serve(client: Client) -> None:
        for text in (HELLO, "250-odd.test\r\n250 STARTTLS\r\n"):
            client.say(text)
            client.hear()
        client.say("220 go on\r\n")
        client.start_tls(context)

    with Listener(serve) as server:
        scene.name("r", server.host, server.port, level="encrypt")
        result = scene.result()
    assert result["result"] == "connection lost"
    assert "_ssl" not in json.dumps(result)
    assert result["failure"]["what"] in {
        "the server closed the connection before the answer to EHLO",
        "the connection broke before the answer to EHLO: closed by the server",
        "the connection broke before the answer to EHLO: Connection reset by peer",
        "the connection broke at EHLO: closed by the server",
        "the connection broke at EHLO: Broken pipe",
    }


def test_a_server_without_extensions(scene: Scene) -> None:
    """A server that knows HELO alone has no TLS and no AUTH, and is fine where none is asked for."""
    scene.relay("ancient", Mode(Tls.NONE, Auth.NONE, refusals={"EHLO": "502 what"}), login=False, level="may")
    assert scene.result()["result"] == "ok"


def test_without_a_login(scene: Scene) -> None:
    """A relay that is used without a login is tried without AUTH; that it offers one is said."""
    relay = scene.relay("open", Mode(Tls.OFFERED, Auth.OFFERED), login=False, level="encrypt")
    result = scene.result()
    assert (result["result"], result["login"], result["remarks"]) == (
        "ok",
        None,
        ["the server offers AUTH, but no login is set for this relay"],
    )
    assert relay.attempts == ()
