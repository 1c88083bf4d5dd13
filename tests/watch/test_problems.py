"""What is wrong is said once, changes nothing, shows in health and status, and is over when it is repaired."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from dms_relay import files
from tests.watch.keeping import wait_until
from tests.watch.test_changes import ROUTE, rename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.watch.keeping import Keeping

#: Each starts a keeper and Postfix.
pytestmark = pytest.mark.one_in(2)
RELAYMAP = "postfix-relaymap.cf"
WRONG = "@a.test [a.relay\n"
MESSAGE = 'postfix-relaymap.cf:1: nexthop "[a.relay" has no closing bracket -- write [host]:port'


def test_wrong_edit(keeping: Keeping) -> None:
    """A wrong edit keeps what is in force, is said once, turns health and status red, and heals with one line."""
    path = keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
    keeping.start()
    before = keeping.machine()
    rename(path, WRONG)
    keeping.settle()
    assert keeping.machine() == before
    for _ in range(2):
        rename(path, WRONG)
        keeping.settle()
    assert keeping.log().count(MESSAGE) == 1
    assert keeping.health() == ["wrong", "inputs: wrong inputs, nothing was changed", f"inputs: {MESSAGE}"]
    code, status = keeping.status()
    assert (code, status["ok"], status["troubles"][-1]) == (1, False, f"inputs: {MESSAGE}")
    rename(path, ROUTE.format("b"))
    keeping.settle()
    assert keeping.log().count("the inputs can be used again") == 1
    assert keeping.health() == ["ok"]
    assert keeping.status()[0] == 0
    assert keeping.machine() == keeping.first_boot()


def test_said_once_over_a_restart(keeping: Keeping) -> None:
    """A keeper that is started again does not say again what the previous one has said."""
    path = keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
    keeping.start()
    rename(path, WRONG)
    keeping.settle()
    keeping.restart()
    assert keeping.log().count(MESSAGE) == 1
    assert keeping.health()[0] == "wrong"


def test_warnings_of_the_boot(keeping: Keeping) -> None:
    """Where the boot has applied, the keeper begins in silence, warnings included; it says those that are new."""
    keeping.env |= {"RELAY_PORT": "587"}
    keeping.sandbox.apply(**{name: keeping.env[name] for name in keeping.env if "RELAY" in name and "DMS" not in name})
    keeping.start()
    assert keeping.log() == ""
    keeping.sandbox.write("relay.yml", "relays: {}\n")
    keeping.settle()
    assert keeping.log().count("[warn") == 1
    assert "relay.yml: this file is not an input" in keeping.log()


def test_lock_of_another_run(keeping: Keeping) -> None:
    """While another run holds the lock, a change waits, and is applied after it."""
    keeping.start()
    with files.lock(keeping.sandbox.postfix_dir, 1):
        keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
        wait_until(lambda: keeping.record()["children"], "a child that waits")
        time.sleep(0.3)
        assert keeping.sandbox.table("relayhost_map") == {}
    keeping.settle()
    assert keeping.machine() == keeping.first_boot()


def test_killed_while_it_applies(keeping: Keeping) -> None:
    """A child that is killed in the middle of its work is started again, and the work is completed."""
    keeping.start()
    for number in range(4):
        keeping.sandbox.write(RELAYMAP, ROUTE.format(f"n{number}"))
        wait_until(lambda: keeping.record()["children"].get("apply"), "a child")
        time.sleep(0.03 * number)
        pid = keeping.record()["children"].get("apply")
        if pid:
            os.killpg(pid, signal.SIGKILL)
    keeping.settle()
    wait_until(lambda: keeping.health() == ["ok"], "all is well")
    assert keeping.machine() == keeping.first_boot()


def test_postfix_directory_that_is_gone(keeping: Keeping) -> None:
    """What is wrong with the machine is tried again without a change of the inputs, and said once."""
    keeping.start()
    aside = keeping.sandbox.postfix_dir.with_name("aside")
    keeping.sandbox.postfix_dir.rename(aside)
    keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
    wait_until(lambda: keeping.health()[0] == "wrong", "the trouble")
    assert keeping.process
    aside.rename(keeping.sandbox.postfix_dir)
    os.kill(keeping.process.pid, signal.SIGHUP)
    wait_until(lambda: keeping.health() == ["ok"], "all is well")
    assert keeping.machine() == keeping.first_boot()


@pytest.mark.parametrize("is_told", [True, False])
def test_what_came_after_the_boot(keeping: Keeping, *, is_told: bool) -> None:
    """What a hook has set after the boot's apply stands until an input changes, where the keeper is told of the boot."""
    path = keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
    settings = {name: keeping.env[name] for name in keeping.env if "RELAY" in name and "DMS" not in name}
    time.sleep(0.05)
    if is_told:
        keeping.env["DMS_RELAY_APPLIED_AT"] = str(time.time())
    keeping.sandbox.apply(**settings)
    text = keeping.sandbox.main_cf.read_text().replace("[d.test]:587", "[of.a.hook]:587")
    keeping.sandbox.write_main_cf(text)
    keeping.start()
    assert (keeping.sandbox.postconf_n()["relayhost"] == "[of.a.hook]:587") == is_told
    if is_told:
        keeping.restart()
        assert keeping.sandbox.postconf_n()["relayhost"] == "[of.a.hook]:587"
    rename(path, ROUTE.format("b"))
    keeping.settle()
    assert keeping.sandbox.postconf_n()["relayhost"] == "[d.test]:587"


def test_change_while_no_keeper_ran(keeping: Keeping) -> None:
    """What has changed since the boot, while no keeper ran, is applied by the one that is started then."""
    path = keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
    time.sleep(0.05)
    keeping.env["DMS_RELAY_APPLIED_AT"] = str(time.time())
    keeping.start()
    assert keeping.process
    keeping.process.kill()
    keeping.process.wait()
    rename(path, ROUTE.format("b"))
    keeping.start()
    assert keeping.machine() == keeping.first_boot()


def test_no_secret_is_recorded(keeping: Keeping, tmp_path: Path) -> None:
    """Neither log nor record nor health hold a password."""
    (tmp_path / "secret").write_text("s3cret-passw0rd\n")
    keeping.sandbox.write("postfix-sasl-password.cf", "[d.test]:587 v:s3cret-passw0rd\n@x.test s3cret-passw0rd\n")
    keeping.start()
    said = keeping.log() + json.dumps(keeping.record()) + "\n".join(keeping.health()) + json.dumps(keeping.status())
    assert keeping.health()[0] == "wrong"
    assert "s3cret-passw0rd" not in said
    for name in ("keeper.json", "health", "keeper.lock"):
        assert (keeping.state / name).stat().st_mode & 0o777 == 0o600
    assert keeping.state.stat().st_mode & 0o777 == 0o700
