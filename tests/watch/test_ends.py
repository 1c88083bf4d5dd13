"""How the keeper ends, that there is one at a time, and what it does where it cannot write its record."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from dms_relay import files
from tests.watch.keeping import PATIENCE, program, wait_until
from tests.watch.test_changes import ROUTE

if TYPE_CHECKING:
    from tests.watch.keeping import Keeping

RELAYMAP = "postfix-relaymap.cf"


def is_gone(pid: int) -> bool:
    """Return True if no process of a group is left but what nobody has waited for."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_with_its_children(keeping: Keeping, number: int) -> None:
    """TERM and INT end it with exit code 0, and with it a child that waits for the lock."""
    keeping.start()
    assert keeping.process
    with files.lock(keeping.sandbox.postfix_dir, 1):
        keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
        wait_until(lambda: keeping.record()["children"].get("apply"), "a child that waits")
        child = keeping.record()["children"]["apply"]
        keeping.process.send_signal(number)
        assert keeping.process.wait(PATIENCE) == 0
        assert is_gone(child)
    code, status = keeping.status()
    assert (code, status["keeper"]) == (1, {"running": False})
    assert status["due"] == ["the inputs differ from what is in force; dms-relay plan shows the difference"]


def test_signals_that_were_ignored(keeping: Keeping) -> None:
    """A shell has its jobs in the background ignore INT; it ends the keeper all the same."""
    command = program(keeping.sandbox, "watch", "--interval", "0.1")
    ignored = subprocess.Popen(["sh", "-c", 'trap "" INT TERM CHLD; exec "$@"', "sh", *command], env=keeping.env)
    wait_until(lambda: keeping.record().get("apply", {}).get("looks"), "the first run")
    ignored.send_signal(signal.SIGINT)
    assert ignored.wait(PATIENCE) == 0


def test_hangup_applies_at_once(keeping: Keeping) -> None:
    """HUP has the inputs applied though they have not changed, and whatever the interval is."""
    keeping.start("--interval", "3600")
    assert keeping.process
    keeping.sandbox.write_main_cf(keeping.sandbox.main_cf.read_text().replace("[d.test]:587", "[other]:587"))
    keeping.process.send_signal(signal.SIGHUP)
    wait_until(lambda: keeping.sandbox.postconf_n()["relayhost"] == "[d.test]:587", "the inputs are applied")


def test_one_at_a_time(keeping: Keeping) -> None:
    """A second keeper says that another one runs, and ends with 75; the first goes on."""
    keeping.start()
    done = subprocess.run(
        program(keeping.sandbox, "watch"), env=keeping.env, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == os.EX_TEMPFAIL
    assert f"another dms-relay watch runs: it holds the lock of {keeping.state}/keeper.lock" in done.stderr
    keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
    keeping.settle()
    assert keeping.health() == ["ok"]


def test_no_record(keeping: Keeping) -> None:
    """Where the state directory cannot be made, the keeper says so once, and works."""
    keeping.state.write_text("no directory\n")
    keeping.env["DMS_RELAY_STATE_DIR"] = str(keeping.state / "below")
    command = program(keeping.sandbox, "watch", "--interval", "0.1")
    with (keeping.sandbox.config_dir.parent / "said").open("w+") as said:
        keeping.process = subprocess.Popen(command, env=keeping.env, stderr=said)
        wait_until(lambda: "relayhost" in keeping.sandbox.postconf_n(), "the first run")
        keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
        wait_until(lambda: keeping.sandbox.table("relayhost_map"), "the change")
        said.seek(0)
        assert said.read().count("the keeper works on, without a record") == 1


def test_record_that_cannot_be_written_for_a_while(keeping: Keeping) -> None:
    """Where the record cannot be written any more, that is said once; it is written again when it can be."""
    keeping.start()
    aside = keeping.state.with_name("aside")
    keeping.state.rename(aside)
    keeping.sandbox.write(RELAYMAP, ROUTE.format("a"))
    wait_until(lambda: keeping.sandbox.table("relayhost_map"), "the change")
    wait_until(lambda: "cannot be written: No such file" in keeping.log(), "the message")
    time.sleep(0.5)
    assert keeping.log().count("cannot be written: No such file") == 1
    aside.rename(keeping.state)
    keeping.sandbox.write(RELAYMAP, ROUTE.format("b"))
    keeping.settle()
    assert keeping.health() == ["ok"]


def test_directory_that_is_gone(keeping: Keeping) -> None:
    """A configuration directory that is gone is said once, and changes nothing; all is well when it is back."""
    keeping.start()
    before = keeping.machine()
    keeping.sandbox.config_dir.rmdir()
    keeping.settle()
    said = f"{keeping.sandbox.config_dir} is not a directory -- name the directory that contains the inputs"
    assert keeping.health() == ["wrong", f"inputs: {said}"]
    time.sleep(0.5)
    assert keeping.log().count(said) == 1
    assert keeping.machine() == before
    keeping.sandbox.config_dir.mkdir()
    keeping.settle()
    assert keeping.health() == ["ok"]


@pytest.mark.parametrize(
    ("env", "options", "said"),
    [
        (
            {},
            ["--interval", "0"],
            "--interval is out of range -- write a time from 0.1s to 1h: seconds, 90s, 5m, or 1h",
        ),
        ({}, ["--interval", "2x"], "--interval: this is not a time -- write seconds, 90s, 5m, or 1h"),
    ],
)
def test_wrong_options(keeping: Keeping, env: dict[str, str], options: list[str], said: str) -> None:
    """An interval that cannot be meant is a usage error."""
    done = subprocess.run(
        program(keeping.sandbox, "watch", *options),
        env=keeping.env | env,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr


def test_wrong_settings(keeping: Keeping) -> None:
    """A variable that cannot be meant is an error, once and in the health check; the keeper works as without it."""
    keeping.env |= {"RELAY_TEST_INTERVAL": "often", "RELAY_WATCH_INTERVAL": "0"}
    keeping.start()
    said = "env RELAY_TEST_INTERVAL: the value is not a time from 1m to 30d, so it has no effect"
    assert keeping.log().count(said) == 1
    assert any(said in line for line in keeping.health())
    assert keeping.record()["tests"]["interval"] == 0


def test_keeper_that_stands_still(keeping: Keeping) -> None:
    """A keeper that gives no sign of life for two minutes is a trouble, which status tells."""
    keeping.start()
    assert keeping.process
    keeping.process.send_signal(signal.SIGSTOP)
    then = time.time() - 121
    os.utime(keeping.state / "health", (then, then))
    code, status = keeping.status()
    keeping.process.send_signal(signal.SIGCONT)
    assert code == 1
    assert status["troubles"][0].startswith("keeper: it has reported nothing since 20")
