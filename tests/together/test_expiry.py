"""Tokens that end within seconds, while mail flows: the keeper renews them, and no mail notices."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.amounts import amount
from tests.together.watching import ArgumentLists

if TYPE_CHECKING:
    from random import Random

    from testbed.token_server import TokenServer
    from tests.support.amounts import Figures
    from tests.together.scene import Together

#: Seconds that a token lives: it is renewed after a third of it.
LIFE = 9.0
#: Seconds by which the clock of an endpoint is off.
CLOCK = 300.0
#: Octets of the longest token that Microsoft is known to issue, and some.
LONG = 8192


@pytest.mark.long
@pytest.mark.soak
def test_expiry_while_mail_flows(together: Together, figures: Figures) -> None:
    """Tokens are renewed before they end: no mail is lost, doubled, bounced or put off, and nobody else sees a secret.

    One relay has tokens of 8 KiB; of two the endpoint's clock is ahead, and behind.
    """
    renewals, messages = amount(3, 20), amount(200, 2000)
    servers = {name: together.relay(name) for name in ("short", "long", "ahead", "behind")}
    for server in servers.values():
        server.lifetime = LIFE
    servers["long"].token_size = LONG
    servers["ahead"].clock_offset, servers["behind"].clock_offset = CLOCK, -CLOCK
    with ArgumentLists() as seen:
        together.start()
        reloads = together.postfix.log().count("reload -- version")
        sent = together.send_while(lambda: any(is_to_go_on(server, renewals) for server in servers.values()), messages)
        together.arrived(sent)
    assert set(together.postfix.statuses()) == {"sent"}, together.evidence()
    assert together.postfix.complaints() == []
    assert together.postfix.log().count("reload -- version") == reloads
    for name, server in servers.items():
        attempts = together.relays[name].attempts
        used = {attempt.login.password for attempt in attempts if attempt.accepted}
        assert len(attempts) == len(together.relays[name].received)
        assert used <= {issued.token for issued in server.issued}
        assert len(used) >= renewals
    together.has_kept_secrets(seen)
    figures(sent, f"messages over {renewals} renewals of four tokens: none lost, doubled, bounced or deferred")


def is_to_go_on(server: TokenServer, renewals: int) -> bool:
    """Return True if there were not so many renewals, or the first token is still good."""
    return len(server.issued) <= renewals or server.now() < server.issued[0].expires_at


@pytest.mark.long
@pytest.mark.soak
def test_keeper_is_killed(together: Together, drawn: Random, figures: Figures) -> None:
    """The keeper, and what works for it, is killed at any moment: the next one goes on, and no mail or token is lost."""
    kills = amount(1, 40)
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
