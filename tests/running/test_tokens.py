"""Access tokens from relay.yaml to a real Postfix with our plugin: who gets which login, and renewals while mail flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

from dms_relay import Paths
from dms_relay.oauth2.renewal import renew
from dms_relay.token_tables import write_tokens
from dms_relay.tokens import in_force
from testbed import PATIENCE, Inputs, Mode, Postfix, Relay, Testbed
from testbed.token_rules import OAuth2Client
from testbed.token_server import TokenServer
from tests.sasl.plugin import Plugin, build
from tests.support.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.amounts import Figures

SECRET, PASSWORD = "s3cret-P4ss", "pass-word"
FRIEND = "friend@elsewhere.test"
BOTH = ("XOAUTH2", "OAUTHBEARER", "PLAIN", "LOGIN")


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """Return the plugin, built as for a machine."""
    return build(tmp_path_factory.mktemp("plugin"))


class Scene(NamedTuple):
    """A relay that wants tokens, one that wants passwords (both announce all mechanisms), and a Postfix that has both."""

    testbed: Testbed
    inputs: Inputs
    server: TokenServer
    postfix: Postfix
    token_relay: Relay
    password_relay: Relay
    paths: Paths

    def write(self) -> None:
        """Write relay.yaml: mail of p.test goes with a password, all other with the token of its account."""
        tls = {"ca_file": str(self.postfix.layout.authority)}
        how = {
            "token_url": self.server.token_url,
            "client_id": "us",
            "client_secret": SECRET,
            "ca_file": tls["ca_file"],
        }
        logins = {
            "t": {"username": "me@a.test", "oauth2": how},
            "p": {"username": "p-user", "password": PASSWORD},
        }
        found = {"t": self.token_relay, "p": self.password_relay}
        relays = {n: {"host": r.name, "port": r.port, "tls": tls, "login": logins[n]} for n, r in found.items()}
        own = {"relay": "t", "login": {"username": "boss@a.test", "oauth2": how}}
        document = {"version": 1, "relays": relays, "default": "t", "senders": {"p.test": "p", "boss@a.test": own}}
        self.inputs.write("relay.yaml", yaml.safe_dump(document))

    def renew(self) -> None:
        """Renew each token, and write it, as the keeper does."""
        new = {
            login.id: renew(self.paths.state_dir, login, environ={}, force=True).access_token
            for login in in_force.load(self.paths.state_dir)
        }
        assert write_tokens(self.paths, new)


@pytest.fixture
def scene(testbed: Testbed, inputs: Inputs, plugin: Plugin, tmp_path: Path) -> Iterator[Scene]:
    """Return a scene with relay.yaml, not applied yet."""
    with TokenServer(testbed.authority) as server:
        server.clients["us"] = OAuth2Client(secret=SECRET)
        relays = (
            testbed.relay("t", Mode(tokens=server.accepts, mechanisms=BOTH)),
            testbed.relay("p", Mode(tokens=(), logins={"p-user": PASSWORD}, mechanisms=BOTH)),
        )
        postfix = testbed.postfix({"import_environment": plugin.import_environment})
        paths = Paths(inputs.directory, postfix.config, tmp_path / "state")
        inputs.settings["DMS_RELAY_STATE_DIR"] = str(paths.state_dir)
        scene = Scene(testbed, inputs, server, postfix, *relays, paths)
        scene.write()
        yield scene


def test_each_login_reaches_its_relay_alone(scene: Scene) -> None:
    """Tokens go to the relay of tokens by XOAUTH2, each for its sender; the password goes as one, to its own relay."""
    scene.inputs.apply(scene.postfix)
    senders = ("anna@any.test", "boss@a.test", "anna@p.test", "<>")
    for sender in senders:
        scene.postfix.send(sender, [FRIEND], sender)
    received = scene.testbed.ledger.wait_for(len(senders), PATIENCE)
    arrived = {r.message_id: (r.relay, r.user, r.mechanism) for r in received}
    assert arrived == {
        "anna@any.test": ("t", "me@a.test", "XOAUTH2"),
        "boss@a.test": ("t", "boss@a.test", "XOAUTH2"),
        "anna@p.test": ("p", "p-user", "PLAIN"),
        "<>": ("t", "me@a.test", "XOAUTH2"),
    }
    tokens = {issued.token for issued in scene.server.issued}
    offered = {(attempt.relay, attempt.login.password) for attempt in scene.testbed.ledger.attempts()}
    assert {password for relay, password in offered if relay == "t"} <= tokens
    assert {password for relay, password in offered if relay == "p"} == {PASSWORD}


def test_mail_waits_for_the_token_and_then_goes(scene: Scene) -> None:
    """Without a token nothing is offered and nothing bounces; when it is there, the next try delivers."""
    scene.server.stop()
    said = scene.inputs.apply(scene.postfix)
    assert "no access token for me@a.test, so its mail waits in the queue" in said
    scene.postfix.send("anna@any.test", [FRIEND], "one")
    while "deferred" not in scene.postfix.statuses():
        scene.postfix.queue()
    assert scene.token_relay.attempts == ()
    scene.server.start()
    scene.renew()
    scene.postfix.flush()
    scene.postfix.wait_until_queue_empty()
    assert [r.message_id for r in scene.testbed.ledger.wait_for(1, PATIENCE)] == ["one"]
    assert "bounced" not in scene.postfix.statuses()
    assert "nothing to do" in scene.inputs.apply(scene.postfix)


@pytest.mark.soak
def test_renewals_lose_no_mail(scene: Scene, figures: Figures) -> None:
    """While tokens are renewed under way, no message is lost, doubled, bounced or put off."""
    scene.inputs.apply(scene.postfix)
    renewals, each = amount(4, 200), 10
    for number in range(renewals):
        for message in range(each):
            scene.postfix.send("anna@any.test", [FRIEND], f"{number}-{message}")
        scene.renew()
    received = scene.testbed.ledger.wait_for(renewals * each, PATIENCE)
    scene.postfix.wait_until_queue_empty()
    assert len(received) == len({r.message_id for r in received}) == renewals * each
    assert set(scene.postfix.statuses()) == {"sent"}
    assert scene.postfix.complaints() == []
    figures(
        renewals * each, f"messages over {renewals} renewals of their token: none lost, doubled, bounced or deferred"
    )
