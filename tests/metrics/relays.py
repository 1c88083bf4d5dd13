"""Relays that take, put off or refuse a recipient as its name says, and write down what they did."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

from testbed.postfix import free_port
from testbed.testbed import loopback_address

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

#: Replies to a recipient, by the word that its name begins with. One is put off once; then it is taken.
REFUSED, LATER = (
    "550 5.1.1 no such user, status=sent (250 2.0.0 ok)",
    "451 4.7.1 <later>, relay=x, status=bounced (later)",
)


class Relay:
    """One relay; a context manager. ``done`` counts recipients by outcome."""

    def __init__(self, name: str) -> None:
        """Choose an address of its own."""
        self.name = name
        self.done: Counter[str] = Counter()
        self._later: set[str] = set()
        self.host = loopback_address()
        self.port = free_port(self.host)
        self._controller: Controller | None = None

    async def handle_RCPT(  # noqa: N802 -- the library's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[Any]
    ) -> str:
        """Decide by the name."""
        if "refused" in address:
            self.done["bounced"] += 1
            return REFUSED
        if "later" in address and address not in self._later:
            self._later.add(address)
            self.done["deferred"] += 1
            return LATER
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- the library's
        """Write down who has got it."""
        self.done["sent"] += len(envelope.rcpt_tos)
        return "250 2.0.0 OK, status=bounced (dsn=5.0.0)"

    def start(self) -> None:
        """Listen."""
        self._controller = Controller(self, hostname=self.host, port=self.port)
        self._controller.start()

    def stop(self) -> None:
        """Listen no more."""
        if self._controller:
            self._controller.stop()
