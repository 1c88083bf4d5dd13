"""What `queue` says of mail that waits, followed to the letter: then it arrives. No secret is shown."""

from __future__ import annotations

import io
import json
import time
from base64 import b64encode
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest

from dms_relay.cli import main
from testbed import PATIENCE, PLAIN, SUBMISSION, Inputs, Postfix, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.modes import Auth, Mode

if TYPE_CHECKING:
    from collections.abc import Callable

#: Each takes seconds, and there are many of this kind.
pytestmark = pytest.mark.one_in(3)
GOOD = {"me": "the right one"}
WRONG = "pass-Word 4711"
ECHO = "535 5.7.8 wrong: {encoded} and {password}, \x1b[31m says no"
QUIET = dict.fromkeys(("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay"), "1h")


class Scene:
    """A relay, a Postfix that tries a message once unless it is told, and its inputs."""

    def __init__(self, testbed: Testbed, inputs: Inputs, mode: Mode) -> None:
        """Start a relay; ``start`` starts the rest."""
        self.testbed, self.inputs = testbed, inputs
        self.relay = testbed.relay("relay.test", mode)
        self.postfix: Postfix

    def start(self, nexthop: str, password: str = WRONG, **settings: str) -> None:
        """Have mail of d1.test go to a nexthop, with a login."""
        self.postfix = self.testbed.postfix({**QUIET, "mydestination": "here.test", **settings})
        self.route(nexthop, password)

    def route(self, nexthop: str, password: str) -> None:
        """Write the inputs, and have them in force."""
        self.inputs.write(RELAYMAP, f"@d1.test {nexthop}\n")
        self.inputs.write(LOGINS, f"{nexthop} me:{password}\n")
        self.inputs.apply(self.postfix)

    def queue(self) -> dict[str, Any]:
        """Return what `queue` says to programs."""
        document: dict[str, Any] = json.loads(self.said("--json"))
        return document

    def said(self, *options: str) -> str:
        """Return what `queue` says."""
        directories = ["--config-dir", str(self.inputs.directory), "--postfix-dir", str(self.postfix.config)]
        with redirect_stdout(io.StringIO()) as printed:
            assert main([*directories, "queue", *options], self.inputs.settings) == 0
        return printed.getvalue()

    def why(self, what: str) -> dict[str, Any]:
        """Wait until the only message waits for this reason; return the reason."""
        end = time.monotonic() + PATIENCE
        while True:
            document = self.queue()
            reasons = [reason for group in document["relays"] for reason in group["reasons"]]
            if [reason["what"] for reason in reasons] == [what]:
                found: dict[str, Any] = reasons[0]
                return found
            assert time.monotonic() < end, document
            time.sleep(0.1)

    def arrives(self) -> None:
        """Have Postfix try what waits, and expect that it all arrives."""
        self.postfix.flush()
        self.postfix.wait_until_queue_empty(PATIENCE)
        self.testbed.ledger.wait_for(1, PATIENCE)
        assert self.said() == "the queue is empty\n"


@pytest.fixture
def make(testbed: Testbed, inputs: Inputs) -> Callable[[Mode], Scene]:
    """Return what starts a relay of some kind."""
    return lambda mode: Scene(testbed, inputs, mode)


@pytest.mark.parametrize("routing", ["maps", "transports"])
def test_login(make: Callable[[Mode], Scene], inputs: Inputs, routing: str) -> None:
    """A refused login is named by its place, and masked wherever the relay repeats it, also after it was corrected."""
    inputs.settings["RELAY_ROUTING"] = routing
    scene = make(Mode(logins=GOOD, auth_reply=ECHO))
    scene.start(scene.relay.nexthop)
    scene.postfix.send("anna@d1.test", ["bob@x.test"], "1")
    reason = scene.why("login refused")
    assert "correct the login at postfix-sasl-password.cf:1;" in reason["remedy"]
    _show_no_secret(scene)
    scene.route(scene.relay.nexthop, GOOD["me"])
    assert scene.queue()["relays"][0]["reasons"][0]["example"].count(WRONG) <= 1
    assert _encoded(WRONG)[0] not in scene.said()
    scene.arrives()


@pytest.mark.parametrize("routing", ["maps", "transports"])
def test_what_is_corrected_is_tried_at_once(make: Callable[[Mode], Scene], inputs: Inputs, routing: str) -> None:
    """The remedy ends with the two commands that have mail tried again; without the second it waits an hour here."""
    inputs.settings["RELAY_ROUTING"] = routing
    scene = make(Mode(logins=GOOD))
    scene.start(scene.relay.nexthop)
    scene.postfix.send("anna@d1.test", ["bob@x.test"], "1")
    remedy = scene.why("login refused")["remedy"]
    inputs.write(LOGINS, f"{scene.relay.nexthop} me:{GOOD['me']}\n")
    end = ". Then run dms-relay apply, and postqueue -f, which makes Postfix try it at once"
    assert remedy.endswith(end)
    assert inputs.run(scene.postfix, "apply").returncode == 0
    scene.postfix.command("postqueue", "-f")
    scene.testbed.ledger.wait_for(1, PATIENCE)


def test_a_host_that_is_not_found(make: Callable[[Mode], Scene], inputs: Inputs, testbed: Testbed) -> None:
    """The remedy names the place of the relay, in relay.yaml too; once the host is corrected there, mail arrives."""
    scene = make(Mode(logins=GOOD))
    scene.postfix = testbed.postfix({**QUIET, "mydestination": "here.test"})
    login = f"login: {{username: me, password: {GOOD['me']}}}"
    port = scene.relay.nexthop.rpartition(":")[2]
    text = (
        f"version: 1\nrelays:\n  r: {{host: rleay.test, port: {port}, tls: {{level: encrypt}}, {login}}}\ndefault: r\n"
    )
    inputs.write("relay.yaml", text)
    inputs.apply(scene.postfix)
    scene.postfix.send("anna@d1.test", ["bob@x.test"], "1")
    # No DNS answers here, so it may be that as well.
    assert scene.why("DNS fails")["remedy"].endswith(" The relay is written at relay.yaml:3:3")
    inputs.write("relay.yaml", text.replace("rleay.test", "relay.test"))
    inputs.apply(scene.postfix)
    scene.arrives()


def _show_no_secret(scene: Scene) -> None:
    for shown in (scene.said(), scene.said("--json")):
        assert all(form not in shown for form in (WRONG, json.dumps(WRONG)[1:-1], *_encoded(WRONG)))
        assert "\x1b" not in shown
        assert "SASL authentication failed; server relay.test[" in shown or scene.relay.host in shown


def _encoded(password: str) -> tuple[str, str]:
    return b64encode(f"\0me\0{password}".encode()).decode(), b64encode(password.encode()).decode()


def test_another_relay(make: Callable[[Mode], Scene]) -> None:
    """After a change of the inputs, mail is counted for its new relay, and the reason of the old one is told apart."""
    scene = make(SUBMISSION)
    scene.start("[relay.test]:9")
    scene.postfix.send("anna@d1.test", ["bob@x.test"], "1")
    assert scene.why("connection refused")["remedy"] == (
        "use the port that the service documents: usually 587, or 465 with RELAY_ROUTING=transports."
        " The relay is written at postfix-relaymap.cf:1."
        " Then run dms-relay apply, and postqueue -f, which makes Postfix try it at once"
    )
    scene.route(scene.relay.nexthop, GOOD["me"])
    assert scene.queue()["relays"][0]["relay"] == scene.relay.nexthop
    assert "postqueue -f makes Postfix try it there" in scene.why("tried at another host before")["remedy"]
    scene.arrives()


def test_hold_and_stop(make: Callable[[Mode], Scene]) -> None:
    """What is on hold, what a transport does not try, and a Postfix that does not run are said, and undone as it is said."""
    scene = make(SUBMISSION)
    scene.start(scene.relay.nexthop, GOOD["me"], defer_transports="smtp")
    scene.postfix.send("anna@d1.test", ["bob@x.test", "carl@x.test"], "1")
    stopped = scene.why("transport stopped")
    assert stopped["recipients"] == 2
    assert stopped["remedy"].startswith("remove smtp from defer_transports in main.cf, and run postfix reload")
    scene.postfix.command("postconf", "defer_transports=")
    scene.postfix.reload()
    scene.postfix.command("postsuper", "-h", "ALL")
    assert scene.why("on hold")["remedy"].startswith("postsuper -H ALL ")
    scene.postfix.stop()
    document, said = scene.queue(), scene.said()
    assert (document["running"], document["messages"], document["recipients"]) == (False, 1, 2)
    assert said.endswith("\nPostfix does not run, so nothing is delivered -- start it: postfix start\n")
    scene.postfix.start()
    assert scene.queue()["running"]
    scene.postfix.command("postsuper", "-H", "ALL")
    scene.arrives()


def test_limits_and_direct_mail(make: Callable[[Mode], Scene], testbed: Testbed) -> None:
    """What is for the recipient to solve says wait; mail that goes to no relay has remedies of its own."""
    replies = {"RCPT": "452 4.2.2 The mailbox is full"}
    scene = make(Mode(refusals=replies))
    testbed.world("world.test", Mode(auth=Auth.NONE, refusals={"RCPT": "450 4.2.0 Greylisted, come back"}))
    scene.start(scene.relay.nexthop, GOOD["me"])
    scene.inputs.manage(scene.postfix, ["d1.test", "d2.test"])
    scene.postfix.send("anna@d1.test", ["bob@x.test"], "1")
    scene.why("mailbox full")
    scene.postfix.send("dora@d2.test", ["bob@world.test"], "2")
    scene.postfix.send("<>", ["bob@nowhere.test", "carl@nowhere.test"], "3")
    end = time.monotonic() + PATIENCE
    while "waits for its turn" in (said := scene.said()) and time.monotonic() < end:
        time.sleep(0.1)
    assert "greylisted (1)" in said
    groups = {group["relay"]: group for group in scene.queue()["relays"]}
    assert groups.keys() >= {scene.relay.nexthop, "direct"}
    assert groups[scene.relay.nexthop]["senders"] == {"d1.test": 1}
    assert groups["direct"]["senders"]["d2.test"] == 1
    assert said.count("remedy:  wait") == 2


def test_direct_mail_without_tls(make: Callable[[Mode], Scene], testbed: Testbed) -> None:
    """With `maps`, the level for relays holds back mail to servers without TLS; what is said of it lets the mail leave."""
    scene = make(SUBMISSION)
    testbed.world("world.test", PLAIN)
    scene.start(scene.relay.nexthop, GOOD["me"], smtp_tls_security_level="may")
    scene.postfix.send("dora@d2.test", ["bob@world.test"], "1")
    reason = scene.why("no TLS offered")
    assert "(smtp_tls_security_level = encrypt): with RELAY_ROUTING=transports" in reason["remedy"]
    scene.inputs.settings["RELAY_ROUTING"] = "transports"
    scene.inputs.apply(scene.postfix)
    scene.arrives()
