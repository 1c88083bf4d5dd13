"""The server to which the relays deliver. Accepts every message, and records how it arrived: one line of JSON each.

    python3 upstream.py CERTIFICATE KEY LOGINS RECORDS PROCESSES

Runs in a container of the image itself, with aiosmtpd mounted beside it. It offers TLS, and a login over TLS only, but
requires neither, so that mail in the clear is noticed. LOGINS has a line `USER:PASSWORD` for each accepted login, and is
read at each login; another one gets 535. A line of RECORDS is ``{"id", "host", "queue_id", "tls", "user",
"password", "time"}``: X-Id, and which replica first accepted it under which queue ID, by the last Received header.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session

PORT = 587
#: Maximum connections that wait to be accepted.
BACKLOG = 512
_ID = re.compile(rb"(?im)^X-Id: (\S+)")
_RECEIVED = re.compile(rb"(?im)^\s*by (\S+) \(Postfix\) with \S+ id (\S+)")


class Recorder:
    """Accepts every message, and records it before it confirms."""

    def __init__(self, logins: Path, records: Path) -> None:
        """Set the files."""
        self.logins = logins
        self.records = records.open("a", encoding="utf-8", buffering=1)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Record one message."""
        login, content = session.auth_data, bytes(envelope.original_content or b"")
        *_, (host, queue_id) = _RECEIVED.findall(content) or [(b"", b"")]
        [identity] = _ID.findall(content) or [b""]
        record = {
            "id": identity.decode(),
            "host": host.decode(),
            "queue_id": queue_id.decode(),
            "tls": session.ssl is not None,
            "user": login.login.decode() if isinstance(login, LoginPassword) else None,
            "password": login.password.decode() if isinstance(login, LoginPassword) else None,
            "time": time.time(),
        }
        self.records.write(json.dumps(record) + "\n")
        return "250 2.0.0 written down"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: LoginPassword
    ) -> AuthResult:
        """Accept a login that is in the file."""
        words = f"{login.login.decode()}:{login.password.decode()}"
        is_taken = words in self.logins.read_text("utf-8").splitlines()
        return AuthResult(success=is_taken, handled=False, auth_data=login)


async def serve(certificate: str, key: str, logins: str, records: str) -> None:
    """Serve until killed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    recorder, loop = Recorder(Path(logins), Path(records)), asyncio.get_running_loop()

    def connection() -> SMTP:
        return SMTP(recorder, hostname="relay.test", tls_context=tls, authenticator=recorder.authenticate, loop=loop)

    server = await loop.create_server(connection, host="0.0.0.0", port=PORT, backlog=BACKLOG, reuse_port=True)
    print("the relay is ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    # The kernel gives each process its share of the connections. All end with process 1 of the container.
    for _ in range(1, int(sys.argv[5])):
        if os.fork() == 0:
            break
    asyncio.run(serve(*sys.argv[1:5]))
