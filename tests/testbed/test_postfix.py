"""A private Postfix: it works, it is fast enough, and nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed import PATIENCE, PLAIN, SUBMISSION, WORLD, Mode, Postfix, PostfixError, Testbed, processes, why_unavailable
from testbed.layout import AGE, write_old

pytestmark = pytest.mark.usefixtures("real_postfix")


SLEEPER = """
import time
from testbed import Testbed
with Testbed() as testbed:
    postfix = testbed.postfix()
    print(postfix.layout.base, postfix.layout.master_pid.read_text().strip(), flush=True)
    time.sleep(60)
"""


def snapshot(directory: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of each file."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in directory.rglob("*") if p.is_file()}


def test_mail_passes_and_nothing_is_left() -> None:
    """Mail passes; after the `with`, no process and no directory is left, and /etc/postfix is as it was."""
    machine = snapshot(Path("/etc/postfix"))
    with Testbed() as testbed:
        world = testbed.world()
        postfix = testbed.postfix()
        postfix.send("anna@example.com", ["ben@world.test"], "one")
        world.wait_for(1)
        base, master = postfix.layout.base, int(postfix.layout.master_pid.read_text())
        assert master in processes.in_group(master) == postfix.processes()
    assert not base.exists()
    assert processes.in_group(master) == []
    assert snapshot(Path("/etc/postfix")) == machine


def test_checks_have_nothing_to_do() -> None:
    """What the first start leaves out says nothing and makes nothing: all directories are there, with owners and modes."""
    postfix = Postfix()
    try:
        before = sorted(postfix.layout.base.rglob("*"))
        assert postfix.command("postfix", "check").stderr == ""
        assert (postfix.log(), sorted(postfix.layout.base.rglob("*"))) == ("", before)
    finally:
        postfix.layout.remove()


def test_a_file_that_comes_during_the_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one does from a run of apply that an interrupt has left alone."""
    postfix = Postfix()
    late = [postfix.config / "dms-relay.state.json"]
    rmdir = os.rmdir

    def after_one_more_file(path: str, *, dir_fd: int | None = None) -> None:
        if path == postfix.config.name and late:
            late.pop().touch()
        rmdir(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", after_one_more_file)
    postfix.layout.remove()
    assert not late
    assert not postfix.layout.base.exists()


def test_an_exception_leaves_nothing() -> None:
    """An exception inside the `with` ends the processes as well."""
    masters = []

    def fail(postfix: Postfix) -> None:
        masters.append(int(postfix.layout.master_pid.read_text()))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Postfix() as postfix:
        fail(postfix)
    assert [processes.in_group(master) for master in masters] == [[]]
    assert not postfix.layout.base.exists()


def test_a_start_that_fails_leaves_nothing() -> None:
    """A configuration that Postfix refuses is an error that says why, and nothing is left."""
    postfix = Postfix()
    write_old(postfix.config / "master.cf", "nonsense\n")
    with pytest.raises(PostfixError, match=r"postfix start: exit 1: .*line 1: bad field count"), postfix:
        pass
    assert postfix.processes() == []
    assert not postfix.layout.base.exists()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_master_that_does_not_answer(number: signal.Signals) -> None:
    """A master that was stopped or killed does not keep its children alive: all are gone after `stop`."""
    with Postfix() as postfix:
        master = int(postfix.layout.master_pid.read_text())
        os.kill(master, number)
    assert processes.in_group(master) == []


def test_terminated_while_it_runs() -> None:
    """A program that ends by an exception in the middle, such as a Ctrl-C, leaves nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as child:
        assert child.stdout is not None
        base, master = child.stdout.readline().split()
        assert int(master) in processes.in_group(int(master))
        child.send_signal(signal.SIGINT)
        child.wait(20)
    assert not Path(base).exists()
    assert processes.in_group(int(master)) == []


def test_files_are_old() -> None:
    """What the testbed writes is dated back, so that Postfix takes it at once."""
    with Testbed() as testbed:
        postfix = testbed.postfix(start=False)
        for path in (postfix.config / "main.cf", postfix.config / "master.cf"):
            assert time.time() - path.stat().st_mtime > AGE - 1


def test_names_of_real_services() -> None:
    """A relay is found under a name that the machine does not know, at a port of its own."""
    with Testbed() as testbed:
        relay = testbed.relay("smtp.service.test", PLAIN)
        postfix = testbed.postfix({"relayhost": f"[smtp.service.test]:{relay.port}"})
        postfix.send("anna@example.com", ["ben@anywhere.test"], "one")
        assert relay.wait_for(1)[0].recipients == ("ben@anywhere.test",)
        postfix.wait_until_queue_empty()
        assert f"relay=smtp.service.test[{relay.host}]:{relay.port}" in postfix.log()


def test_unknown_names_are_not_looked_up() -> None:
    """A domain that the testbed does not know cannot be found, at once: nothing asks the network."""
    with Testbed() as testbed:
        postfix = testbed.postfix()
        postfix.send("<>", ["ben@example.org"], "one")
        wait_for_statuses(postfix, 1)
        assert postfix.statuses()["sent"] == 0
        assert "unable to look up host example.org" in postfix.log() or "Host or domain name not found" in postfix.log()


def test_queue() -> None:
    """What waits in the queue is told with its sender and its recipient."""
    with Testbed() as testbed:
        testbed.world().stop()
        postfix = testbed.postfix()
        postfix.send("anna@example.com", ["ben@world.test"], "one")
        wait_for_statuses(postfix, 1)
        (message,) = postfix.queue()
        assert (message["sender"], message["recipients"][0]["address"]) == ("anna@example.com", "ben@world.test")
        with pytest.raises(PostfixError, match=r"not delivered after 0\.1 s"):
            postfix.wait_until_queue_empty(0.1)


def wait_for_statuses(postfix: Postfix, attempts: int) -> None:
    """Wait until so many attempts to deliver have been made."""
    end = time.monotonic() + PATIENCE
    while postfix.statuses().total() < attempts and time.monotonic() < end:
        time.sleep(0.02)
    assert postfix.statuses().total() >= attempts


def test_deferred_mail_leaves_when_the_relay_is_back() -> None:
    """Mail for a relay that is down waits, and leaves by itself soon after the relay is up again."""
    with Testbed() as testbed:
        world = testbed.world()
        world.stop()
        postfix = testbed.postfix()
        postfix.send("anna@example.com", ["ben@world.test"], "one")
        wait_for_statuses(postfix, 1)
        world.start()
        postfix.wait_until_queue_empty()
        assert [r.message_id for r in world.received] == ["one"]


def test_login_and_trusted_tls() -> None:
    """Postfix logs in over TLS, and trusts the certificates of the testbed for the relay's name."""
    with Testbed() as testbed:
        relay = testbed.relay("smtp.service.test", SUBMISSION)
        nexthop = f"[smtp.service.test]:{relay.port}"
        postfix = testbed.postfix(
            {
                "relayhost": nexthop,
                "smtp_tls_security_level": "secure",
                "smtp_sasl_auth_enable": "yes",
                "smtp_sasl_security_options": "noanonymous",
                "smtp_sasl_password_maps": f"inline:{{ {{ {nexthop} = user:pass word }} }}",
            }
        )
        postfix.send("anna@example.com", ["ben@anywhere.test"], "one")
        received = relay.wait_for(1)[0]
        postfix.wait_until_queue_empty()
        assert (received.user, received.login and received.login.password) == ("user", "pass word")
        assert "Verified TLS connection established to smtp.service.test" in postfix.log()


def test_senders_arrive_as_they_were_sent() -> None:
    """Letter case and plus-addresses survive, and `<>` is the null sender."""
    senders = ["ANNA@Example.COM", "anna+x@example.com", "<>"]
    with Testbed() as testbed:
        world = testbed.world()
        postfix = testbed.postfix()
        for sender in senders:
            postfix.send(sender, ["ben@world.test"], sender)
        assert sorted((r.sender, r.message_id) for r in world.wait_for(3)) == sorted(zip(senders, senders, strict=True))


def test_reload_and_restart() -> None:
    """After a reload, and after a stop and a start, mail passes as before; `running` tells the truth."""
    with Testbed() as testbed:
        world = testbed.world()
        postfix = testbed.postfix()
        assert postfix.running()
        postfix.reload()
        postfix.send("anna@example.com", ["ben@world.test"], "reloaded")
        postfix.stop()
        assert (postfix.running(), postfix.processes()) == (False, [])
        postfix.start()
        postfix.send("anna@example.com", ["ben@world.test"], "restarted")
        assert {r.message_id for r in world.wait_for(2)} == {"reloaded", "restarted"}
        assert postfix.complaints() == []


def test_two_instances() -> None:
    """Two instances run beside each other, and the end of one is not the end of the other."""
    with Testbed() as testbed:
        world = testbed.world()
        with Postfix(hosts={"world.test": world.host}, world_port=world.port):
            postfix = testbed.postfix()
        postfix.send("anna@example.com", ["ben@world.test"], "one")
        world.wait_for(1)


def test_postconf_n() -> None:
    """The parameters that main.cf sets are told by name, whatever they hold."""
    with Testbed() as testbed:
        postfix = testbed.postfix({"relayhost": "[a=b.test]:25"}, start=False)
        found = postfix.postconf_n()
        assert (found["relayhost"], found["mydestination"]) == ("[a=b.test]:25", "")
        write_old(postfix.config / "main.cf", "relayhost = other\n")
        found = postfix.postconf_n()
        assert (found["relayhost"], "mydestination" in found) == ("other", False)


def test_another_instance_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAIL_CONFIG in the environment does not lead a command astray."""
    monkeypatch.setenv("MAIL_CONFIG", "/nonexistent")
    with Testbed() as testbed:
        world = testbed.world()
        testbed.postfix().send("anna@example.com", ["ben@world.test"], "one")
        world.wait_for(1)


@pytest.mark.long
def test_load() -> None:
    """500 messages pass, each over TLS with a login of its own session, each once."""
    with Testbed() as testbed:
        relay = testbed.relay("relay", Mode())
        postfix = testbed.postfix(
            {
                "relayhost": relay.nexthop,
                "smtp_tls_security_level": "encrypt",
                "smtp_sasl_auth_enable": "yes",
                "smtp_sasl_security_options": "noanonymous",
                "smtp_sasl_password_maps": f"inline:{{ {{ {relay.nexthop} = user:pw }} }}",
            }
        )
        ids = postfix.send("anna@example.com", ["ben@anywhere.test"], "m", 500)
        received = relay.wait_for(500, 120)
        assert sorted(r.message_id for r in received) == sorted(ids)
        assert {(r.user, r.tls is not None) for r in received} == {("user", True)}
        postfix.wait_until_queue_empty()
        assert postfix.statuses() == {"sent": 500}


def test_world_is_reached_without_port() -> None:
    """Where a nexthop names no port, mail goes to the world's port, with TLS if Postfix wants it."""
    with Testbed() as testbed:
        world = testbed.world("world.test", WORLD)
        postfix = testbed.postfix({"smtp_tls_security_level": "encrypt"})
        postfix.send("anna@example.com", ["ben@world.test"], "one")
        assert world.wait_for(1)[0].tls


def test_why_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no instance can start, the reason is told: not root, or no Postfix."""
    assert why_unavailable() is None
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert why_unavailable() == "Postfix is not installed"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert why_unavailable() == "Postfix starts for root only"
