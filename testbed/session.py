"""One SMTP session with a relay of the testbed: aiosmtpd, with our rules and records."""

import asyncio
import hmac
import re
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as State

from testbed.ledger import Attempt, Ledger, Login, Received
from testbed.modes import LOST, Auth, Mode
from testbed.tokens import LONGEST_LINE, TOKEN_MECHANISMS, TokenLogins

_CRAM_MD5 = "CRAM-MD5"
_CHALLENGE = b"<1.2@testbed.test>"
_HEADER = re.compile(rb"(?im)^(x-id|subject):[ \t]*(.*?)[ \t]*\r?$")


class Owner(Protocol):
    """Gets notice of sessions; called in the relay's thread."""

    def opened(self, session: "Session") -> int:
        """Register a new session, and return its number."""

    def closed(self, session: "Session") -> None:
        """Unregister a session."""


class Handler(TokenLogins):
    """The hooks that aiosmtpd calls; their names are its own."""

    def __init__(self, name: str, mode: Mode, ledger: Ledger) -> None:
        """Serve the relay called `name`."""
        self._name = name
        self.mode = mode
        self._ledger = ledger

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, state: State, _envelope: Envelope, client: str, lines: list[str]
    ) -> list[str]:
        """Announce AUTH only if this relay has it; refuse a name that it does not accept."""
        if self.mode.names is not None and client not in self.mode.names:
            return [f"550 5.7.1 <{client}>: Helo command rejected: Host not found"]
        state.host_name = client
        if self.mode.auth is Auth.NONE:
            return [line for line in lines if not line.startswith("250-AUTH")]
        if self.mode.mechanisms is not None:
            announced = f"250-AUTH {' '.join(self.mode.mechanisms)}"
            return [announced if line.startswith("250-AUTH") else line for line in lines]
        return lines

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, state: State, envelope: Envelope, sender: str, options: list[str]
    ) -> str:
        """Refuse a client that should have logged in (RFC 4954, section 6)."""
        if self.mode.auth is Auth.DEMANDED and not state.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = sender
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_DATA(  # noqa: N802
        self, server: "Session", state: State, envelope: Envelope
    ) -> str:
        """Record the message."""
        if self.mode.delay:
            await asyncio.sleep(self.mode.delay)
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
            mechanism=server.mechanism if state.authenticated else None,
        )

    def authenticate(
        self,
        server: "Session",
        _state: State,
        _envelope: Envelope,
        mechanism: str,
        data: LoginPassword,
    ) -> AuthResult:
        """Record the offered login, and return the verdict on it."""
        login = Login(data.login.decode(), data.password.decode())
        taken = self.mode.takes(login)
        self._ledger.add_attempt(
            Attempt(
                relay=self._name,
                login=login,
                accepted=taken,
                tls=server.tls_version(),
                time=time.monotonic(),
                mechanism=mechanism,
            )
        )
        server.mechanism = mechanism if taken else None
        return AuthResult(success=taken, handled=False, auth_data=login, message=self._refusal(login, taken=taken))

    def _refusal(self, login: Login, *, taken: bool) -> str | None:
        if taken or not self.mode.auth_reply:
            return None
        encoded = b64encode(login.password.encode()).decode()
        return self.mode.auth_reply.format(password=login.password, encoded=encoded)

    async def auth_CRAM__MD5(  # noqa: N802 -- aiosmtpd derives the mechanism's name from it
        self, server: "Session", _args: list[str]
    ) -> AuthResult:
        """Check a login that does not send the password (RFC 2195); the ledger gets the matching password, or none."""
        answer = await server.challenge_auth(_CHALLENGE)
        if answer is MISSING:
            return AuthResult(success=False)
        user, _, found = bytes(answer).decode().rpartition(" ")
        password = (self.mode.logins or {}).get(user, "")
        fits = hmac.compare_digest(hmac.new(password.encode(), _CHALLENGE, "md5").hexdigest(), found)
        login = Login(user, password if fits else "")
        self._ledger.add_attempt(
            Attempt(self._name, login, fits, server.tls_version(), time.monotonic(), mechanism=_CRAM_MD5)
        )
        server.mechanism = _CRAM_MD5 if fits else None
        return AuthResult(success=fits, handled=False, auth_data=login, message=self._refusal(login, taken=fits))


def excluded(mode: Mode) -> tuple[str, ...]:
    """Return the mechanisms of this module that a relay does not have."""
    cram_md5 = () if mode.mechanisms and _CRAM_MD5 in mode.mechanisms else (_CRAM_MD5,)
    return cram_md5 if mode.tokens is not None else (*cram_md5, *TOKEN_MECHANISMS)


class Session(SMTP):
    """One connection, which registers itself."""

    line_length_limit = LONGEST_LINE

    def __init__(self, owner: Owner, handler: Handler, **arguments: Any) -> None:  # noqa: ANN401
        """Belong to `owner`; `arguments` are aiosmtpd's own."""
        super().__init__(handler, **arguments)
        self._greeting = handler.mode.greeting
        for verb, reply in handler.mode.refusals.items():
            self._smtp_methods[verb] = self._refuse_with(reply)
        self._owner = owner
        self._first_transport: asyncio.BaseTransport | None = None
        self.number = 0
        self.mechanism: str | None = None

    def _refuse_with(self, reply: str) -> Callable[[str | None], Awaitable[None]]:
        async def refuse(_argument: str | None) -> None:
            if reply == LOST:
                self.abort()
            else:
                await self.push(reply)

        return refuse

    async def push(self, status: Any) -> None:  # noqa: ANN401 -- text or octets
        """Send a reply; the first one is the greeting, which a mode may replace."""
        said, self._greeting = self._greeting or status, ""
        await super().push(said)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection; STARTTLS calls this a second time, which does not count."""
        if self._first_transport is None:
            self._first_transport = transport
            self.number = self._owner.opened(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Unregister the connection."""
        self._owner.closed(self)
        super().connection_lost(error)

    def abort(self) -> None:
        """Drop the connection at once, like a server that goes down."""
        if isinstance(self._first_transport, asyncio.WriteTransport):
            self._first_transport.abort()

    def tls_version(self) -> str | None:
        """Return the TLS version in use; None in the clear."""
        if self.transport is None:
            return None
        tls = self.transport.get_extra_info("ssl_object")
        return tls.version() if tls else None


def _message_id(content: bytes) -> str:
    head = content.partition(b"\r\n\r\n")[0]
    found = {name.lower(): value for name, value in _HEADER.findall(head)}
    return bytes(found.get(b"x-id", found.get(b"subject", b""))).decode(errors="replace")
