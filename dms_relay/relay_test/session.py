"""One session with one address: greeting, EHLO, TLS as the level demands, AUTH, an optional message, QUIT.

The order is that of Postfix's SMTP client (smtp_proto.c). A login is sent only after ``_require_level``.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dms_relay.relay_test import tls
from dms_relay.relay_test.connect import connect
from dms_relay.relay_test.connection import SmtpConnection
from dms_relay.relay_test.login import choose, log_in
from dms_relay.relay_test.message import compose, is_address
from dms_relay.relay_test.outcome import Detail, Failure, Observations, StepError
from dms_relay.relay_test.replies import rejected
from dms_relay.relay_test.secrets import Secrets

if TYPE_CHECKING:
    import socket

    from dms_relay.relay_test.replies import Reply
    from dms_relay.relay_test.resolve import HostAddress
    from dms_relay.relay_test.settings import TestSettings
    from dms_relay.relay_test.targets import Target

_READY = 220
_SEND_DATA = 354


class Session:
    """An SMTP session on an open connection. ``with_tls`` permits TLS where the level uses it."""

    def __init__(
        self, sock: socket.socket, target: Target, settings: TestSettings, seen: Observations, *, with_tls: bool = True
    ) -> None:
        """Take a connected socket; ``run`` closes it."""
        self.target = target
        self.demand = target.demand
        self.settings = settings
        self.seen = seen
        self.with_tls = with_tls and self.demand.level != "none"
        self.wire = SmtpConnection(sock, settings.timeout, Secrets(target.entry.login if target.entry else None))
        self.extensions: dict[str, str] = {}
        self.in_tls = False

    def run(self) -> None:
        """Run all steps; raise ``StepError`` at the first one that fails."""
        try:
            if self.demand.implicit:
                self._handshake()
            self._greeting()
            self._ehlo()
            if self.with_tls and not self.in_tls:
                self._starttls()
            self._log_in()
            self._send()
            self._quit()
        finally:
            self.wire.socket.close()

    def _greeting(self) -> None:
        reply = self.wire.read("greeting")
        self.seen.has_greeted = True
        if reply.code != _READY:
            raise rejected("the server refuses the connection in its greeting", reply)

    def _ehlo(self) -> None:
        reply = self.wire.ask(f"EHLO {self.settings.helo}", "EHLO")
        self.extensions = _extensions(reply)
        if not reply.is_good and not self.wire.ask(f"HELO {self.settings.helo}", "HELO").is_good:
            raise rejected(f"the server refused EHLO {self.settings.helo}", reply)

    def _starttls(self) -> None:
        reply: Reply | None = None
        if "STARTTLS" in self.extensions:
            reply = self.wire.ask("STARTTLS", "STARTTLS")
            if reply.code == _READY:
                self._handshake()
                self._ehlo()
                return
        what = "the server refused STARTTLS" if reply else "the server does not offer STARTTLS"
        if self.demand.needs_tls:
            raise StepError(Failure.NO_TLS, what, reply.text if reply else "")
        self.seen.remarks.append(f"{what}; level {self.demand.level} permits mail in the clear")

    def _handshake(self) -> None:
        try:
            inside = tls.handshake(
                self.wire.socket,
                self.target,
                self.seen,
                self.settings.timeout,
                is_verified=self.demand.asks_authorities,
            )
        except OSError as error:
            raise tls.explain(error, self.settings.timeout) from None
        self.wire.take_over(inside)
        self.in_tls = True
        tls.check(inside, self.target, self.seen)

    def _log_in(self) -> None:
        if self.demand.level == "dane-only":
            raise StepError(
                Failure.NOT_CHECKED, "level dane-only needs TLSA records, which this command does not look up"
            )
        offered = tuple(self.extensions.get("AUTH", "").split())
        if self.target.entry is None:
            if offered:
                self.seen.remarks.append("the server offers AUTH, but no login is set for this relay")
            if self.demand.level == "dane":
                self.seen.remarks.append("TLSA records are not looked up here: with one, Postfix demands more")
            return
        self._require_level()
        if not offered:
            where = "inside TLS" if self.in_tls else "in the clear"
            detail = Detail.NONE if self.in_tls else Detail.CLEARTEXT
            raise StepError(Failure.NO_AUTH, f"the server does not offer AUTH {where}", detail=detail)
        usable = self.demand.mechanisms if self.in_tls else self.demand.mechanisms_in_clear
        self.seen.mechanism = choose(offered, usable)
        log_in(self.wire, self.target.entry.login, self.seen.mechanism)

    def _require_level(self) -> None:
        """Raise ``StepError`` unless the session has the TLS level that the login needs."""
        if self.demand.level == "dane":
            raise StepError(
                Failure.NOT_CHECKED,
                "level dane needs TLSA records, which this command does not look up: no login was sent",
            )
        if not self.in_tls and (self.demand.needs_tls or not self.demand.cleartext_login):
            what = "the login was not sent, because the connection has no TLS"
            raise StepError(Failure.NO_TLS, what, detail=Detail.CLEARTEXT)

    def _send(self) -> None:
        recipient = self.settings.send_to
        if recipient is None or not self.target.sends:
            return
        sender = self.settings.send_from or self.target.sender or f"postmaster@{self.settings.helo}"
        if not is_address(sender):
            raise StepError(Failure.REJECTED, "the sender's address cannot be used in a test message")
        self._command(f"MAIL FROM:<{sender}>", f"MAIL FROM:<{sender}>")
        self._command(f"RCPT TO:<{recipient}>", f"RCPT TO:<{recipient}>")
        self._command("DATA", "DATA", good=_SEND_DATA)
        message = compose(self.target, sender, recipient, self.settings.helo, datetime.now(UTC))
        self.wire.send(message, "the message")
        self._command(".", "the message")
        self.seen.sent = True

    def _command(self, line: str, what: str, good: int = 0) -> None:
        reply = self.wire.ask(line, what)
        if reply.code != good if good else not reply.is_good:
            raise rejected(f"the server refused {what}", reply)

    def _quit(self) -> None:
        with suppress(StepError):
            self.wire.ask("QUIT", "QUIT")


def _extensions(reply: Reply) -> dict[str, str]:
    """Return the extensions that EHLO lists, with their parameters; ``AUTH=`` is how old servers write it."""
    found: dict[str, str] = {}
    for line in reply.lines[1:] if reply.is_good else ():
        name, _, rest = line.upper().replace("AUTH=", "AUTH ").partition(" ")
        found[name] = f"{found.get(name, '')} {rest}".strip()
    return found


def look_at_certificate(address: HostAddress, target: Target, settings: TestSettings, seen: Observations) -> None:
    """Connect again to read a certificate that did not pass, so that it can be shown; failures are ignored."""
    with suppress(OSError, StepError):
        wire = SmtpConnection(connect(address, settings.timeout), settings.timeout, Secrets())
        try:
            if not target.demand.implicit:
                wire.read("greeting")
                wire.ask(f"EHLO {settings.helo}", "EHLO")
                wire.ask("STARTTLS", "STARTTLS")
            wire.take_over(tls.handshake(wire.socket, target, seen, settings.timeout, is_verified=False))
        finally:
            wire.socket.close()
