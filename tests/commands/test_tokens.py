"""``dms-relay renew`` and ``dms-relay login``, with a real token endpoint, to the table that smtp(8) reads."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest

from dms_relay import tokens
from dms_relay.model.oauth2 import NO_TOKEN
from dms_relay.model.values import replace
from dms_relay.tokens import in_force
from testbed.token_http import Fault
from testbed.token_rules import Refusal
from testbed.token_server import TokenServer
from tests.commands.token_scene import AUTHORITY, SECRET, USER, TokenScene
from tests.support.amounts import Figures, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from tests.support.sandbox import Sandbox

#: Operations from one at which a renewal is killed to the next, and fewer than any has.
STEP = step(30)
OPERATIONS_MIN = 15


@pytest.fixture
def scene(sandbox: Sandbox, tmp_path: Path) -> Iterator[TokenScene]:
    """Return a scene without relays."""
    with TokenServer(AUTHORITY) as server:
        yield TokenScene(sandbox, server, tmp_path)


def test_renew_puts_new_tokens_into_the_tables(scene: TokenScene) -> None:
    """All of them, or those of the relays that are named; apply has nothing to do afterwards. No token is said."""
    scene.write("app", "own")
    assert scene.run("apply").code == 0
    first = {name: scene.table(name) for name in ("app", "own")}
    result = scene.run("renew", "OWN")
    assert (result.code, result.out) == (0, "")
    assert "access token renewed relay=own until='20" in result.err
    assert "app" not in result.err
    assert scene.table("app") == first["app"]
    assert scene.table("own") == scene.kept("own").access_token != first["own"]
    assert scene.server.accepts(USER, scene.table("own"))
    assert scene.run("renew").code == 0
    assert scene.table("app") != first["app"]
    assert scene.run("plan", "--exit-code").code == 0
    assert not any(issued.token in result.out + result.err for issued in scene.server.issued)


def test_due_renews_what_is_due(scene: TokenScene) -> None:
    """Nothing is asked, and nothing said, before its time."""
    scene.write("app")
    scene.run("apply")
    first = scene.table("app")
    result = scene.run("renew", "--due")
    assert (result.code, result.out, result.err, scene.table("app")) == (0, "", "", first)
    (login,) = in_force.load(scene.state_dir)
    kept = scene.kept("app")
    tokens.save(
        scene.state_dir, login.id, replace(kept, issued_at=kept.issued_at - 1900, expires_at=kept.expires_at - 1900)
    )
    assert scene.run("renew", "--due").code == 0
    assert scene.table("app") != first


def test_renewal_that_was_killed_before_the_table_is_completed(scene: TokenScene) -> None:
    """What is kept is put into the tables, though it is not due."""
    scene.write("app")
    scene.run("apply")
    (login,) = in_force.load(scene.state_dir)
    tokens.save(scene.state_dir, login.id, replace(scene.kept("app"), access_token="token-of-the-killed"))
    assert scene.run("renew", "--due").code == 0
    assert scene.table("app") == "token-of-the-killed"


def test_wrong_edit_stops_no_renewal(scene: TokenScene) -> None:
    """What is in force counts, not what the inputs say."""
    scene.write("app")
    scene.run("apply")
    first = scene.table("app")
    scene.sandbox.write("relay.yaml", "relays: [")
    (scene.sandbox.config_dir / "secret").unlink()
    assert scene.run("renew").code == 0
    assert scene.table("app") != first


def test_refusal_is_an_error_with_what_to_do(scene: TokenScene) -> None:
    """The token that is there stays; one that fails stops no other."""
    scene.write("app", "own")
    scene.run("apply")
    first = scene.table("app")
    scene.server.clients["us"].secret = "another"
    result = scene.run("renew")
    assert result.code == 1
    assert f"relay app: the access token of {USER} cannot be renewed: the client secret is wrong" in result.err
    assert "-- create a new one" in result.err
    assert SECRET not in result.err
    assert scene.table("app") == first
    assert scene.table("own") == scene.server.issued[-1].token


@pytest.mark.parametrize(("relays", "text"), [(("app",), "write one of app"), ((), "run dms-relay apply first")])
def test_relay_that_nobody_knows(scene: TokenScene, relays: tuple[str, ...], text: str) -> None:
    """A slip renews nothing."""
    if relays:
        scene.write(*relays)
        scene.run("apply")
    result = scene.run("renew", "ap")
    assert result.code == 2
    assert f"has the name ap -- {text}" in result.err


def test_nothing_to_renew_is_said(scene: TokenScene) -> None:
    """To a person; the keeper wants to hear nothing."""
    assert "nothing to renew" in scene.run("renew").out
    assert scene.run("renew", "--due").out == ""


def _agree_soon(server: TokenServer) -> None:
    def agree() -> None:
        while not server.pending:
            server.stopped.wait(0.02)
        server.agree(USER)

    threading.Thread(target=agree, daemon=True).start()


def test_login_shows_a_code_and_waits(scene: TokenScene) -> None:
    """Its refresh token is kept, and the token is in the table at once, where the login is in force already."""
    scene.write("person")
    assert scene.run("apply").code == 0
    assert scene.table("person") == NO_TOKEN
    _agree_soon(scene.server)
    result = scene.run("login", "person")
    assert result.code == 0, result.err
    assert f"Open {scene.server.url}/device\nand enter the code WDJB-MJHT, as {USER}." in result.out
    assert result.out.endswith(f"logged in: mail of {USER} goes through relay person now\n")
    assert scene.server.accepts(USER, scene.table("person"))
    scene.server.rotates = True
    for _ in range(2):
        assert scene.run("renew").code == 0
    assert scene.server.accepts(USER, scene.table("person"))


def test_login_before_the_first_apply(scene: TokenScene) -> None:
    """It is kept until then."""
    scene.write("person")
    _agree_soon(scene.server)
    assert "run dms-relay apply to have it in force" in scene.run("login", "person").out
    scene.run("apply")
    assert scene.server.accepts(USER, scene.table("person"))
    assert len(scene.server.issued) == 1


def test_login_in_a_browser(scene: TokenScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that the browser ended at is read from standard input."""
    scene.write("browser")
    scene.run("apply")
    shown: list[str] = []

    class Person(io.StringIO):
        def readline(self, _: int | None = -1) -> str:  # type: ignore[override]
            return scene.server.browse(next(line for line in shown if line.startswith("https:")), USER)

    monkeypatch.setattr(sys, "stdin", Person())
    monkeypatch.setattr("dms_relay.commands.Context.say_text", lambda _, text: shown.append(text))
    assert scene.run("login", "browser").code == 0
    assert scene.server.accepts(USER, scene.table("browser"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nobody",), "has the name nobody -- write one of app, person"),
        (("app",), "needs no person: its grant is client-credentials -- run dms-relay renew"),
        (("person", "--username", "x"), f"has no single login of that name -- write --username with one of {USER}"),
    ],
)
def test_login_that_cannot_be_meant(scene: TokenScene, words: tuple[str, ...], text: str) -> None:
    """Nobody is asked."""
    scene.write("app", "person")
    result = scene.run("login", *words)
    assert result.code == 2
    assert text in result.err
    assert not scene.server.requests


def test_person_who_does_not_agree(scene: TokenScene) -> None:
    """It is said, and nothing is kept."""
    scene.write("person")
    scene.server.refusal = Refusal("access_denied")
    result = scene.run("login", "person")
    assert result.code == os.EX_UNAVAILABLE
    assert "did not agree" in result.err
    assert not list((scene.state_dir / "tokens").glob("*.json"))


def test_two_processes_ask_once(scene: TokenScene) -> None:
    """The keeper, and a person beside it."""
    scene.write("own")
    scene.server.fault = Fault.ERROR
    scene.run("apply")
    scene.server.fault, scene.server.delay = Fault.NONE, 1.0
    (login,) = in_force.load(scene.state_dir)
    tokens.save(scene.state_dir, login.id, tokens.Kept())
    scene.server.requests.clear()
    runs = [_start(scene, ("dms_relay",), "renew", "--due") for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert len(scene.server.requests) == 1
    assert scene.server.accepts(USER, scene.table("own"))


def _start(scene: TokenScene, program: tuple[str, ...], *command: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", *program, *scene.sandbox.arguments(*command)]
    return subprocess.Popen(words, env={**os.environ, **scene.environ})


@pytest.mark.soak
@pytest.mark.parametrize("ends_late", [False, True])
def test_killed_anywhere_the_refresh_token_is_not_lost(
    scene: TokenScene, drawn: Random, figures: Figures, *, ends_late: bool
) -> None:
    """Killed at each operation, the next renewal has a refresh token that is good, and the table is right after it.

    The server replaces it each time. One that ends the old one at once leaves us the new one from the first write on, and
    nothing between its answer and that; one that ends it when the new one is used leaves always one of the two.
    """
    scene.write("own")
    scene.server.rotates, scene.server.ends_late = True, ends_late
    scene.run("apply")
    for number in count(drawn.randint(1, STEP), STEP):
        killed = _start(scene, ("tests.support.killer", str(number)), "renew").wait()
        if killed != -signal.SIGKILL:
            break
        text = (scene.sandbox.postfix_dir / "relay.d/own.sasl").read_text()
        assert text.count("\n") == 1
        assert scene.run("renew").code == 0
        assert scene.table("own") == scene.kept("own").access_token
        assert scene.server.accepts(USER, scene.table("own"))
        assert scene.run("plan", "--exit-code").code == 0
        left = [path.name for path in (scene.state_dir / "tokens").iterdir()]
        assert {name.partition(".")[2] for name in left} == {"json", "lock"}
        figures(1, "kills of a renewal at one operation: no refresh token is lost")
    assert number > OPERATIONS_MIN
