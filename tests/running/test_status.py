"""``status`` says what waits in the queue, without a program of Postfix's, however much it is; and what is not in force."""

from __future__ import annotations

import io
import json
import time
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from dms_relay.cli import main
from dms_relay.postfix.queue_files import OPENED_MAX, QUEUES
from testbed import PATIENCE, Testbed

if TYPE_CHECKING:
    from pathlib import Path

    from testbed import Inputs, Postfix

QUIET = {"minimal_backoff_time": "1h", "maximal_backoff_time": "1h"}


def status(inputs: Inputs, postfix_dir: Path, *options: str) -> str:
    """Return what ``status`` says; without a keeper, its exit code is 1."""
    directories = ["--config-dir", str(inputs.directory), "--postfix-dir", str(postfix_dir)]
    settings = {**inputs.settings, "DMS_RELAY_STATE_DIR": str(inputs.directory / "state")}
    with redirect_stdout(io.StringIO()) as printed:
        assert main([*directories, "status", *options], settings) == 1
    return printed.getvalue()


def queue_of(inputs: Inputs, postfix_dir: Path) -> dict[str, Any]:
    """Return what it says to programs of the queue."""
    found: dict[str, Any] = json.loads(status(inputs, postfix_dir, "--json"))["queue"]
    return found


def wait_for_deferred(postfix: Postfix, count: int) -> list[dict[str, Any]]:
    """Return what waits once all of it was tried."""
    end = time.monotonic() + PATIENCE
    while len(found := postfix.queue()) != count or {one["queue_name"] for one in found} != {"deferred"}:
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("long_ids", ["no", "yes"])
def test_what_waits(testbed: Testbed, inputs: Inputs, long_ids: str) -> None:
    """It counts what postqueue does, and knows since when; of a Postfix that does not run as well, and on hold."""
    inputs.settings["DEFAULT_RELAY_HOST"] = "[127.0.0.1]:9"
    postfix = testbed.postfix({**QUIET, "enable_long_queue_ids": long_ids})
    inputs.apply(postfix)
    assert "\nqueue: empty\n" in status(inputs, postfix.config)
    for number in range(3):
        postfix.send("anna@a.test", ["bob@x.test"], str(number))
    found = wait_for_deferred(postfix, 3)
    postfix.command("postsuper", "-h", found[0]["queue_id"])
    oldest = datetime.fromtimestamp(min(one["arrival_time"] for one in found), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = f"\nqueue: 3 messages wait, the oldest since {oldest}; dms-relay queue says why\n"
    assert said in status(inputs, postfix.config)
    postfix.stop()
    assert queue_of(inputs, postfix.config) == {"messages": 3, "oldest": oldest}
    postfix.command("postsuper", "-d", found[0]["queue_id"], check=False)  # its log is gone
    postfix.command("postsuper", "-d", found[1]["queue_id"], check=False)
    assert "\nqueue: 1 message waits, since 2" in status(inputs, postfix.config)


@pytest.mark.parametrize("nesting", ["", "A", "A/B"])
def test_a_long_queue(inputs: Inputs, tmp_path: Path, nesting: str) -> None:
    """Of more messages than are opened it says how many; however the directories are nested."""
    main_cf = tmp_path / "postfix" / "main.cf"
    main_cf.parent.mkdir()
    main_cf.write_text(f"queue_directory = {tmp_path}/queue\n")
    for name in QUEUES:
        (tmp_path / "queue" / name / nesting).mkdir(parents=True)
    for number in range(OPENED_MAX):
        (tmp_path / "queue" / "deferred" / nesting / str(number)).touch()
    (tmp_path / "queue" / "active" / "1").touch()
    assert queue_of(inputs, main_cf.parent) == {"messages": OPENED_MAX + 1, "oldest": None}
    assert f"queue: {OPENED_MAX + 1} messages wait; dms-relay queue says why" in status(inputs, main_cf.parent)


def test_no_queue(inputs: Inputs, tmp_path: Path) -> None:
    """Where there is no Postfix, or no queue, nothing is said of it."""
    assert queue_of(inputs, tmp_path / "nowhere") is None
    (tmp_path / "main.cf").write_text(f"queue_directory = {tmp_path}/nowhere\n")
    assert queue_of(inputs, tmp_path) is None


def test_what_is_not_in_force(testbed: Testbed, inputs: Inputs) -> None:
    """Before the first ``apply`` and after everything is taken back, nothing is in force; no login was ever tested."""
    postfix = testbed.postfix(start=False)
    nothing = "\nin force: nothing of dms-relay: no relay is set, or apply has not run\n"
    assert nothing in status(inputs, postfix.config)
    inputs.settings["DEFAULT_RELAY_HOST"] = "[127.0.0.1]:9"
    inputs.apply(postfix)
    said = status(inputs, postfix.config)
    assert "\nin force: since 2" in said
    assert "\nlogin tests: none yet; dms-relay test makes one now, and with RELAY_TEST_INTERVAL the keeper does" in said
    del inputs.settings["DEFAULT_RELAY_HOST"]
    inputs.apply(postfix)
    assert nothing in status(inputs, postfix.config)
