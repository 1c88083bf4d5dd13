"""Logins by OAuth2 from relay.yaml to Postfix's tables, with a real token endpoint and Postfix's own programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

import pytest

from dms_relay import find, merge, plan, read, render
from dms_relay.apply import apply
from dms_relay.model.oauth2 import NO_TOKEN
from dms_relay.plan import found
from dms_relay.postfix import programs
from dms_relay.postfix.table_types import TypesAnswer
from dms_relay.token_tables import write_tokens
from dms_relay.tokens import Kept, in_force, save
from testbed.token_http import Fault
from tests.apply.token_scene import FILTER, SECRET, Scene
from tests.support.amounts import step
from tests.support.scene import ROOT

if TYPE_CHECKING:
    from random import Random

    from tests.support.amounts import Figures

#: Operations from one that a renewal is killed at to the next.
STEP = step(20)
OURS = "!xoauth2, !oauthbearer, static:all"


def test_first_token_is_in_the_table_of_its_relay_alone(scene: Scene) -> None:
    """Apply gets a token, and puts it into an indexed table of that relay; each service keeps to its mechanisms."""
    result = scene.run("apply")
    token = scene.server.issued[-1].token
    assert scene.table("t") == {"[t.test]:587": f"me@a.test:{token}"}
    assert scene.query("t", "[t.test]:587") == f"me@a.test:{token}"
    assert scene.table("p") == {"[p.test]:587": "u:pass-word"}
    assert (scene.filter_of("t"), scene.filter_of("p")) == ("xoauth2,oauthbearer", "plain,login")
    assert scene.sandbox.postconf_n()[FILTER] == OURS
    for name in ("t.sasl", "t.sasl.cdb"):
        path = scene.sandbox.postfix_dir / "relay.d" / name
        assert not path.exists() or path.stat().st_mode & 0o777 == 0o600
    assert token not in result.out + result.err
    assert SECRET not in result.out + result.err
    assert "nothing to do" in scene.run("apply").out
    assert len(scene.server.issued) == 1


def test_logins_in_force_are_noted_and_forgotten(scene: Scene) -> None:
    """What renews tokens finds there what it needs; when the relay goes, so do its secrets and its token."""
    scene.run("apply")
    login, kept = scene.kept
    assert (login.relay, login.username, login.oauth2.client_secret) == ("t", "me@a.test", SECRET)
    assert login.tables == (("relay.d/t.sasl", "[t.test]:587"),)
    assert kept.access_token == scene.server.issued[-1].token
    assert (scene.state_dir / "logins.json").stat().st_mode & 0o777 == 0o600
    assert scene.state_dir.stat().st_mode & 0o777 == 0o700
    scene.sandbox.write("relay.yaml", "version: 1\nrelays:\n  p: {host: p.test}\ndefault: p\n")
    scene.run("apply")
    assert in_force.load(scene.state_dir) == ()
    assert not (scene.state_dir / "logins.json").exists()
    assert not list((scene.state_dir / "tokens").iterdir())
    assert FILTER not in scene.sandbox.postconf_n()
    assert not (scene.sandbox.postfix_dir / "relay.d" / "t.sasl").exists()


def test_without_a_token_the_rest_is_in_force(scene: Scene) -> None:
    """An endpoint that is down ends no boot: the table says that there is no token, one line says what to do."""
    scene.server.stop()
    result = scene.sandbox.run("apply", env=scene.env)
    assert result.code == 0
    assert scene.table("t") == {"[t.test]:587": f"me@a.test:{NO_TOKEN}"}
    assert scene.table("p") == {"[p.test]:587": "u:pass-word"}
    (line,) = [line for line in result.err.splitlines() if "error" in line]
    assert "relay t: no access token for me@a.test, so its mail waits in the queue: " in line
    assert " -- " in line
    scene.server.start()
    scene.run("apply")
    assert scene.table("t") == {"[t.test]:587": f"me@a.test:{scene.server.issued[-1].token}"}


def test_refusal_shows_no_secret(scene: Scene) -> None:
    """What the server says of a wrong secret is an error line; the secret is nowhere."""
    scene.sandbox.write("secret", "wrong-S3cret\n")
    result = scene.run("apply")
    assert "wrong-S3cret" not in result.out + result.err
    assert scene.table("t") == {"[t.test]:587": f"me@a.test:{NO_TOKEN}"}


def test_token_that_has_ended_is_in_no_table(scene: Scene) -> None:
    """Where no new one is to be had, smtp(8) is not left to offer an old one."""
    scene.run("apply")
    login, kept = scene.kept
    save(scene.state_dir, login.id, Kept(kept.access_token, 1.0, time.time() - 1))
    scene.server.fault = Fault.ERROR
    scene.run("apply")
    assert scene.table("t") == {"[t.test]:587": f"me@a.test:{NO_TOKEN}"}


@pytest.fixture
def reloads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have a Postfix that seems to run, and note its reloads."""
    seen: list[int] = []

    def reload(_: object, master: int, **__: object) -> frozenset[str]:
        seen.append(master)
        return frozenset()

    monkeypatch.setattr(programs.Postfix, "master_pid", lambda *_: os.getpid())
    monkeypatch.setattr(programs.Postfix, "reload", reload)
    return seen


def test_renewal_is_written_without_a_reload(scene: Scene, reloads: list[int]) -> None:
    """What a renewal writes is what apply would: afterwards there is nothing to do, and nobody was reloaded."""
    scene.run("apply")
    reloads.clear()
    login = scene.renew("new-token")
    assert "(new password)" in scene.plan_says()
    assert "new-token" not in scene.plan_says()
    assert write_tokens(scene.paths, {login.id: "new-token"})
    assert scene.query("t", "[t.test]:587") == "me@a.test:new-token"
    assert scene.plan_says() == "nothing to do\n"
    assert "nothing to do" in scene.run("apply").out
    assert not write_tokens(scene.paths, {login.id: "new-token"})
    assert reloads == []


def test_apply_writes_a_token_without_a_reload(scene: Scene, reloads: list[int]) -> None:
    """A token that is kept and not yet in the table comes there by apply, too; a change beside it is reloaded."""
    scene.run("apply")
    reloads.clear()
    scene.renew("second-token")
    scene.run("apply")
    assert scene.query("t", "[t.test]:587") == "me@a.test:second-token"
    assert reloads == []
    scene.renew("third-token")
    scene.write("  q.test: p\n")
    scene.run("apply")
    assert scene.query("t", "[t.test]:587") == "me@a.test:third-token"
    assert reloads
    assert scene.plan_says() == "nothing to do\n"


def test_token_of_another_login_is_left_alone(scene: Scene) -> None:
    """A renewal writes to the entry of that user name alone, and never to a table of passwords."""
    scene.run("apply")
    login, _ = scene.kept
    tables = (("relay.d/p.sasl", "[p.test]:587"), ("relay.d/t.sasl", "[t.test]:587"), ("relay.d/gone.sasl", "k"))
    other = type(login)(login.id, "t", "you@a.test", login.oauth2, tables)
    in_force.save(scene.state_dir, [other])
    before = scene.sandbox.snapshot()
    assert not write_tokens(scene.paths, {other.id: "stolen"})
    in_force.save(scene.state_dir, [type(login)(login.id, "p", "u", login.oauth2, tables)])
    assert not write_tokens(scene.paths, {other.id: "stolen"})
    assert scene.sandbox.snapshot() == before


def test_postfix_without_indexed_tables(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running smtp(8) would never see a renewal: nothing is changed, and the packages are named."""
    monkeypatch.setattr(found, "_ask_types", lambda *_: TypesAnswer((), {}))
    before = scene.sandbox.snapshot()
    result = scene.sandbox.run("apply", env=scene.env)
    assert result.code == os.EX_CONFIG
    assert (
        "relay.d/t.sasl holds access tokens, and this Postfix has no indexed tables -- install postfix-cdb"
        in result.err
    )
    assert scene.sandbox.snapshot() == before


@pytest.mark.parametrize("kind", ["lmdb", "texthash"])
def test_type_of_the_table(scene: Scene, kind: str) -> None:
    """RELAY_TABLES chooses the index; texthash, which a running smtp(8) does not open again, is for the others only."""
    scene.env["RELAY_TABLES"] = kind
    scene.run("apply")
    assert scene.query("t", "[t.test]:587").startswith("me@a.test:")
    index = scene.sandbox.postfix_dir / "relay.d" / f"t.sasl.{'lmdb' if kind == 'lmdb' else 'cdb'}"
    assert index.exists()
    login = scene.renew("new-token")
    assert write_tokens(scene.paths, {login.id: "new-token"})
    assert scene.query("t", "[t.test]:587") == "me@a.test:new-token"
    assert scene.plan_says() == "nothing to do\n"


def test_killed_before_the_last_step_is_completed(scene: Scene) -> None:
    """A run that was killed between tables and logins.json has both kinds of logins there; the next one completes it."""
    scene.run("apply")
    before = in_force.load(scene.state_dir)
    scene.sandbox.write("relay.yaml", "version: 1\nrelays:\n  p: {host: p.test}\ndefault: p\n")
    config = merge(read(scene.paths, scene.env))
    apply(plan(render(config, scene.paths), find(scene.paths)), scene.paths)
    assert in_force.load(scene.state_dir) == before
    assert "nothing to do" in scene.run("apply").out
    assert in_force.load(scene.state_dir) == ()


def test_show_says_how_and_until_when(scene: Scene) -> None:
    """It names grant, endpoint and the end of the token, and shows no secret."""
    scene.run("apply")
    result = scene.run("show", "--json")
    (relay,) = [relay for relay in json.loads(result.out)["relays"] if relay["name"] == "t"]
    (login,) = relay["logins"]
    assert login["oauth2"]["grant"] == "client-credentials"
    assert login["oauth2"]["token_url"] == scene.server.token_url
    assert login["oauth2"]["valid_until"].endswith("Z")
    text = scene.run("show").out
    assert f"oauth2, client-credentials at {scene.server.token_url}, valid until " in text
    for out in (result.out, text):
        assert SECRET not in out
        assert scene.server.issued[-1].token not in out


def test_no_command_shows_a_token_or_a_secret(scene: Scene) -> None:
    """Neither in what it prints nor in its log, at any level."""
    scene.run("apply")
    token = scene.server.issued[-1].token
    for command in (["plan"], ["show"], ["list"], ["check"], ["explain", "a@b.test", "c@d.test"], ["list", "--json"]):
        for now in (token, "another-token"):
            scene.renew(now)
            result = scene.sandbox.run("--log-level", "trace", *command, env=scene.env)
            assert result.out, result.err
            for secret in (token, "another-token", SECRET, "pass-word"):
                assert secret not in result.out + result.err, command


@pytest.mark.soak
def test_killed_renewal(scene: Scene, drawn: Random, figures: Figures) -> None:
    """Killed anywhere, a renewal leaves the old token or the new one in force, and the next run completes it."""
    scene.run("apply")
    tried = 0
    for number in count(drawn.randint(1, STEP), STEP):
        before = scene.query("t", "[t.test]:587")
        scene.renew(f"token-{number}")
        command = [sys.executable, "-m", "tests.support.killer", str(number), *scene.sandbox.arguments("apply")]
        done = subprocess.run(command, env=scene.env, cwd=ROOT, capture_output=True, check=False)
        assert scene.query("t", "[t.test]:587") in {before, f"me@a.test:token-{number}"}
        scene.run("apply")
        assert scene.query("t", "[t.test]:587") == f"me@a.test:token-{number}"
        assert scene.plan_says() == "nothing to do\n"
        if done.returncode != -signal.SIGKILL:
            break
        tried += 1
    assert done.returncode == 0, done.stderr
    assert tried
    figures(tried, "renewals killed: the old token or the new one in force, and completed by the next run")
