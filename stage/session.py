"""One SMTP session with a relay of the stage: aiosmtpd, our rules, our notes."""

import asyncio
import re
import time
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as State

from stage.ledger import Attempt, Ledger, Login, Received
from stage.modes import Auth, Mode

_HEADER = re.compile(rb"(?im)^(x-id|subject):[ \t]*(.*?)[ \t]*\r?$")


class Owner(Protocol):
    """Whoever wants to know of sessions; called in the relay's thread."""

    def opened(self, session: "Session") -> int:
        """Take note of a new session, and give it a number."""

    def closed(self, session: "Session") -> None:
        """Take note of its end."""


class Handler:
    """The hooks that aiosmtpd calls; their names are its own."""

    def __init__(self, name: str, mode: Mode, ledger: Ledger) -> None:
        """Serve the relay called `name`."""
        self._name = name
        self._mode = mode
        self._ledger = ledger

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, state: State, _envelope: Envelope, client: str, lines: list[str]
    ) -> list[str]:
        """Announce AUTH only where this relay has it."""
        state.host_name = client
        if self._mode.auth is Auth.NONE:
            return [line for line in lines if not line.startswith("250-AUTH")]
        return lines

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, state: State, envelope: Envelope, sender: str, options: list[str]
    ) -> str:
        """Refuse whoever should have logged in (RFC 4954, section 6)."""
        if self._mode.auth is Auth.DEMANDED and not state.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = sender
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_DATA(  # noqa: N802
        self, server: "Session", state: State, envelope: Envelope
    ) -> str:
        """Write the message down."""
        if self._mode.delay:
            await asyncio.sleep(self._mode.delay)
        self._ledger.add_received(self._note(server, state, envelope))
        return "250 2.0.0 written down"

    def _note(self, server: "Session", state: State, envelope: Envelope) -> Received:
        return Received(
            relay=self._name,
            sender=envelope.mail_from or "<>",
            recipients=tuple(envelope.rcpt_tos),
            message_id=_message_id(bytes(envelope.original_content or b"")),
            login=state.auth_data if state.authenticated else None,
            tls=server.tls_version(),
            connection=server.number,
            time=time.monotonic(),
        )

    def authenticate(
        self,
        server: "Session",
        _state: State,
        _envelope: Envelope,
        _mechanism: str,
        data: LoginPassword,
    ) -> AuthResult:
        """Write the offered login down, and say whether it is taken."""
        login = Login(data.login.decode(), data.password.decode())
        taken = self._mode.takes(login)
        self._ledger.add_attempt(
            Attempt(
                relay=self._name,
                login=login,
                accepted=taken,
                tls=server.tls_version(),
                time=time.monotonic(),
            )
        )
        return AuthResult(success=taken, handled=False, auth_data=login)


class Session(SMTP):
    """One connection, which counts itself."""

    def __init__(self, owner: Owner, handler: Handler, **arguments: Any) -> None:  # noqa: ANN401
        """Belong to `owner`; `arguments` are aiosmtpd's own."""
        super().__init__(handler, **arguments)
        self._owner = owner
        self._first_transport: asyncio.BaseTransport | None = None
        self.number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it; STARTTLS comes here a second time, and counts no more."""
        if self._first_transport is None:
            self._first_transport = transport
            self.number = self._owner.opened(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._owner.closed(self)
        super().connection_lost(error)

    def abort(self) -> None:
        """Drop the connection at once, as a server that goes down does."""
        if isinstance(self._first_transport, asyncio.WriteTransport):
            self._first_transport.abort()

    def tls_version(self) -> str | None:
        """Give the version of TLS that is in use; None in the clear."""
        if self.transport is None:
            return None
        tls = self.transport.get_extra_info("ssl_object")
        return tls.version() if tls else None


def _message_id(content: bytes) -> str:
    head = content.partition(b"\r\n\r\n")[0]
    found = {name.lower(): value for name, value in _HEADER.findall(head)}
    return bytes(found.get(b"x-id", found.get(b"subject", b""))).decode(errors="replace")
