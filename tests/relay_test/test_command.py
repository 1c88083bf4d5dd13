"""``dms-relay test`` as a command: what is tried, what is shown, exit codes; with maps as with transports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from testbed import SMTPS, STRANGER, WORLD, Login, Mode
from testbed.listener import Listener, silent
from tests.relay_test.scene import PASSWORD
from tests.support.scene import ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed import Relay
    from testbed.listener import Client
    from tests.relay_test.scene import Scene

OPEN: dict[str, Any] = {"login": False, "level": "may"}


def test_all_is_well(scene: Scene) -> None:
    """One line for each relay and login below the head, nothing else, and exit code 0."""
    relay = scene.relay("r", Mode())
    scene.write()
    result = scene.run()
    head, line = result.out.splitlines()
    assert head.split() == ["RELAY", "ADDRESS", "TLS", "CERTIFICATE", "UNTIL", "LOGIN", "RESULT", "TIME"]
    words = [
        "r",
        f"r.test[{relay.host}]:{relay.port}",
        "TLSv1.3",
        "TLS_AES_256_GCM_SHA384",
        "3000-01-01",
        "r-user",
        "ok",
    ]
    assert line.split()[:-2] == words
    assert (result.code, result.err) == (0, "")


def test_a_failure_is_explained(scene: Scene) -> None:
    """Below the table each failure has what happened, the reply, cause and remedy; the exit code is 1."""
    relay = scene.relay("r", Mode(logins={}))
    scene.relay("good", Mode())
    scene.write()
    result = scene.run()
    _, _, _, *rest = result.out.splitlines()
    assert rest == [
        "",
        f"r, [r.test]:{relay.port}, login r-user: wrong login",
        "  what:    the server refused AUTH PLAIN",
        "  reply:   535 5.7.8 Authentication credentials invalid",
        "  where:   relay.yaml:11:11",
        "  cause:   the user name or the password is wrong, or is not the one for SMTP: many services have separate ones",
        "  remedy:  correct the login at relay.yaml:13:7; use the service's SMTP credentials, if it has separate ones",
    ]
    assert result.code == 1


def test_json(scene: Scene) -> None:
    """``--json`` is one object with all of it, for a relay that works as for one that fails."""
    relay = scene.relay("r", Mode())
    scene.write()
    document = json.loads(scene.run("--json").out)
    (result,) = document["results"]
    certificate = result["tls"].pop("certificate")
    assert (certificate["names"], certificate["fingerprint"]) == (["r.test"], relay.fingerprint)
    assert (certificate["valid_from"], certificate["valid_until"]) == (
        "2000-01-01T00:00:00+00:00",
        "3000-01-01T00:00:00+00:00",
    )
    assert result.pop("seconds") > 0
    assert document == {"ok": True, "results": [result]}
    assert result == {
        "relay": "r",
        "nexthop": f"[r.test]:{relay.port}",
        "origins": ["relay.yaml:3:11"],
        "host": "r.test",
        "address": relay.host,
        "port": relay.port,
        "tls": {"level": "secure", "mode": "starttls", "protocol": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384"},
        "login": {"username": "r-user", "origin": "relay.yaml:5:7"},
        "mechanism": "PLAIN",
        "token": None,
        "result": "ok",
        "failure": None,
        "remarks": [],
        "sent": False,
    }


def test_implicit_tls(scene: Scene) -> None:
    """TLS from the first octet."""
    relay = scene.relay("r", SMTPS, mode="implicit")
    result = scene.result()
    assert (result["result"], result["tls"]["mode"], relay.attempts[0].tls) == ("ok", "implicit", "TLSv1.3")


def three(scene: Scene) -> tuple[Relay, ...]:
    """Have three relays."""
    relays = tuple(scene.relay(name, Mode()) for name in ("a", "b", "c"))
    scene.write()
    return relays


def test_named_relays_alone_are_tried(scene: Scene) -> None:
    """A relay is named by its name or by its nexthop, in any letter case; the others see nothing."""
    _, b, c = three(scene)
    assert list(scene.results("A", f"[b.test]:{b.port}")) == ["a", "b"]
    assert c.connections == ()


def test_an_unknown_relay(scene: Scene) -> None:
    """A name that is no relay's is refused, with those that there are, and nothing is tried."""
    a, b, c = three(scene)
    result = scene.run("a", "d")
    known = ", ".join(f"{name}, [{name}.test]:{relay.port}" for name, relay in zip("abc", (a, b, c), strict=True))
    assert (result.code, result.out, a.connections) == (2, "", ())
    assert f"no relay in use has the name d -- write one of {known}" in result.err


def test_no_relay(scene: Scene) -> None:
    """Without a relay there is nothing to try, and that is no failure, unless one is named."""
    result = scene.run()
    assert (result.code, result.out) == (0, "no relay is set, so there is nothing to test\n")
    assert json.loads(scene.run("--json").out) == {"ok": True, "results": []}
    assert scene.run("a").code == 2


def test_wrong_inputs(scene: Scene) -> None:
    """Wrong inputs end the command as they end all others."""
    scene.sandbox.write("postfix-relaymap.cf", "@a.test [b.test:587\n")
    assert scene.run().code == os.EX_CONFIG


@pytest.mark.parametrize("timeout", ["0", "301", "6m", "1w"])
def test_timeouts_that_cannot_be(scene: Scene, timeout: str) -> None:
    """No time at all, and more than any relay takes, are refused."""
    result = scene.run(timeout=timeout)
    assert result.code == 2
    assert "--timeout is out of range -- write more than 0, up to 5m: seconds, 90s, 5m, or 1h" in result.err


def test_each_login_is_tried_once(scene: Scene) -> None:
    """Senders with a login of their own are tried with it; a login that nobody uses is not tried."""
    relay = scene.relay("r", Mode())
    unused = scene.relay("unused", Mode())
    own = {"relay": "r", "login": {"username": "own-user", "password": PASSWORD}}
    scene.write(senders={"a.example": own, "b.example": "r", "c.example": "r"})
    assert scene.run().code == 0
    assert sorted(attempt.login.user for attempt in relay.attempts) == ["own-user", "r-user"]
    assert unused.connections == ()


def test_without_postfix(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Postfix is missing, main.cf cannot be read as Postfix reads it."""
    scene.relay("r", Mode())
    scene.write()
    monkeypatch.setenv("PATH", "")
    assert scene.run().code == os.EX_UNAVAILABLE


# In parallel, on a terminal, and interrupted.


def gated(gate: threading.Barrier) -> Callable[[Client], None]:
    """Return a server that greets nobody before all are connected."""

    def serve(client: Client) -> None:
        gate.wait(10)
        for text in ("220 gated", "250 gated", "221 bye"):
            client.say(f"{text}\r\n")
            client.hear()

    return serve


def test_in_parallel(scene: Scene) -> None:
    """All relays are tried at the same time: none of ten greets before the last of them is connected."""
    gate = threading.Barrier(10)
    servers = [Listener(gated(gate)) for _ in range(10)]
    for number, server in enumerate(servers):
        server.__enter__()
        scene.name(f"r{number}", server.host, server.port, **OPEN)
    scene.write()
    results = scene.results()
    for server in servers:
        server.__exit__()
    assert {result["result"] for result in results.values()} == {"ok"}
    assert list(results) == [f"r{number}" for number in range(10)]


def command(scene: Scene, *arguments: str) -> list[str]:
    """Return the command line of a process of its own."""
    return [sys.executable, "-m", "dms_relay", *scene.sandbox.arguments("test", *arguments)]


ENVIRON = {"PATH": os.environ["PATH"]}


def test_ctrl_c(scene: Scene) -> None:
    """An interrupt ends it at once, with exit code 130, while it waits for a relay that says nothing."""
    with Listener(silent) as server:
        scene.name("r", server.host, server.port, **OPEN)
        scene.write()
        arguments = command(scene, "--timeout", "300")
        with subprocess.Popen(
            arguments, cwd=ROOT, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            wait_until(lambda: server.connections > 0)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == (b"", b"")
            assert process.returncode == 130


def test_progress_on_a_terminal(scene: Scene) -> None:
    """On a terminal a line shows how far the work is, and is gone in the end; the table does not have it."""
    scene.relay("r", WORLD, login=False, level="encrypt")
    scene.relays["r"]["host"] = scene.testbed.relays["r.test"].host  # a process of its own asks another name server
    scene.write()
    ours, theirs = os.openpty()
    done = subprocess.run(command(scene), cwd=ROOT, env=ENVIRON, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # EIO: all of it was read
        while part := os.read(ours, 1000):
            shown += part
    os.close(ours)
    assert shown == b"\r\x1b[K0 of 1 tried\r\x1b[K"
    assert (done.returncode, b"tried" in done.stdout) == (0, False)


def test_the_password_is_no_argument_and_in_no_log(scene: Scene, tmp_path: Path) -> None:
    """At the highest log level, in a process of its own, the password stands in no output and no file of ours."""
    relay = scene.relay("r", STRANGER, level="encrypt")
    scene.relays["r"]["host"] = relay.host
    scene.write()
    arguments = [sys.executable, "-m", "dms_relay", "--log-level", "trace", *scene.sandbox.arguments("test")]
    done = subprocess.run(arguments, cwd=tmp_path, env=ENVIRON, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert PASSWORD.encode() not in done.stdout
    assert [attempt.login for attempt in relay.attempts] == [Login("r-user", PASSWORD)]


def test_a_relay_that_nobody_uses(scene: Scene) -> None:
    """That one is set is not denied, where no mail goes there."""
    result = scene.run(env={"RELAY_HOST": "r.test"})
    said = "no mail goes to a relay, so there is nothing to test; dms-relay check says why\n"
    assert (result.code, result.out) == (0, said)
    assert "RELAY_HOST is not used: there is no managed domain" in result.err
