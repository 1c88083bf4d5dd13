"""A failed test shows what its Postfix and its relays have last said, whether they still run or not."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.scene import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """\
import time

from testbed import SUBMISSION, Login, NotReceivedError, Testbed

def test_other():
    with Testbed() as testbed:
        testbed.relay("other.test")
        assert testbed.postfix().running()

def test_{what}():
    with Testbed() as testbed:
        relay = testbed.relay("relay.test")
        postfix = testbed.postfix({{"smtp_tls_security_level": "may", "relayhost": relay.nexthop}})
        postfix.send("me@one.test", ["friend@world.test"], "first")
        while "530 5.7.0" not in postfix.log():
            time.sleep(0.1)
        {failure}
"""
FAILURES = {
    "not_received": "testbed.ledger.wait_for(1, 0.1)",
    "assertion": "assert relay.received",
    "after_its_end": "pass\n    assert relay.received",
}


@pytest.mark.usefixtures("real_postfix")
@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_shows_the_log(tmp_path: Path, what: str) -> None:
    """Shown are the log, the queue and the relay's ledger of the failed test, and nothing of the test before it."""
    path = tmp_path / "test_module.py"
    path.write_text(MODULE.format(what=what, failure=FAILURES[what]))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.support.evidence",
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
            str(path),
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout
    for part in (
        "Postfix in ",
        "in the queue: {'active': ",
        "530 5.7.0",
        "Relay relay.test",
        " connections",
        "0 received",
    ):
        assert part in done.stdout, f"{part}: {done.stdout}"
    assert "other.test" not in done.stdout.partition("Captured")[2]
