"""``dms-relay drain --hand-over``: what the relays do not take arrives by another Postfix, once, or stays here."""

from __future__ import annotations

import smtplib
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from dms_relay.postfix.drained import HAND_OVER, REPLY
from testbed.modes import WORLD, Mode, Tls
from tests.drain.conftest import AWAY, RECIPIENT, SENDER, client_of, drain, master_cf, put, relays_of, text, wait_for
from tests.support.amounts import amount

if TYPE_CHECKING:
    import random

    from testbed import Inputs, Postfix, Testbed
    from tests.support.sandbox import Sandbox

#: Messages in the queue when a drain begins, and those that somebody tries to hand in meanwhile.
WAITING, MORE = amount(60, 1000), amount(60, 1000)
SLOW = Mode(Tls.OFFERED, WORLD.auth, delay=0.02)


def hand_over(inputs: Inputs, postfix: Postfix, to: str, timeout: str = "20") -> tuple[int, dict[str, object]]:
    """Drain, and hand over what remains."""
    return drain(inputs, postfix, "--timeout", timeout, "--hand-over", to)


@pytest.mark.parametrize("is_away", [True, False])
def test_all_arrives_once(testbed: Testbed, inputs: Inputs, is_away: bool) -> None:  # noqa: FBT001 -- a case
    """All that is accepted arrives, each message once, bounces (<>) among it: by another Postfix, where the relay is down.

    Meanwhile somebody sends, and ``apply`` is run. Nothing of it is left in master.cf afterwards.
    """
    world = testbed.world("world.test", SLOW)
    postfix = testbed.postfix({"relayhost": AWAY} if is_away else {})
    other = testbed.postfix({"myhostname": "other.test"})
    place = f"127.0.0.1:{other.port}"
    before = master_cf(postfix)
    accepted = postfix.send(SENDER, [RECIPIENT], "w", WAITING) + postfix.send("<>", [RECIPIENT], "null", 2)
    sender = Sender(postfix)
    sender.start()
    try:
        code, said = hand_over(inputs, postfix, place) if is_away else drain(inputs, postfix, "--timeout", "20")
        inputs.apply(postfix)
    finally:
        sender.stop()
    assert (code, said["remaining"]) == (0, []), said
    assert said["hand_over"] == (f"[127.0.0.1]:{other.port}" if is_away else None)
    accepted += sender.accepted
    other.wait_until_queue_empty()
    counts = Counter(received.message_id for received in world.wait_for(len(accepted)))
    assert set(accepted) == set(counts)
    assert set(counts.values()) == {1}
    assert postfix.statuses()["bounced"] == other.statuses()["bounced"] == 0
    assert postfix.queue_is_empty()
    assert text(inputs, postfix, "--cancel").returncode == 0
    assert master_cf(postfix) == before


class Sender(threading.Thread):
    """Hands messages in, one connection each, until it is refused."""

    def __init__(self, postfix: Postfix) -> None:
        """Take where to."""
        super().__init__()
        self.accepted: list[str] = []
        self._postfix = postfix
        self._is_over = threading.Event()

    def run(self) -> None:
        """Send."""
        for number in range(MORE):
            if self._is_over.is_set():
                return
            message = f"Subject: x\r\nMessage-ID: <more-{number}>\r\nX-Id: more-{number}\r\n\r\nx\r\n"
            try:
                with client_of(self._postfix) as client:
                    client.sendmail(SENDER, [RECIPIENT], message)
            except (smtplib.SMTPException, OSError):
                return
            self.accepted.append(f"more-{number}")

    def stop(self) -> None:
        """End it, and wait for that."""
        self._is_over.set()
        self.join()


def test_what_is_not_taken_stays(testbed: Testbed, inputs: Inputs, drawn: random.Random) -> None:
    """A server that is away, that drains itself or refuses: it all waits here, and none is returned."""
    refusing = testbed.relay("refusing.test", Mode(Tls.NONE, WORLD.auth, refusals={"RCPT": "554 5.7.1 not from you"}))
    away = testbed.postfix({"relayhost": AWAY})
    drained = testbed.postfix({"myhostname": "other.test"})
    assert drain(inputs, drained, "--timeout", "1")[0] == 0
    put(away)
    put(away, "")
    places = {
        "127.9.9.9:2526": "Connection refused",
        f"127.0.0.1:{drained.port}": REPLY[4:9],
        f"{refusing.host}:{refusing.port}": "5.7.1 not from you",
    }
    for place, reason in drawn.sample(sorted(places.items()), amount(2, 3)):
        code, said = hand_over(inputs, away, place, "3")
        assert (code, relays_of(said)) == (1, {AWAY: 2}), place
        wait_until_said(away, reason)
    assert away.statuses()["bounced"] == 0
    assert len(away.queue()) == 2


def wait_until_said(postfix: Postfix, reason: str) -> None:
    """Wait until a reason is seen in the queue: after the drain, too, Postfix tries again."""
    wait_for(lambda: reason in str(postfix.queue()))


def test_a_login_goes_nowhere_else(testbed: Testbed, inputs: Inputs) -> None:
    """Whatever main.cf has for smtp(8), no login of ours is offered to the other server; and local mail stays here."""
    stranger = testbed.relay("stranger.test", Mode(Tls.NONE, WORLD.auth.OFFERED))
    postfix = testbed.postfix(
        {
            "relayhost": AWAY,
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": "static:user:secret",
            "smtp_sasl_security_options": "noanonymous",
            "smtp_tls_security_level": "encrypt",
            "virtual_mailbox_domains": "here.test",
            "virtual_transport": "lmtp:inet:127.9.9.9:24",
            "smtpd_reject_unlisted_recipient": "no",
        }
    )
    put(postfix)
    put(postfix, SENDER, "carl@here.test")
    code, said = hand_over(inputs, postfix, f"{stranger.host}:{stranger.port}", "5")
    assert (code, sum(relays_of(said).values())) == (1, 1)
    assert "127.9.9.9" in str(said)
    assert [received.recipients for received in stranger.received] == [(RECIPIENT,)]
    assert stranger.attempts == ()


def test_a_drain_without_it_takes_it_back(testbed: Testbed, inputs: Inputs) -> None:
    """A drain without a server has mail go its own way again; the service that may be at work stays until ``--cancel``."""
    postfix = testbed.postfix({"relayhost": AWAY})
    put(postfix)
    assert hand_over(inputs, postfix, "127.9.9.9:2526", "1.5")[0] == 1
    assert f"default_transport={HAND_OVER}:[127.9.9.9]:2526" in master_cf(postfix)
    _, said = drain(inputs, postfix, "--timeout", "1")
    assert said["hand_over"] is None
    assert f"default_transport={HAND_OVER}" not in master_cf(postfix)
    assert f"{HAND_OVER} unix" in master_cf(postfix)
    text(inputs, postfix, "--cancel")
    assert HAND_OVER not in master_cf(postfix)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hand-over", ""], "--hand-over: the host name is missing -- write the host name or address of another"),
        (["--hand-over", ":25"], "--hand-over: the host name is missing"),
        (
            ["--hand-over", "[::1"],
            "--hand-over: the bracket is not closed -- write the host name or address of another Postfix",
        ),
        (["--hand-over", "a b"], "--hand-over: host name is not valid"),
        (["--hand-over", "x:0"], '--hand-over: port "0" is not a number from 1 to 65535'),
        (["--cancel", "--hand-over", "x"], "--cancel hands nothing over -- leave one of the two out"),
    ],
)
def test_words_that_name_no_server(sandbox: Sandbox, options: list[str], said: str) -> None:
    """They are refused before anything is done: also what a script makes of a variable that is not set."""
    result = sandbox.run("drain", *options)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert "relay" not in result.err.partition("--hand-over")[2]


@pytest.mark.parametrize(
    ("main_cf", "host", "why"),
    [
        ({}, "127.0.0.1", "the address is this server's own"),
        ({}, "[127.0.0.1]", "the address is this server's own"),
        ({}, "localhost", "its address 127.0.0.1 is this server's own"),
        ({}, "LOCALHOST", "its address 127.0.0.1 is this server's own"),
        ({}, "0.0.0.0", "the address is this server's own"),
        ({}, "[::ffff:127.0.0.1]", "the address is this server's own"),
        ({"myhostname": "Own.invalid"}, "own.invalid", "it has the name of this server (myhostname)"),
        ({"inet_interfaces": "all"}, "127.0.0.7", "the address is this server's own"),
        ({"proxy_interfaces": "192.0.2.7"}, "192.0.2.7", "the address is this server's own"),
    ],
)
def test_to_ourselves(testbed: Testbed, inputs: Inputs, main_cf: dict[str, str], host: str, why: str) -> None:
    """Whatever this Postfix is called by, it is refused before anything is done: it would get its own mail back."""
    postfix = testbed.postfix({"relayhost": AWAY, **main_cf})
    done = text(inputs, postfix, "--timeout", "1", "--hand-over", f"{host}:{postfix.port}")
    remedy = "name another server that takes mail, or leave --hand-over out"
    assert f"is this server itself, which is drained: {why} -- {remedy}" in done.stderr
    assert done.returncode == 2
    assert HAND_OVER not in master_cf(postfix)
    assert REPLY not in master_cf(postfix)


def test_to_port_25_of_ourselves(testbed: Testbed, inputs: Inputs) -> None:
    """On port 25 Postfix takes an address of its own for itself, whoever listens there."""
    postfix = testbed.postfix({"relayhost": AWAY})
    for port in ("", ":25", ":smtp"):
        done = text(inputs, postfix, "--timeout", "1", "--hand-over", f"127.0.0.1{port}")
        assert (done.returncode, "is this server itself" in done.stderr) == (2, True)
