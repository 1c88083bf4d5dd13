"""Real SMTP relays on loopback, which record what they receive.

A relay is aiosmtpd in its own thread. Its `Mode` says what it requires.

Known limits: no SMTPUTF8, no PIPELINING; the only login mechanisms are PLAIN,
LOGIN, and if a mode asks for them CRAM-MD5, XOAUTH2 and OAUTHBEARER; a relay
that starts with port 0 keeps its port, but another program may take that port
while the relay is stopped.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Self

from testbed import evidence
from testbed.certificates import Authority, ServerTls, anonymous, limit
from testbed.ledger import Attempt, Connection, Ledger, Received
from testbed.modes import SUBMISSION, Certificate, Mode, Tls
from testbed.patience import PATIENCE
from testbed.session import Handler, Session, excluded

_BACKLOG = 512
"""Maximum connections that wait to be accepted, for bursts under load."""
_OTHER_NAME = "other.test"
"""The name in a certificate that is not for its relay."""
_FEW_DAYS = 5
"""Days until expiry of a certificate that is about to expire."""
_BITS = {Certificate.RSA_1024: 1024, Certificate.RSA_512: 512}
"""Lengths of keys that are too short by today's standards."""


class Relay:
    """An SMTP relay on `host`; a context manager, or start and stop."""

    def __init__(  # noqa: PLR0913 -- each is one property of the relay
        self,
        name: str,
        mode: Mode = SUBMISSION,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        authority: Authority | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """Prepare a relay; port 0 takes a free one at the first start."""
        self.name = name
        self.mode = mode
        self.host = host
        self.port = port
        self.ledger = ledger or Ledger()
        self._tls = self._server_tls(authority)
        self._handler = Handler(name, mode, self.ledger)
        self._open: set[Session] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None

    def _server_tls(self, authority: Authority | None) -> ServerTls | None:
        certificate = self.mode.certificate
        if self.mode.tls is Tls.NONE:
            return None
        if authority is None or certificate is Certificate.UNKNOWN_AUTHORITY:
            authority = Authority()
        if certificate is Certificate.NONE:
            return anonymous()
        names = (_OTHER_NAME,) if certificate is Certificate.OTHER_NAME else (self.name, self.host)
        days = _FEW_DAYS if certificate is Certificate.EXPIRING else None
        made = authority.server(
            *names,
            expired=certificate is Certificate.EXPIRED,
            days=days,
            not_yet=certificate is Certificate.NOT_YET,
            bits=_BITS.get(certificate),
        )
        if self.mode.newest_tls is not None:
            limit(made.context, self.mode.newest_tls)
        return made

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint of its certificate; empty without TLS."""
        return self._tls.fingerprint if self._tls else ""

    @property
    def nexthop(self) -> str:
        """The relay in Postfix's syntax, by address: `[127.0.0.1]:587`."""
        return f"[{self.host}]:{self.port}"

    @property
    def received(self) -> tuple[Received, ...]:
        """The messages that this relay accepted, in order."""
        return self.ledger.received(self.name)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The logins that this relay was offered, in order."""
        return self.ledger.attempts(self.name)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that this relay accepted, in order."""
        return self.ledger.connections(self.name)

    @property
    def running(self) -> bool:
        """Return True if it listens."""
        return self._server is not None

    def wait_for(self, count: int, timeout: float = PATIENCE) -> tuple[Received, ...]:
        """Wait for `count` messages at this relay; see `Ledger.wait_for`."""
        return self.ledger.wait_for(count, timeout, self.name)

    def start(self) -> Self:
        """Listen. Raises OSError if the port is taken."""
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, daemon=True)
        self._thread.start()
        self._loop = loop
        try:
            self._run(self._listen())
        except BaseException:
            self._end_loop()
            raise
        evidence.watch(self, f"Relay {self.name} at {self.host}:{self.port}", self._evidence)
        return self

    def stop(self) -> None:
        """Stop listening and drop every open connection; a second call does no harm."""
        evidence.end(self)
        if self._loop is None:
            return
        try:
            self._run(self._shut())
        finally:
            self._end_loop()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _evidence(self) -> str:
        """Return its last records."""
        return evidence.last_records(connections=self.connections, attempts=self.attempts, received=self.received)

    def opened(self, session: Session) -> int:
        """Register a new session, which calls this in the relay's thread."""
        self._open.add(session)
        return self.ledger.add_connection(self.name)

    def closed(self, session: Session) -> None:
        """Unregister a session, which calls this in the relay's thread."""
        self._open.discard(session)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            self._session,
            self.host,
            self.port,
            backlog=_BACKLOG,
            ssl=self._tls.context if self._tls and self.mode.tls is Tls.IMPLICIT else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _session(self) -> Session:
        return Session(
            self,
            self._handler,
            hostname=self.name,
            ident="testbed",
            loop=self._loop,
            tls_context=self._tls.context if self._tls and self.mode.starttls else None,
            require_starttls=self.mode.tls is Tls.DEMANDED,
            auth_require_tls=self.mode.starttls,
            authenticator=self._handler.authenticate,
            auth_exclude_mechanism=excluded(self.mode),
        )

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in tuple(self._open):
            session.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end_loop(self) -> None:
        loop, thread = self._loop, self._thread
        self._server = self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()
