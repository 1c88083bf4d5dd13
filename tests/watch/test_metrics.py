"""What the keeper does for metrics: a child serves them, and is started again; nothing of it is a matter of health."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from testbed.postfix import free_port
from tests.watch.keeping import program, wait_until

if TYPE_CHECKING:
    from tests.watch.keeping import Keeping


def fetched(port: int) -> str:
    """Return what is served; empty for nothing."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
            return text
    except (OSError, urllib.error.URLError):
        return ""


def test_metrics_are_served(keeping: Keeping) -> None:
    """The keeper serves what dms-relay metrics prints; killed, the server is back; at the end it is gone."""
    port = free_port()
    keeping.env["RELAY_METRICS"] = f"127.0.0.1:{port}"
    keeping.start()
    wait_until(lambda: "\ndms_relay_keeper_running 1.0\n" in fetched(port), "metrics")
    done = subprocess.run(
        program(keeping.sandbox, "metrics"), env=keeping.env, capture_output=True, text=True, check=True
    )
    names = [{line.split()[2] for line in text.splitlines() if line[0] == "#"} for text in (fetched(port), done.stdout)]
    assert names[0] == names[1]
    os.killpg(keeping.record()["servers"]["metrics"], signal.SIGKILL)
    wait_until(lambda: fetched(port), "metrics again")
    assert "metrics are not served: ended with signal 9" in keeping.log()
    assert keeping.process
    keeping.process.terminate()
    assert keeping.process.wait(30) == 0
    assert fetched(port) == ""


def test_a_port_in_use(keeping: Keeping) -> None:
    """It is said once, and by dms-relay status; health stays green; when the port is free, metrics are served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        keeping.env["RELAY_METRICS"] = f"127.0.0.1:{port}"
        keeping.start()
        wait_until(lambda: (keeping.record().get("metrics") or {}).get("trouble"), "the trouble")
        status = subprocess.run(
            program(keeping.sandbox, "status", "--json"), env=keeping.env, capture_output=True, text=True, check=False
        )
    what = f"keeper: metrics are not served: 127.0.0.1:{port}: Address already in use"
    assert what in json.loads(status.stdout)["troubles"]
    assert (keeping.state / "health").read_text() == "ok\n"
    wait_until(lambda: fetched(port), "metrics")
    assert keeping.log().count(what) == 1


def test_a_value_that_cannot_be_used(keeping: Keeping) -> None:
    """It is an error in the log and a trouble, and the keeper works without metrics."""
    keeping.env["RELAY_METRICS"] = "9154"
    keeping.start()
    text = "env RELAY_METRICS: the value is neither :PORT nor HOST:PORT, so no metrics are served"
    assert text in keeping.log()
    assert text in (keeping.state / "health").read_text()
