"""The records of a testbed's relays: connections, offered logins, messages.

One ledger may serve any number of relays, so that one wait covers all of them
and the order of messages across relays is known. The relays' threads write it,
and anybody may read it.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from testbed.patience import PATIENCE


class NotReceivedError(Exception):
    """Fewer messages arrived than expected."""


@dataclass(frozen=True)
class Login:
    """A user name with its password or access token, which `repr` does not show."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Connection:
    """One TCP connection that a relay accepted."""

    relay: str
    number: int
    """Counts the connections of one relay from 1."""
    time: float
    """`time.monotonic()` at the greeting."""


@dataclass(frozen=True)
class Attempt:
    """One login that was offered to a relay, whether accepted or not."""

    relay: str
    login: Login
    accepted: bool
    tls: str | None
    """The TLS version, such as `TLSv1.3`; None in the clear."""
    time: float
    """`time.monotonic()` when it was offered."""
    mechanism: str = ""
    """Its SASL mechanism, such as `XOAUTH2`."""


@dataclass(frozen=True)
class Received:
    """One message that a relay accepted."""

    relay: str
    sender: str
    """The envelope sender; the null sender is `<>`."""
    recipients: tuple[str, ...]
    message_id: str
    """The `X-Id` header; without one, the `Subject` header; else empty."""
    login: Login | None
    """The login of the session; None if nobody logged in."""
    tls: str | None
    """The TLS version, such as `TLSv1.3`; None in the clear."""
    connection: int
    """The number of its connection."""
    time: float
    """`time.monotonic()` at the end of the message."""
    mechanism: str | None = None
    """The SASL mechanism of the login; None if nobody logged in."""

    @property
    def user(self) -> str | None:
        """The user name of the login, if there was one."""
        return self.login.user if self.login else None


class Ledger:
    """Growing lists; reading returns a copy."""

    def __init__(self) -> None:
        """Begin with empty lists."""
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._attempts: list[Attempt] = []
        self._connections: list[Connection] = []
        self._count: Counter[str | None] = Counter()
        self._connection_count: Counter[str] = Counter()

    def add_received(self, item: Received) -> None:
        """Record a message, and wake those who wait for it."""
        with self._changed:
            self._received.append(item)
            self._count.update((item.relay, None))
            self._changed.notify_all()

    def add_attempt(self, item: Attempt) -> None:
        """Record an offered login."""
        with self._changed:
            self._attempts.append(item)

    def add_connection(self, relay: str) -> int:
        """Record a connection to `relay`; return its number."""
        with self._changed:
            self._connection_count[relay] += 1
            number = self._connection_count[relay]
            self._connections.append(Connection(relay, number, time.monotonic()))
            return number

    def received(self, relay: str | None = None) -> tuple[Received, ...]:
        """Return the messages, in the order of arrival; of one relay if named."""
        with self._changed:
            return tuple(r for r in self._received if relay in (None, r.relay))

    def count(self, relay: str | None = None) -> int:
        """Return the number of messages so far."""
        with self._changed:
            return self._count[relay]

    def attempts(self, relay: str | None = None) -> tuple[Attempt, ...]:
        """Return the logins offered, in order; to one relay if named."""
        with self._changed:
            return tuple(a for a in self._attempts if relay in (None, a.relay))

    def connections(self, relay: str | None = None) -> tuple[Connection, ...]:
        """Return the connections, in order; to one relay if named."""
        with self._changed:
            return tuple(c for c in self._connections if relay in (None, c.relay))

    def wait_for(self, count: int, timeout: float = PATIENCE, relay: str | None = None) -> tuple[Received, ...]:
        """Wait until `count` messages have arrived, and return all of them.

        Raises NotReceivedError after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._count[relay] >= count, timeout):
                where = relay or "all relays together"
                msg = f"{where}: {self._count[relay]} of {count} messages after {timeout} s"
                raise NotReceivedError(msg)
        return self.received(relay)

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._received.clear()
            self._attempts.clear()
            self._connections.clear()
            self._count.clear()
