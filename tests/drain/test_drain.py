"""``dms-relay drain``: new mail is refused, what was accepted is delivered or said to remain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dms_relay.postfix.drained import REPLY
from testbed import WORLD, Inputs
from tests.drain.conftest import (
    AWAY,
    RECIPIENT,
    SENDER,
    begin,
    client_of,
    drain,
    finish,
    greeting,
    master_cf,
    put,
    relays_of,
    text,
    wait_for,
)

if TYPE_CHECKING:
    from pathlib import Path

    from testbed import Postfix, Testbed

#: Tries only when it is told to; and the marker that the health check looks at.
SELDOM = dict.fromkeys(("queue_run_delay", "minimal_backoff_time", "maximal_backoff_time"), "300s")
MARKER = "pid/dms-relay.draining"


def is_marked(postfix: Postfix) -> bool:
    """Return True if the marker is there."""
    return (postfix.layout.queue / MARKER).exists()


def test_status_says_it(testbed: Testbed, inputs: Inputs) -> None:
    """Who has forgotten a drain finds it in ``status``, with what ends it; that followed, it is gone."""
    postfix = testbed.postfix()
    assert drain(inputs, postfix)[0] == 0
    said = inputs.run(postfix, "status")
    assert said.returncode == 1
    assert "  drain: Postfix takes no new mail, because of a drain -- run dms-relay drain --cancel, or" in said.stdout
    assert text(inputs, postfix, "--cancel").returncode == 0
    assert "drain" not in inputs.run(postfix, "status").stdout


def test_sessions_end_in_order(testbed: Testbed, inputs: Inputs) -> None:
    """A new session is refused with 421 in place of the greeting; one that is in the middle of a message ends it.

    What it sends is delivered before the drain ends. Mail that is handed in by sendmail is taken meanwhile.
    """
    world = testbed.world()
    postfix = testbed.postfix()
    before, untouched = master_cf(postfix), client_of(postfix)
    client = client_of(postfix)
    begin(client, "open")
    done: list[tuple[int, object]] = []
    thread = threading.Thread(target=lambda: done.append(drain(inputs, postfix, "--timeout", "20")))
    thread.start()
    wait_for(lambda: REPLY in master_cf(postfix) and greeting(postfix)[0] == 421)
    assert is_marked(postfix)
    assert REPLY.partition("4.3.2 ")[2].encode() in greeting(postfix)[1]
    sendmail = ["sendmail", "-C", str(postfix.config), "-f", SENDER, RECIPIENT]
    subprocess.run(
        sendmail,
        input="Subject: x\n\nx\n",
        text=True,
        check=True,
        env={**os.environ, "MAIL_CONFIG": str(postfix.config)},
    )
    time.sleep(0.3)
    assert not done  # somebody sends
    assert finish(client) == 250
    client.quit()
    untouched.quit()
    thread.join()
    [(code, said)] = done
    assert code == 0, said
    assert said == {**said, "empty": True, "ended": "nothing waits any more", "remaining": []}  # type: ignore[dict-item]
    assert len(world.received) == 2
    assert greeting(postfix)[0] == 421  # it takes no mail from now on
    assert text(inputs, postfix, "--cancel").stdout == "Postfix takes mail again\n"
    assert greeting(postfix)[0] == 220
    assert master_cf(postfix) == before
    assert not is_marked(postfix)
    assert text(inputs, postfix, "--cancel").stdout == "nothing to do: Postfix is not drained\n"


def test_an_idle_session_is_ended(testbed: Testbed, inputs: Inputs) -> None:
    """A session that sends nothing does not hold up the drain, and cannot hand in anything after it."""
    testbed.world()
    postfix = testbed.postfix()
    client = client_of(postfix)
    code, said = drain(inputs, postfix, "--timeout", "4")
    assert (code, said["ended"]) == (0, "nothing waits any more")
    assert client.sock is not None
    assert client.sock.recv(1) == b""
    client.close()


def test_what_remains_is_said(testbed: Testbed, inputs: Inputs) -> None:
    """Where a relay is down, the drain ends in time, with exit code 1, by relay and with the reason; nothing is lost.

    A person reads where it is, and what to do next. A second drain finds the same.
    """
    postfix = testbed.postfix({"relayhost": AWAY, **SELDOM})
    for _ in range(3):
        put(postfix)
    code, said = drain(inputs, postfix, "--timeout", "3")
    assert (code, said["empty"], said["ended"], relays_of(said)) == (1, False, "the time is over", {AWAY: 3})
    [reason] = said["remaining"][0]["reasons"]
    assert reason["recipients"] == 3
    assert "Connection refused" in reason["example"]
    done = text(inputs, postfix, "--timeout", "2s")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].endswith(": the time is over; Postfix takes no new mail")
    assert lines[2].startswith(f"{AWAY}  3 ")
    assert (
        f"they stay in {postfix.layout.queue}, and are delivered from there when Postfix is started again" in lines[-1]
    )
    assert len(postfix.queue()) == 3


def test_what_is_on_its_way_while_postfix_reloads(testbed: Testbed, inputs: Inputs) -> None:
    """A delivery that lasts longer than the reload is seen to its end, although the new qmgr(8) leaves the message out.

    By itself it would look again after ``minimal_backoff_time`` (300 s), at what was delivered long ago.
    """
    slow = testbed.world(mode=replace(WORLD, delay=3.0))
    postfix = testbed.postfix()
    for _ in range(3):
        put(postfix)
    code, said = drain(inputs, postfix, "--timeout", "60")
    assert (code, said["ended"], said["remaining"]) == (0, "nothing waits any more", [])
    assert len(slow.received) == 3
    assert "still being delivered" in postfix.log()


def test_without_a_running_postfix(testbed: Testbed, inputs: Inputs) -> None:
    """Where Postfix does not run, or stops meanwhile, what remains is said, and it takes mail at the next start.

    ``dms-relay apply`` before that start, as at each boot, takes the drain back.
    """
    postfix = testbed.postfix({"relayhost": AWAY})
    before = master_cf(postfix)
    put(postfix)
    done: list[tuple[int, dict[str, object]]] = []
    thread = threading.Thread(target=lambda: done.append(drain(inputs, postfix, "--timeout", "20")))
    thread.start()
    wait_for(lambda: greeting(postfix)[0] == 421)
    postfix.command("postfix", "stop")
    thread.join()
    [(code, said)] = done
    assert (code, said["ended"], relays_of(said)) == (1, "Postfix has stopped", {AWAY: 1})
    code, said = drain(inputs, postfix)
    assert (code, said["ended"], relays_of(said)) == (1, "Postfix does not run", {AWAY: 1})
    assert REPLY in master_cf(postfix)
    inputs.apply(postfix)
    assert (master_cf(postfix), is_marked(postfix)) == (before, False)
    postfix.command("postfix", "start")
    assert greeting(postfix)[0] == 220


def test_apply_changes_what_it_has_to(testbed: Testbed, inputs: Inputs) -> None:
    """``apply`` meanwhile does all its work, services of master.cf among it, and leaves the drain as it is.

    A Postfix that somebody else starts again still refuses mail, until the next ``apply``, which sees that.
    """
    relay = testbed.relay("relay-a")
    postfix = testbed.postfix()
    assert drain(inputs, postfix, "--timeout", "1")[0] == 0
    login = "login: {username: u, password: p}, tls: {level: encrypt}"
    inputs.write(
        "relay.yaml", f"version: 1\nrelays:\n  a: {{host: {relay.host}, port: {relay.port}, {login}}}\ndefault: a\n"
    )
    said = inputs.apply(postfix)
    assert "relay-a" in said
    assert "relay-a unix" in master_cf(postfix)
    assert greeting(postfix)[0] == 421
    assert "nothing to do" in inputs.apply(postfix)
    postfix.command("postfix", "stop")
    postfix.command("postfix", "start")
    assert greeting(postfix)[0] == 421
    inputs.apply(postfix)
    assert greeting(postfix)[0] == 220
    assert not is_marked(postfix)
    assert "relay-a unix" in master_cf(postfix)
    assert "nothing to do" in inputs.apply(postfix)


@pytest.mark.parametrize(
    "options", [("--timeout", "0"), ("--timeout", "2d"), ("--hand-over", "a b"), ("--hand-over", "h:x")]
)
def test_usage(inputs: Inputs, testbed: Testbed, options: tuple[str, ...]) -> None:
    """A time that is none, or a server that cannot be one, is a usage error, and nothing is done."""
    postfix = testbed.postfix(start=False)
    assert inputs.run(postfix, "drain", *options).returncode == 2


def test_term_ends_it(testbed: Testbed, inputs: Inputs, tmp_path: Path) -> None:
    """TERM ends a drain at once; Postfix goes on taking no mail."""
    postfix = testbed.postfix({"relayhost": AWAY})
    put(postfix)
    command = [*command_of(inputs, postfix), "drain", "--timeout", "60"]
    with (tmp_path / "said").open("w") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        wait_for(lambda: greeting(postfix)[0] == 421)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == -signal.SIGTERM
    assert greeting(postfix)[0] == 421


def command_of(inputs: Inputs, postfix: Postfix) -> list[str]:
    """Return the program with its options."""
    directories = ["--config-dir", str(inputs.directory), "--postfix-dir", str(postfix.config)]
    return [sys.executable, "-m", "dms_relay", *directories]


def test_a_drain_that_fails_says_how_it_is_taken_back(testbed: Testbed, inputs: Inputs) -> None:
    """Where Postfix could not be reloaded it may refuse mail from some later moment on: what to do is said, and does it."""
    postfix = testbed.postfix()
    before = master_cf(postfix)
    done = text(Inputs(inputs.directory, PATH="/nowhere"), postfix)
    assert (done.returncode, done.stdout) == (os.EX_UNAVAILABLE, "")
    assert "it may refuse mail by now -- run dms-relay drain --cancel" in done.stderr
    assert text(inputs, postfix, "--cancel").returncode == 0
    assert (greeting(postfix)[0], master_cf(postfix), is_marked(postfix)) == (220, before, False)
