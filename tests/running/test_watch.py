"""The keeper beside a Postfix that runs: what changes is there for the next message, and what was refused goes again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.model import Paths
from dms_relay.tokens import in_force
from dms_relay.watch.refused import refused
from testbed import Auth, Login, Mode, Tls
from tests.watch.keeping import Keeping, wait_until
from tests.watch.renewing import OAUTH2, keep, renewals, token

if TYPE_CHECKING:
    from pathlib import Path

    from testbed import Inputs, Postfix, Relay, Testbed

SENDER = "anna@managed.test"
#: So many that Postfix takes the relay for dead after the first of them.
MESSAGES = 10
LENIENT = Mode(Tls.OFFERED, Auth.OFFERED)


class Beside(Keeping):
    """A keeper on the inputs of a running Postfix."""

    def __init__(self, root: Path, inputs: Inputs, postfix: Postfix) -> None:
        """Take both directories."""
        super().__init__(root, **inputs.settings)
        self.sandbox.config_dir, self.sandbox.postfix_dir = inputs.directory, postfix.config


def deliver(testbed: Testbed, postfix: Postfix) -> Login | None:
    """Send one message, and return the login with which it arrived."""
    number = len(testbed.ledger.received()) + 1
    postfix.send(SENDER, ["friend@world"], str(number))
    return testbed.ledger.wait_for(number)[-1].login


def relay_of(testbed: Testbed, inputs: Inputs, secret: Path, mode: Mode = LENIENT) -> Relay:
    """Start a relay whose password stands in a file."""
    relay = testbed.relay("relay", mode)
    secret.write_text("old\n")
    inputs.settings = {
        "DEFAULT_RELAY_HOST": relay.nexthop,
        "RELAY_USER": "user",
        "RELAY_PASSWORD__FILE": str(secret),
    }
    return relay


def test_changed_secret(testbed: Testbed, inputs: Inputs, tmp_path: Path) -> None:
    """A secret file that is replaced under a running Postfix is used for the next message; before, nothing is reloaded."""
    relay_of(testbed, inputs, tmp_path / "secret")
    postfix = testbed.postfix()
    inputs.apply(postfix)
    assert deliver(testbed, postfix) == Login("user", "old")
    reloads = postfix.log().count("reload -- version")
    with Beside(tmp_path / "keeper", inputs, postfix) as keeping:
        keeping.start()
        assert postfix.log().count("reload -- version") == reloads
        assert keeping.log() == ""
        new = tmp_path / "new"
        new.write_text("new\n")
        new.rename(tmp_path / "secret")
        keeping.settle()
        assert deliver(testbed, postfix) == Login("user", "new")


def test_refused_token(testbed: Testbed, inputs: Inputs, tmp_path: Path) -> None:
    """A token that a relay refuses is to be renewed; what it was refused for goes again once there is a newer one.

    A password plays the token here: what smtp(8) writes of a refusal is the same.
    """
    taken = {"user": "new"}
    relay = relay_of(testbed, inputs, tmp_path / "secret", Mode(Tls.OFFERED, Auth.DEMANDED, logins=taken))
    # As Postfix has them by default: what was deferred waits for minutes, unless somebody has it tried again.
    postfix = testbed.postfix({"queue_run_delay": "300s", "minimal_backoff_time": "300s"})
    inputs.apply(postfix)
    paths = Paths(inputs.directory, postfix.config, tmp_path / "state")
    login = in_force.InForce("a" * 32, "m365", "user", OAUTH2, (("sasl_passwd", relay.nexthop),))
    other = in_force.InForce("b" * 32, "other", "user", OAUTH2, (("sasl_passwd", "[192.0.2.1]:587"),))
    in_force.save(paths.state_dir, [login, other])
    for known in (login, other):
        tokens.save(paths.state_dir, known.id, tokens.Kept("t", time.time() - 60, time.time() + 3600))
    postfix.send(SENDER, ["friend@world"], "1", MESSAGES)
    wait_until(lambda: [m["queue_name"] for m in postfix.queue()] == ["deferred"] * MESSAGES, "all messages wait")
    assert refused(paths, postfix.layout.queue) == {"relays": ["m365"], "again": 0}
    # A new token is written without a reload, which would have all mail tried again.
    taken["user"] = "old"
    tokens.save(paths.state_dir, login.id, tokens.Kept("u", time.time(), time.time() + 3600))
    assert refused(paths, postfix.layout.queue) == {"relays": [], "again": MESSAGES}
    assert testbed.ledger.wait_for(MESSAGES)[-1].login == Login("user", "old")
    assert refused(paths, postfix.layout.queue) == {"relays": [], "again": 0}


def test_refused_token_is_renewed_at_once(testbed: Testbed, inputs: Inputs, tmp_path: Path) -> None:
    """The keeper renews a token that a relay refuses at once, though it would be valid for an hour, and mail goes then."""
    taken = {"user": "new"}
    relay = relay_of(testbed, inputs, tmp_path / "secret", Mode(Tls.OFFERED, Auth.DEMANDED, logins=taken))
    postfix = testbed.postfix({"queue_run_delay": "300s", "minimal_backoff_time": "300s"})
    inputs.apply(postfix)
    login = in_force.InForce("a" * 32, "m365", "user", OAUTH2, (("sasl_passwd", relay.nexthop),))
    with Beside(tmp_path / "keeper", inputs, postfix) as keeping:
        now = time.time()
        tokens.save(keeping.state, login.id, token(now - 1, 3600))
        (keeping.state / "life").write_text("3600")
        # The inputs know nothing of OAuth2, so they are not to be applied.
        keeping.env["DMS_RELAY_APPLIED_AT"] = str(now)
        postfix.send(SENDER, ["friend@world"], "1")
        wait_until(lambda: [m["queue_name"] for m in postfix.queue()] == ["deferred"], "the message waits")
        keep(keeping, login)
        wait_until(lambda: renewals(keeping) == ["m365"], "the renewal")
        taken["user"] = "old"  # the password plays the token, which is a new one now
        assert relay.wait_for(1)[-1].login == Login("user", "old")
        assert renewals(keeping) == ["m365"]
