"""Tokens that end within seconds, while mail flows: the keeper renews them, and no mail notices."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.amounts import amount

if TYPE_CHECKING:
    from random import Random

    from tests.support.amounts import Figures
    from tests.together.scene import Together

#: Seconds that a token lives: it is renewed after a third of it.
LIFE = 9.0
#: Octets of the longest token that Microsoft is known to issue, and some.
LONG = 8192


@pytest.mark.long
@pytest.mark.soak
def test_expiry_while_mail_flows(together: Together, figures: Figures) -> None:
    """Tokens, short ones and such of 8 KiB, are renewed before they end: no mail is lost, doubled, bounced or put off."""
    renewals, messages = amount(3, 20), amount(200, 2000)
    short, long = together.relay("short"), together.relay("long")
    long.token_size = LONG
    short.lifetime = long.lifetime = LIFE
    together.start()
    first = short.issued[0], long.issued[0]
    reloads = together.postfix.log().count("reload -- version")
    sent = together.send_while(
        lambda: (
            min(len(short.issued), len(long.issued)) <= renewals
            or time.time() < 1 + max(one.expires_at for one in first)
        ),
        messages,
    )
    together.arrived(sent)
    assert set(together.postfix.statuses()) == {"sent"}, together.evidence()
    assert together.postfix.complaints() == []
    assert together.postfix.log().count("reload -- version") == reloads
    for name, server in together.servers.items():
        attempts = together.relays[name].attempts
        assert all(attempt.accepted for attempt in attempts)
        used = {attempt.login.password for attempt in attempts}
        assert used <= {issued.token for issued in server.issued}
        assert len(used) >= renewals
    figures(sent, f"messages over {renewals} renewals of two tokens: none lost, doubled, bounced or deferred")


@pytest.mark.long
@pytest.mark.soak
def test_keeper_is_killed(together: Together, drawn: Random, figures: Figures) -> None:
    """The keeper, and what works for it, is killed at any moment: the next one goes on, and no mail or token is lost."""
    kills = amount(2, 40)
    server = together.relay("relay")
    server.lifetime, server.rotates, server.ends_late = LIFE, True, True
    together.secret_file("relay", "refresh_token_file", server.new_refresh_token("us", "me@relay.test"))
    together.start()
    sent = 0
    for number in range(kills):
        until = time.monotonic() + drawn.uniform(0.1, LIFE / 3)
        while time.monotonic() < until:
            together.send("relay", f"{number}.{sent}")
            sent += 1
            time.sleep(0.1)
        together.keeping.kill_all()
        together.keeping.start()
    issued = len(server.issued)
    while len(server.issued) <= issued:
        together.send("relay", f"end.{sent}")
        sent += 1
        time.sleep(0.1)
    together.arrived(sent)
    assert not together.kept("relay").failure, together.evidence()
    assert together.keeping.health() == ["ok"]
    figures(kills, "kills of the keeper and its children, while mail flows and refresh tokens are replaced")
