"""Secrets that rotate and edits that are wrong, beside a keeper that renews."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.token_rules import OAuth2Client
from tests.together.scene import CLIENT, SECRET
from tests.together.test_expiry import LIFE
from tests.watch.keeping import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.together.scene import Together

NEW_SECRET = "an0ther-S3cret"


def replace(path: Path, content: str) -> None:
    """Replace a file by rename, as who rotates secrets does."""
    new = path.with_suffix(".new")
    new.write_text(content)
    new.chmod(0o600)
    new.rename(path)


@pytest.mark.long
def test_secret_file_rotates(together: Together) -> None:
    """A new client secret is in force within seconds, without a reload, also while an older token is valid for an hour."""
    server = together.relay("relay")
    path = together.secret_file("relay", "client_secret_file", SECRET)
    del together.oauth2["relay"]["client_secret"]
    together.start()
    reloads = together.postfix.log().count("reload -- version")
    server.clients[CLIENT] = OAuth2Client(secret=NEW_SECRET)
    together.inputs.run(together.postfix, "renew", "relay")
    wait_until(lambda: together.keeping.health()[0] == "wrong", "red health")
    assert "AADSTS7000215" in together.keeping.health()[1]
    issued = len(server.issued)
    replace(path, f"{NEW_SECRET}\n")
    wait_until(lambda: len(server.issued) > issued, "a token with the new secret")
    wait_until(lambda: together.keeping.health() == ["ok"], "green health")
    together.send("relay", 0)
    together.arrived(1)
    assert together.relays["relay"].received[0].login
    assert together.relays["relay"].received[0].login.password == server.issued[-1].token
    assert together.postfix.log().count("reload -- version") == reloads


@pytest.mark.long
def test_wrong_edit_stops_no_renewal(together: Together) -> None:
    """While relay.yaml is wrong, tokens are renewed, and mail goes; health says what is wrong, until it is right again."""
    server = together.relay("relay")
    server.lifetime = LIFE
    together.start()
    together.inputs.write("relay.yaml", "relays: [not, a, mapping]\n")
    wait_until(lambda: together.keeping.health()[0] == "wrong", "red health")
    issued = len(server.issued)
    sent = together.send_while(lambda: len(server.issued) <= issued)
    together.arrived(sent)
    assert set(together.postfix.statuses()) == {"sent"}
    assert together.keeping.log().count("wrong inputs, nothing was changed") == 1
    together.write()
    wait_until(lambda: together.keeping.health() == ["ok"], "green health")
