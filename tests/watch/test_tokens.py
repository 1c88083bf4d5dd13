"""Tokens are renewed when they are due, with pauses where that fails; what is wrong with them shows."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay import tokens, watch
from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, OAuth2
from dms_relay.tokens import in_force
from dms_relay.watch.outlook import outlook
from dms_relay.watch.token_jobs import Queue, Renewals, Tokens
from tests.watch.keeping import INTERVAL, wait_until

if TYPE_CHECKING:
    from tests.watch.keeping import Keeping

OAUTH2 = OAuth2(CLIENT_CREDENTIALS, "https://id.test/token", client_secret="s3cret")
LOGIN = in_force.InForce("a" * 32, "m365", "u@example.test", OAUTH2, (("sasl_passwd", "[d.test]:587"),))
HOUR = 3600.0
FAILED = tokens.Failure(0.0, "invalid_client", "the secret has expired", "make a new one", is_final=True)


def keep(keeping: Keeping, login: in_force.InForce = LOGIN) -> None:
    """Start a keeper whose renewals ask no server."""
    keeping.state.mkdir(0o700, exist_ok=True)
    in_force.save(keeping.state, [login])
    settings = {
        "command": [sys.executable, "-m", "tests.watch.renewing", *keeping.sandbox.arguments()],
        "config_dir": str(keeping.sandbox.config_dir),
        "is_named": True,
        "state_dir": str(keeping.state),
        "interval": float(INTERVAL),
        "test_interval": 0,
        "has_state": True,
        "lock": None,
        "troubles": [],
    }
    start = Path(watch.__file__).with_name("start.py")
    command = [sys.executable, "-IS", str(start), json.dumps(settings)]
    with (keeping.state / "log").open("w") as log:
        keeping.process = subprocess.Popen(command, env=keeping.env, stderr=log)


def renewals(keeping: Keeping) -> list[str]:
    """Return the calls so far."""
    path = keeping.state / "renewals"
    return path.read_text().splitlines() if path.exists() else []


def test_renewed_when_due(keeping: Keeping) -> None:
    """A token is asked for where there is none, then left alone until half its life is over; it is never recorded."""
    keeping.state.mkdir()
    (keeping.state / "life").write_text(str(HOUR))
    keep(keeping)
    wait_until(lambda: tokens.load(keeping.state, LOGIN.id).access_token, "a token")
    wait_until(lambda: keeping.health() == ["ok"], "all is well")
    time.sleep(0.5)
    assert renewals(keeping) == ["due"]
    now = time.time()
    tokens.save(keeping.state, LOGIN.id, tokens.Kept("t", now - HOUR, now + HOUR / 2))
    wait_until(lambda: len(renewals(keeping)) > 1, "a renewal at half its life")
    wait_until(lambda: tokens.load(keeping.state, LOGIN.id).expires_at > now + HOUR / 2, "a new token")
    assert "secret-token" not in (keeping.state / "keeper.json").read_text() + (keeping.state / "log").read_text()
    (token,) = keeping.status()[1]["tokens"]
    assert (token["relay"], token["username"], token["is_valid"]) == ("m365", "u@example.test", True)


def test_renewal_that_fails(keeping: Keeping) -> None:
    """Without a token, health is red and names the relay; renewals are tried again with pauses that grow."""
    keep(keeping)
    wait_until(lambda: keeping.record() and keeping.health()[0] == "wrong", "the trouble")
    said = "token: relay m365, login u@example.test: there is no valid token, so mail waits -- dms-relay renew asks for one"
    wait_until(lambda: keeping.health() == ["wrong", said], f"{said}: {keeping.health()}")
    time.sleep(1)
    assert len(renewals(keeping)) == 1
    wait_until(lambda: len(renewals(keeping)) == 2, "a second try")
    (keeping.state / "life").write_text(str(HOUR))
    wait_until(lambda: keeping.health() == ["ok"], "all is well")


@pytest.mark.parametrize(
    ("kept", "wrong"),
    [
        (tokens.Kept("t", 0, HOUR), []),
        (tokens.Kept("t", 0, HOUR, failure=tokens.Failure(0, "500", "down", "wait", is_final=False)), []),
        (
            tokens.Kept("t", 0, HOUR, failure=FAILED),
            ["the token cannot be renewed: the secret has expired -- make a new one"],
        ),
        (
            tokens.Kept("t", 0, 90, failure=FAILED),
            ["there is no valid token, so mail waits: the secret has expired -- make a new one"],
        ),
        (tokens.Kept(), ["there is no valid token, so mail waits -- dms-relay renew asks for one"]),
    ],
)
def test_outlook(tmp_path: Path, kept: tokens.Kept, wrong: list[str]) -> None:
    """What is wrong is that a token has ended, or that only a person can have it renewed."""
    in_force.save(tmp_path, [LOGIN])
    tokens.save(tmp_path, LOGIN.id, kept)
    found = outlook(tmp_path, 100.0)
    assert found["wrong"] == [f"relay m365, login u@example.test: {line}" for line in wrong]
    assert "s3cret" not in json.dumps(found)
    assert found["ends"] == (HOUR if kept.expires_at == HOUR else None)


def test_no_logins(tmp_path: Path) -> None:
    """Without OAuth2 there is nothing to do, and no file is needed."""
    assert outlook(tmp_path, 0.0) == {"tokens": [], "wrong": [], "next": None, "ends": None}


def test_refused_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused token is renewed once; where the new one is refused as well, again only after a pause that doubles."""
    now_and_then = [0.0]
    monkeypatch.setattr("dms_relay.watch.token_jobs.time.monotonic", lambda: now_and_then[0])
    known = Tokens(str(tmp_path))
    renewals = Renewals(known)
    queue = Queue(known, renewals, lambda: str(tmp_path))
    lines: list[str] = []
    asked: list[float] = []

    def say(level: str, event: str, **_: object) -> None:
        lines.append(f"{level}: {event}")

    for seconds in range(0, 3600, 10):
        now_and_then[0] = float(seconds)
        queue.result, queue.trouble = {"relays": ["m365"], "again": 0}, ""
        queue.renew(say)
        if renewals.refused:
            asked.append(seconds)
            assert renewals.task() == (["renew", "m365"], None)
    assert asked == [0, 300, 900, 2100]
    assert len(lines) == len(asked)
    queue.result = {"relays": [], "again": 1}
    queue.renew(lambda *_, **__: None)
    assert queue.document()["refused"] == []
