"""A drain, or its ``--cancel``, that is killed at any step: the next one completes the work, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from dms_relay.postfix.drained import REPLY
from tests.drain.conftest import AWAY, client_of, drain, greeting, master_cf, put, text
from tests.support.amounts import amount

if TYPE_CHECKING:
    import random

    from testbed import Inputs, Postfix, Testbed
    from tests.support.amounts import Figures

#: Steps that a drain and a ``--cancel`` take at most, and how many are tried of each without a soak.
STEPS, FEW = 35, 1


def killed(inputs: Inputs, postfix: Postfix, step: int, *options: str) -> bool:
    """Run the command and kill it at a step; return True if it came that far."""
    directories = ["--config-dir", str(inputs.directory), "--postfix-dir", str(postfix.config)]
    command = [sys.executable, "-m", "tests.support.killer", str(step), *directories, "drain", *options]
    done = subprocess.run(command, check=False, capture_output=True, env={"PATH": os.environ["PATH"]})
    return done.returncode == -signal.SIGKILL


def test_killed(testbed: Testbed, inputs: Inputs, drawn: random.Random, figures: Figures) -> None:
    """Wherever it was killed, where master.cf has anything of a drain there is a marker; the next command completes it."""
    postfix = testbed.postfix({"relayhost": AWAY})
    before = master_cf(postfix)
    marker = postfix.layout.queue / "pid/dms-relay.draining"
    put(postfix)
    for _ in range(amount(FEW, STEPS)):
        was_killed = killed(inputs, postfix, drawn.randint(1, STEPS), "--timeout", "0.5", "--hand-over", "127.9.9.9:26")
        figures(int(was_killed), "kills of a drain")
        assert marker.exists() or REPLY not in master_cf(postfix)
        assert greeting(postfix)[0] in {220, 421}
        code, said = drain(inputs, postfix, "--timeout", "0.5")
        assert (code, said["ended"], len(postfix.queue())) == (1, "the time is over", 1)
        assert marker.exists()
        assert greeting(postfix)[0] == 421
        figures(int(killed(inputs, postfix, drawn.randint(1, STEPS), "--cancel")), "kills of a drain")
        assert marker.exists() or master_cf(postfix) == before
        assert text(inputs, postfix, "--cancel").returncode == 0
        assert (master_cf(postfix), marker.exists()) == (before, False)
        client_of(postfix).quit()
