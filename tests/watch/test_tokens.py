"""Tokens are renewed when they are due, and once what they are got with is repaired; what is wrong with them shows."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from dms_relay import tokens
from dms_relay.model.values import replace
from dms_relay.tokens import in_force
from dms_relay.watch.children import Child
from dms_relay.watch.outlook import outlook
from dms_relay.watch.token_jobs import Queue, Renewals, Tokens
from testbed.token_http import Fault
from testbed.token_server import TokenServer
from tests.commands.token_scene import AUTHORITY, SECRET, USER, TokenScene
from tests.watch.keeping import Keeping, wait_until
from tests.watch.renewing import LOGIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Each starts a keeper and Postfix.
pytestmark = pytest.mark.one_in(2)
HOUR = 3600.0
FAILED = tokens.Failure(0.0, "invalid_client", "the secret has expired", "make a new one", is_final=True)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[Keeping, TokenScene]]:
    """Yield a keeper that does not run yet, and the inputs of a relay with OAuth2."""
    with TokenServer(AUTHORITY) as server, Keeping(tmp_path / "box") as keeping:
        scene = TokenScene(keeping.sandbox, server, tmp_path / "box")
        scene.write("app")
        yield keeping, scene


def newest(scene: TokenScene) -> str:
    """Return the token that the endpoint gave last."""
    return scene.server.issued[-1].token


def test_renewed_when_due(scene: tuple[Keeping, TokenScene]) -> None:
    """A token is left alone until it is due, and then there is a new one in the table; none is said or recorded."""
    keeping, box = scene
    keeping.start()
    first = box.table("app")
    time.sleep(0.5)
    assert [issued.token for issued in box.server.issued] == [first]
    assert keeping.health() == ["ok"]
    (login,) = in_force.load(keeping.state)
    now = time.time()
    tokens.save(keeping.state, login.id, replace(box.kept("app"), issued_at=now - HOUR, expires_at=now + HOUR))
    wait_until(lambda: len(box.server.issued) > 1 and box.table("app") == newest(box), "the new token in the table")
    said = keeping.log() + (keeping.state / "keeper.json").read_text() + json.dumps(keeping.status())
    assert not [secret for secret in (first, newest(box), SECRET) if secret in said]
    (token,) = keeping.status()[1]["tokens"]
    assert (token["relay"], token["username"], token["is_valid"]) == ("app", USER, True)


def test_short_life(scene: tuple[Keeping, TokenScene]) -> None:
    """A token that lives for a few seconds is renewed again and again, and the one in the table is always valid."""
    keeping, box = scene
    box.server.lifetime = 6.0
    keeping.start()
    while len(box.server.issued) < 3:
        assert box.server.accepts(USER, box.table("app"))
        time.sleep(0.02)
    assert keeping.health() == ["ok"]


def test_secret_that_is_repaired(scene: tuple[Keeping, TokenScene]) -> None:
    """With a wrong secret there is no token, and health is red; once the file is right, a token is asked for at once."""
    keeping, box = scene
    secret = keeping.sandbox.write("secret", "wrong\n")
    keeping.start()
    wait_until(lambda: keeping.health()[0] == "wrong", "the trouble")
    assert keeping.health()[1].startswith(f"token: relay app, login {USER}: there is no valid token, so mail waits: ")
    code, status = keeping.status()
    assert (code, status["tokens"][0]["is_valid"]) == (1, False)
    new = secret.with_name("new")
    new.write_text(f"{SECRET}\n")
    new.chmod(0o600)
    new.rename(secret)
    # The store has the token a moment before the table.
    wait_until(lambda: box.server.issued and box.table("app") == newest(box), "the new token in the table")
    wait_until(lambda: keeping.health() == ["ok"], "all is well")


def test_endpoint_that_is_down(scene: tuple[Keeping, TokenScene]) -> None:
    """While the endpoint fails it is not asked on and on; a renewal by hand that succeeds is seen."""
    keeping, box = scene
    box.server.fault = Fault.ERROR
    keeping.start()
    wait_until(lambda: keeping.health()[0] == "wrong", "the trouble")
    time.sleep(1)
    asked = len(box.server.requests)
    time.sleep(1)
    assert len(box.server.requests) == asked
    box.server.fault = Fault.NONE
    assert box.run("renew").code == 0
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
        (tokens.Kept(), ["there is no valid token, so mail waits -- run dms-relay renew to request one"]),
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
    """A token that is refused is renewed once; one that was renewed for it, only after a pause that doubles."""
    now_and_then = [0.0]
    monkeypatch.setattr("dms_relay.watch.token_jobs.time.monotonic", lambda: now_and_then[0])
    known = Tokens(str(tmp_path))
    renewals = Renewals(known)
    queue = Queue(known, renewals, lambda: str(tmp_path))
    lines: list[str] = []

    def say(level: str, event: str, **fields: object) -> None:
        lines.append(f"{level} {event} {fields}")

    asked: list[float] = []
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
    queue.renew(say)
    assert queue.document()["refused"] == []


def test_token_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is in the store and came into no table, as on a full disk, is written after a pause."""
    clock = [0.0]
    monkeypatch.setattr("dms_relay.watch.token_jobs.time.monotonic", lambda: clock[0])
    known = Tokens(str(tmp_path))
    known.result = {"tokens": [{"renewed_at": 1.0, "failure": None}], "next": time.time() + HOUR}
    renewals = Renewals(known)
    due = []
    for code in (0, 1, os.EX_CANTCREAT, os.EX_TEMPFAIL, -signal.SIGKILL):
        child = Child("renew", ["/bin/true"], None, HOUR)
        os.waitpid(child.pid, 0)
        renewals.end(child, code, lambda *_, **__: None)
        assert not renewals.is_due()
        assert bool(renewals.troubles()) is (code not in {0, 1})
        clock[0] += HOUR
        due.append(renewals.is_due())
    assert due == [False, False, True, True, True]
    assert renewals.task() == (["renew", "--due"], None)
