"""``dms-relay test`` with a real token endpoint, a real Postfix and our plugin: what it says is so; its remedies help."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testbed import PATIENCE, Inputs, Mode, Testbed
from testbed.token_rules import OAuth2Client
from testbed.token_server import TokenServer
from tests.running.needs import require_postfix
from tests.sasl.plugin import Plugin, build
from tests.support.table_types import require_indexes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed import Postfix, Relay

SECRET = "s3cret-P4ss"
USER = "me@a.test"
#: Where a message waits, it is tried again by hand alone.
SLOWLY = dict.fromkeys(("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay"), "1h")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """Return the plugin, as it is installed."""
    return build(tmp_path_factory.mktemp("plugin"))


class Scene:
    """A relay that takes what an endpoint issues, and Postfix, which has no token yet."""

    def __init__(self, root: Path, testbed: Testbed, plugin: Plugin, style: str) -> None:
        """Begin, with everything as it should be."""
        self.endpoint = TokenServer(testbed.authority).start()
        self.endpoint.clients["us"] = OAuth2Client(secret=SECRET, users=(USER,))
        self.relay: Relay = testbed.relay("r.test", Mode(tokens=self.endpoint.accepts, token_refusal=style))
        self.postfix: Postfix = testbed.postfix({**SLOWLY, "import_environment": plugin.import_environment})
        self.ca_file = str(testbed.authority.write_certificate(root / "ca.pem"))
        self.inputs = Inputs(root / "config", DMS_RELAY_STATE_DIR=str(root / "state"))
        self.oauth2: dict[str, Any] = {"token_url": self.endpoint.token_url, "client_id": "us", "ca_file": self.ca_file}

    def write(self, **more: str) -> None:
        """Write relay.yaml with a secret in place, or with what is given."""
        login = {"username": USER, "oauth2": {**self.oauth2, **(more or {"client_secret": SECRET})}}
        relay = {"host": self.relay.host, "port": self.relay.port, "tls": {"level": "encrypt"}, "login": login}
        self.inputs.write("relay.yaml", yaml.safe_dump({"version": 1, "relays": {"r": relay}, "default": "r"}))

    def test(self) -> dict[str, Any]:
        """Run the command, which shows no token and no secret; return the only result."""
        done = self.inputs.run(self.postfix, "test", "--json", "r")
        shown = done.stdout + done.stderr
        assert not [issued for issued in self.endpoint.issued if issued.token in shown]
        assert SECRET not in shown
        (result,) = json.loads(done.stdout)["results"]
        assert done.returncode == int(result["result"] != "ok"), done.stderr
        return dict(result)

    def send(self, name: str) -> None:
        """Hand a message to Postfix."""
        self.postfix.send("anna@a.test", ["bob@world.test"], name)

    def deferred(self) -> str:
        """Wait until a message is deferred, and return why."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(r"status=deferred \((.*)\)", self.postfix.log())):
            assert time.monotonic() < end, self.postfix.log()
            time.sleep(0.05)
        return found[1]


@pytest.fixture
def style() -> str:
    """Return how the relay refuses a token: as Microsoft does, unless a test says otherwise."""
    return "535"


@pytest.fixture
def scene(style: str, tmp_path: Path, plugin: Plugin) -> Iterator[Scene]:
    """Yield a relay, an endpoint, and Postfix."""
    require_postfix()
    require_indexes()
    with Testbed() as testbed:
        scene = Scene(tmp_path, testbed, plugin, style)
        scene.write()
        yield scene
        scene.endpoint.stop()


def test_from_nothing_to_a_message(scene: Scene) -> None:
    """A token is asked for, kept, used again, and is the one that ``apply`` gives to Postfix: one question in all."""
    first, second = scene.test(), scene.test()
    assert (first["result"], first["mechanism"], first["token"]["new"]) == ("ok", "XOAUTH2", True)
    assert (second["result"], second["token"]["new"]) == ("ok", False)
    assert second["token"]["valid_until"] == first["token"]["valid_until"]
    scene.inputs.apply(scene.postfix)
    scene.send("0")
    (message,) = scene.relay.wait_for(1)
    assert (message.message_id, message.user) == ("0", USER)
    assert len(scene.endpoint.issued) == 1


def test_mail_that_waits_for_a_token(scene: Scene) -> None:
    """Postfix has none while the endpoint is down; once the command gets one, it has it too, and ``apply`` nothing to do."""
    scene.endpoint.stop()
    scene.inputs.apply(scene.postfix)
    scene.send("waits")
    scene.deferred()
    failed = scene.test()
    assert failed["result"] == "no token"
    assert failed["tls"]["protocol"]
    assert scene.relay.attempts == ()
    scene.endpoint.start()
    assert scene.test()["result"] == "ok"
    assert scene.inputs.run(scene.postfix, "plan", "--exit-code").returncode == 0
    scene.postfix.flush()
    scene.postfix.wait_until_queue_empty()
    assert [message.message_id for message in scene.relay.wait_for(1)] == ["waits"]


def test_a_wrong_secret(scene: Scene) -> None:
    """What the endpoint says is shown; with the right secret in place all is well."""
    scene.write(client_secret=f"{SECRET}-of-yesterday")
    failed = scene.test()
    assert (failed["result"], failed["token"]) == ("no token", None)
    assert "the client secret is wrong" in failed["failure"]["what"]
    scene.write()
    assert scene.test()["result"] == "ok"


@pytest.mark.parametrize("style", ["334", "535"])
def test_a_token_that_was_revoked(scene: Scene) -> None:
    """It is refused, once; the remedy names the command that gets another one, and the message that waited arrives."""
    scene.inputs.apply(scene.postfix)
    scene.endpoint.revoke_all()
    scene.send("waits")
    assert "535" in scene.deferred()
    failed = scene.test()
    assert failed["result"] == "wrong login"
    assert failed["failure"]["reply"].startswith("535 5.7.")
    (command,) = re.findall(r"dms-relay (renew r)\b", failed["failure"]["remedy"])
    assert scene.inputs.run(scene.postfix, *command.split()).returncode == 0
    assert scene.test()["result"] == "ok"
    scene.postfix.flush()
    scene.postfix.wait_until_queue_empty()
    assert [message.message_id for message in scene.relay.wait_for(1)] == ["waits"]


def test_a_refresh_token_that_is_replaced(scene: Scene) -> None:
    """What the server gives in place of a refresh token is kept: the next question is asked with it."""
    scene.endpoint.clients["us"] = OAuth2Client()
    scene.endpoint.rotates = True
    file = scene.inputs.directory / "refresh-token"
    scene.inputs.write(file.name, scene.endpoint.new_refresh_token("us", USER))
    scene.write(refresh_token_file=str(file))
    for _ in range(3):
        assert scene.test()["token"]["new"]
        scene.endpoint.revoke_all()
        for path in (scene.inputs.directory.parent / "state/tokens").glob("*.json"):
            kept = json.loads(path.read_text())
            path.write_text(json.dumps({**kept, "expires_at": time.time() - 1}))


def test_another_user(scene: Scene) -> None:
    """A token that opens another mailbox: what the token is for is said as far as it is known."""
    scene.endpoint.clients["us"].users = ("other@a.test",)
    failed = scene.test()
    assert failed["result"] == "wrong login"
    assert "for another user" in failed["failure"]["cause"]


def test_explain(scene: Scene) -> None:
    """It says of a message that waits that there is no token, and of one that goes which login, until when, by what."""
    scene.endpoint.stop()
    scene.inputs.apply(scene.postfix)
    command = ("explain", "--json", "anna@a.test", "bob@world.test")
    (hop,) = json.loads(scene.inputs.run(scene.postfix, *command).stdout)["now"]["hops"]
    assert hop["login"]["token"] == {"grant": "client-credentials", "provider": None, "valid_until": None}
    assert any("there is no access token yet" in remark for remark in hop["remarks"])
    scene.endpoint.start()
    until = scene.test()["token"]["valid_until"]
    done = scene.inputs.run(scene.postfix, *command)
    (hop,) = json.loads(done.stdout)["now"]["hops"]
    assert hop["login"]["token"]["valid_until"] == f"{until[:16].replace('T', ' ')} UTC"
    assert hop["login"]["mechanisms"] == ["xoauth2", "oauthbearer"]
    assert hop["login"]["origin"].startswith("relay.yaml:")
    assert hop["remarks"] == []
    text = scene.inputs.run(scene.postfix, *(word for word in command if word != "--json")).stdout
    assert f"login  {USER} with an access token (client-credentials, valid until " in text
    assert " by XOAUTH2 or OAUTHBEARER, by nexthop " in text
    assert not [issued for issued in scene.endpoint.issued if issued.token in done.stdout + text]


@pytest.mark.parametrize("routing", ["maps", "transports"])
def test_a_password_that_would_go_as_a_token(tmp_path: Path, plugin: Plugin, routing: str) -> None:
    """Where the operator permits XOAUTH2, a password may go by it; the remedy is followed, and the message arrives."""
    require_postfix()
    with Testbed() as testbed:
        relay = testbed.relay("r.test", Mode(mechanisms=("XOAUTH2", "PLAIN"), logins={"u": SECRET}, tokens=()))
        postfix = testbed.postfix({"import_environment": plugin.import_environment})
        postfix.command("postconf", "-e", "smtp_sasl_mechanism_filter = xoauth2, plain")
        settings = {"RELAY_USER": "u", "RELAY_PASSWORD": SECRET, "RELAY_ROUTING": routing}
        inputs = Inputs(tmp_path / "config", DEFAULT_RELAY_HOST=relay.nexthop, **settings)
        inputs.apply(postfix)
        done = inputs.run(postfix, "test", "--json")
        (result,) = json.loads(done.stdout)["results"]
        if routing == "maps":
            assert result["failure"]["what"] == (
                "Postfix would send the password as an access token, with XOAUTH2, so no login was sent"
            )
            assert relay.attempts == ()
            remedy = result["failure"]["remedy"]
            postfix.command("postconf", "-e", remedy.removeprefix("write ").removesuffix(" in main.cf"))
            postfix.command("postfix", "reload")
            assert inputs.run(postfix, "test").returncode == 0
        else:
            # A relay with a transport of its own has its own list.
            assert result["result"] == "ok"
        postfix.send("anna@a.test", ["bob@world.test"], "0")
        (message,) = relay.wait_for(1)
        assert (message.user, message.mechanism) == ("u", "PLAIN")
