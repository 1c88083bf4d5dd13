"""Relays, a Postfix instance and what they share, in one context manager.

    with Stage() as testbed:
        relay = testbed.relay("relay-a")
        postfix = testbed.postfix({"relayhost": relay.nexthop, ...})
        postfix.send("a@example.com", ["b@world.test"], "first")
        testbed.ledger.wait_for(1)

At the end Postfix stops first, so that nothing is deferred during the shutdown.
"""

import ipaddress
import random
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from testbed.certificates import Authority
from testbed.ledger import Ledger
from testbed.modes import SUBMISSION, WORLD, Mode
from testbed.postfix import Postfix
from testbed.relays import Relay

_FIRST = int(ipaddress.IPv4Address("127.1.0.1"))
_LAST = int(ipaddress.IPv4Address("127.254.255.254"))


def loopback_address() -> str:
    """Return a random address of 127.0.0.0/8, so that fixed ports do not clash."""
    return str(ipaddress.IPv4Address(random.randint(_FIRST, _LAST)))  # noqa: S311


class Testbed:
    """One authority, one ledger, and everything started on them."""

    def __init__(self) -> None:
        """Prepare an empty testbed."""
        self.authority = Authority()
        self.ledger = Ledger()
        self.relays: dict[str, Relay] = {}
        self._world_port: int | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything, in reverse order."""
        self._stack.close()

    def relay(self, name: str, mode: Mode = SUBMISSION, port: int = 0) -> Relay:
        """Start a relay at its own address, and give that address the name."""
        relay = Relay(
            name,
            mode,
            host=loopback_address(),
            port=port,
            authority=self.authority,
            ledger=self.ledger,
        )
        self.relays[name] = self._stack.enter_context(relay)
        return relay

    def world(self, name: str = "world.test", mode: Mode = WORLD) -> Relay:
        """Start the mail server of domain `name`, for mail that goes directly."""
        world = self.relay(name, mode)
        self._world_port = world.port
        return world

    def postfix(self, settings: Mapping[str, str] | None = None, *, start: bool = True) -> Postfix:
        """Create an instance that knows the relays' names, and start it.

        With `start=False` it is only created; it is stopped and removed anyway.
        """
        postfix = Postfix(
            settings=settings,
            hosts={name: relay.host for name, relay in self.relays.items()},
            world_port=self._world_port,
            authority=self.authority,
        )
        self._stack.push(postfix)
        if start:
            postfix.start()
        return postfix
