"""A running smtp(8) has a new token without a reload where the type of its table is an indexed one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from testbed import Mode
from testbed.lookup_table import replace
from tests.running.needs import require_postfix
from tests.sasl.test_postfix import OURS_FIRST, TOKENS_ONLY, USER
from tests.support.amounts import amount

if TYPE_CHECKING:
    from testbed import Postfix, Testbed
    from tests.sasl.plugin import Plugin
    from tests.support.amounts import Figures

_BURST = 20
"""Messages that are handed in while a token is replaced."""
_STILL_GOOD = 3
"""Tokens before the newest one that the relay takes, as providers do until one ends; here one lasts for a moment only."""


@pytest.fixture(scope="session", autouse=True)
def _postfix_is_there() -> None:
    require_postfix()


def start(testbed: Testbed, plugin: Plugin, kind: str) -> Postfix:
    """Start a Postfix whose password table is of this type, and has the token t-1."""
    relay = testbed.relays["a.test"]
    found = {"import_environment": plugin.import_environment, "relayhost": f"[a.test]:{relay.port}"}
    postfix = testbed.postfix(OURS_FIRST | TOKENS_ONLY | found, start=False)
    set_token(postfix, kind, 1)
    with (postfix.config / "main.cf").open("a") as main_cf:
        main_cf.write(f"smtp_sasl_password_maps = {kind}:{postfix.config}/sasl\n")
    postfix.start()
    return postfix


def set_token(postfix: Postfix, kind: str, number: int) -> None:
    """Replace the table by one with the token of this number."""
    replace(postfix, kind, postfix.config / "sasl", {"a.test": f"{USER}:t-{number}"})


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("kind", "last"), {"hash": "t-3", "cdb": "t-3", "lmdb": "t-3", "texthash": "t-1"}.items())
def test_an_idle_process(testbed: Testbed, plugin: Plugin, kind: str, last: str) -> None:
    """After a replacement, a process that waits has the new token with the next message; that of a texthash has not."""
    relay = testbed.relay("a.test", Mode(tokens=lambda _user, _token: True))
    postfix = start(testbed, plugin, kind)
    for number in (1, 2, 3):
        postfix.send("a@example.com", ["b@example.org"], f"m{number}")
        relay.wait_for(number)
        postfix.wait_until_queue_empty()
        set_token(postfix, kind, number + 1)
    used = [a.login.password for a in relay.attempts]
    assert used == ([last] * 3 if kind == "texthash" else ["t-1", "t-2", "t-3"])
    assert postfix.complaints() == []


@pytest.mark.soak
def test_busy_processes(testbed: Testbed, plugin: Plugin, figures: Figures) -> None:
    """While mail flows, each token that ends is replaced: nothing is deferred, lost or delivered twice."""
    newest = 1
    relay = testbed.relay("a.test", Mode(tokens=lambda _user, token: int(token[2:]) >= newest - _STILL_GOOD))
    postfix = start(testbed, plugin, "cdb")
    renewals = amount(8, 100)
    for _ in range(renewals):
        sender = threading.Thread(target=postfix.send, args=("a@example.com", ["b@example.org"], f"b{newest}", _BURST))
        sender.start()
        # However busy the machine is, no session then has a token of more than two renewals ago.
        relay.wait_for(max(newest - 2, 0) * _BURST)
        set_token(postfix, "cdb", newest + 1)
        newest += 1
        sender.join()
    received = relay.wait_for(renewals * _BURST)
    postfix.wait_until_queue_empty()
    postfix.send("a@example.com", ["b@example.org"], "last")
    relay.wait_for(renewals * _BURST + 1)
    assert len({r.message_id for r in received}) == renewals * _BURST
    assert relay.attempts[-1].login.password == f"t-{newest}"
    assert set(postfix.statuses()) == {"sent"}
    assert postfix.complaints() == []
    figures(renewals, f"tokens replaced while mail flows, {_BURST} messages each")
