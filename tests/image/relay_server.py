"""The relay that the containers deliver to: demands TLS and a login, and prints each message as a line of JSON.

Runs in a container of the image itself, with aiosmtpd mounted beside it: ``relay_server.py CERTIFICATE KEY``. Any login
will do; which one came is in the line: ``{"from", "to", "login", "tls", "text"}``. It is a name server, too, of which no
name is known: a network without a way out may have none that says so.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session

PORT = 587
#: Where a name server is, the length of the header of its messages, and what says that there is no such name (RFC 1035,
#: section 4.1.1; RCODE 3).
DNS_PORT, DNS_HEADER = 53, 12
NO_SUCH_NAME = bytes.fromhex("8183 0001 0000 0000 0000")


class Recorder:
    """Takes every message and prints it."""

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Print one message."""
        login, content = session.auth_data, envelope.content
        record = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "login": [login.login.decode(), login.password.decode()] if isinstance(login, LoginPassword) else None,
            "tls": session.ssl is not None,
            "text": content.decode("utf-8", "replace") if isinstance(content, bytes) else content,
        }
        print(json.dumps(record), flush=True)
        return "250 taken"


class NoNames(asyncio.DatagramProtocol):
    """Answers each question with: there is no such name."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Keep the way back."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Repeat the question, which ends 4 octets after the empty label of its name, without what may follow."""
        end = data.index(0, DNS_HEADER) + 1 + 4
        self.transport.sendto(data[:2] + NO_SUCH_NAME + data[DNS_HEADER:end], addr)


def let_in(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: object) -> AuthResult:
    """Take any login."""
    return AuthResult(success=True, auth_data=login)


async def serve(certificate: str, key: str) -> None:
    """Serve until killed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()

    def connection() -> SMTP:
        return SMTP(
            Recorder(),
            hostname="relay.test",
            tls_context=tls,
            require_starttls=True,
            authenticator=let_in,
            auth_required=True,
            loop=loop,
        )

    await loop.create_datagram_endpoint(NoNames, ("0.0.0.0", DNS_PORT))
    server = await loop.create_server(connection, host="0.0.0.0", port=PORT)
    print("the relay is ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:3]))
