"""One session with one address: greeting, EHLO, TLS as the level demands, AUTH, MAIL FROM, an optional message, QUIT.

The order is that of Postfix's SMTP client (smtp_proto.c). A login is sent only after ``_require_level``.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dms_relay.model import NULL_SENDER
from dms_relay.model.oauth2 import NO_TOKEN
from dms_relay.relay_test import tls
from dms_relay.relay_test.connect import connect
from dms_relay.relay_test.connection import SmtpConnection
from dms_relay.relay_test.login import log_in, log_in_with_token
from dms_relay.relay_test.loops import LOOP_PORT, refuse_own_name
from dms_relay.relay_test.mechanisms import choose, choose_for_token, has_plugin
from dms_relay.relay_test.message import compose, is_address
from dms_relay.relay_test.outcome import Detail, Failure, Observations, StepError
from dms_relay.relay_test.replies import CLOSING, rejected
from dms_relay.relay_test.secrets import Secrets, printable
from dms_relay.relay_test.token_facts import TokenFacts

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from dms_relay.model import Login
    from dms_relay.relay_test.replies import Reply
    from dms_relay.relay_test.resolve import HostAddress
    from dms_relay.relay_test.settings import TestSettings
    from dms_relay.relay_test.targets import Target

_READY = 220
_SEND_DATA = 354
#: Replies to an unknown command (RFC 5321, section 4.2.2).
_UNKNOWN_COMMAND = frozenset({500, 502})


class Session:
    """An SMTP session on an open connection. ``with_tls`` permits TLS if the level uses it."""

    def __init__(
        self, sock: socket.socket, target: Target, settings: TestSettings, seen: Observations, *, with_tls: bool = True
    ) -> None:
        """Wrap a connected socket; ``run`` closes it."""
        self.target = target
        self.demand = target.demand
        self.settings = settings
        self.seen = seen
        self.with_tls = with_tls and self.demand.level != "none"
        secrets = Secrets(target.entry.login if target.entry else None)
        self.wire = SmtpConnection(sock, settings.timeout, secrets, settings.deadline)
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
            if self.settings.send_to is not None and self.target.sends:
                self._send(self.settings.send_to)
            else:
                self._try_sender()
            self._require_plugin()
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
        if not reply.is_good:
            self._helo(reply)
        elif self.target.port == LOOP_PORT:
            refuse_own_name(reply, self.settings)

    def _helo(self, refusal: Reply) -> None:
        """Send HELO if EHLO was refused, but not after 421, which ends the session (smtp_proto.c)."""
        helo = self.settings.helo
        with suppress(StepError):
            reply = refusal if refusal.code == CLOSING else self.wire.ask(f"HELO {helo}", "HELO")
            if reply.is_good:
                return
            refusal = reply if refusal.code in _UNKNOWN_COMMAND else refusal
        what = f"the server refused EHLO {helo}"
        if refusal.wants_tls and not self.in_tls:
            raise rejected(what, refusal)
        raise StepError(Failure.REJECTED, what, refusal.text, Detail.HELO, printable(helo))

    def _starttls(self) -> None:
        reply: Reply | None = None
        if "STARTTLS" in self.extensions:
            reply = self.wire.ask("STARTTLS", "STARTTLS")
            if reply.code == _READY:
                self._handshake()
                self._ehlo()
                return
        what = "the server refused STARTTLS" if reply else "the server does not offer STARTTLS"
        if reply and (reply.code == CLOSING or (reply.is_temporary and self.demand.needs_tls)):
            raise StepError(Failure.REJECTED, what, reply.text, Detail.TLS_NOT_NOW)
        if self.demand.needs_tls:
            raise StepError(Failure.NO_TLS, what, reply.text if reply else "")
        self.seen.remarks.append(f"{what}; level {self.demand.level} permits mail in the clear")

    def _handshake(self) -> None:
        try:
            inside = tls.handshake(
                self.wire.socket,
                self.target,
                self.seen,
                self.settings.left,
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
        if self.target.entry.login.oauth2:
            self._log_in_with_token(offered, self.target.entry.login)
            return
        self.seen.mechanism = choose(offered, self.demand, in_tls=self.in_tls)
        log_in(self.wire, self.target.entry.login, self.seen.mechanism, in_tls=self.in_tls)

    def _log_in_with_token(self, offered: Sequence[str], login: Login) -> None:
        """Send the access token, if there is one, even if Postfix lacks the plugin for it: that is reported at the end."""
        self.seen.mechanism = choose_for_token(offered, self.demand, in_tls=self.in_tls)
        self.seen.is_plugin_missing = not has_plugin(self.seen.mechanism, self.demand)
        if self.seen.token_error or login.password == NO_TOKEN:
            raise self.seen.token_error or StepError(Failure.TOKEN, "there is no access token")
        place = (self.target.host, self.target.port)
        log_in_with_token(self.wire, login, self.seen.mechanism, place, self.seen.token or TokenFacts())

    def _require_plugin(self) -> None:
        """Raise ``StepError`` if this command can log in, and Postfix cannot."""
        if self.seen.is_plugin_missing:
            what = f"the server accepted the access token, but Cyrus SASL has no plugin for {self.seen.mechanism}"
            raise StepError(Failure.MECHANISM, what, detail=Detail.NO_TOKEN_PLUGIN)

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

    @property
    def _sender(self) -> str:
        """The envelope sender without ``<>``, so that the null sender is empty."""
        sender = self.settings.send_from or self.target.sender or f"postmaster@{self.settings.helo}"
        return "" if sender == NULL_SENDER else sender

    def _try_sender(self) -> None:
        """Send MAIL FROM and RSET, which sends no message: many servers say only here that they want a login.

        The refusal of a sender that no configuration names is only a remark.
        """
        sender = self._sender
        if sender and not is_address(sender):
            return
        reply = self.wire.ask(f"MAIL FROM:<{sender}>", f"MAIL FROM:<{sender}>")
        if not reply.is_good:
            refused = self._refused(f"MAIL FROM:<{sender}>", reply)
            is_of_sender = refused.kind is Failure.REJECTED and refused.detail in {Detail.NONE, Detail.TEMPORARY}
            if self.target.sender or reply.code == CLOSING or not is_of_sender:
                raise refused
            self.seen.remarks.append(f"{refused.what}, which no configuration names as a sender: {reply.text}")
        with suppress(StepError):
            self.wire.ask("RSET", "RSET")

    def _send(self, recipient: str) -> None:
        sender = self._sender
        if sender and not is_address(sender):
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
            raise self._refused(what, reply)

    def _refused(self, what: str, reply: Reply) -> StepError:
        has_login = self.target.entry is not None
        helo = printable(self.settings.helo)
        return rejected(f"the server refused {what}", reply, helo, in_tls=self.in_tls, has_login=has_login)

    def _quit(self) -> None:
        with suppress(StepError):
            self.wire.ask("QUIT", "QUIT")


def _extensions(reply: Reply) -> dict[str, str]:
    """Return the extensions that EHLO lists, with their parameters; old servers write ``AUTH=``."""
    found: dict[str, str] = {}
    for line in reply.lines[1:] if reply.is_good else ():
        name, _, rest = line.upper().replace("AUTH=", "AUTH ").partition(" ")
        found[name] = f"{found.get(name, '')} {rest}".strip()
    return found


def look_at_certificate(address: HostAddress, target: Target, settings: TestSettings, seen: Observations) -> None:
    """Connect again to read a rejected certificate, so that it can be shown; ignores failures."""
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
