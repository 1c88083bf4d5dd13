"""How a relay of the testbed handles access tokens: XOAUTH2 (Google's and Microsoft's), and OAUTHBEARER (RFC 7628).

`Mode.token_refusal` says how to refuse an invalid token: with 334, an error in JSON, and 535 after the client's response
(Google), or with 535 at once (Microsoft). A response that violates the mechanism gets 501, so that a test sees it.
"""

from __future__ import annotations

import binascii
import json
import re
import time
from base64 import b64decode
from typing import TYPE_CHECKING

from aiosmtpd.smtp import MISSING, AuthResult

from testbed.ledger import Attempt, Login

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.ledger import Ledger
    from testbed.modes import Mode
    from testbed.session import Session

TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
LONGEST_LINE = 12288
"""Maximum octets of a line (RFC 4954, section 4: 12288, for a response in base64)."""
_XOAUTH2 = re.compile(rb"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01")
_OAUTHBEARER = re.compile(
    rb"n,a=([^,\x01]*),\x01(?:host=[^\x01]+\x01)?(?:port=[0-9]+\x01)?auth=Bearer ([^\x01]*)\x01\x01"
)
_ERROR = {"status": "400", "schemes": "Bearer", "scope": "https://mail.example.test/"}
_REFUSED = "535 5.7.8 Username and Password not accepted. Learn more at https://support.example.test/tokens"
_WRONG = "501 5.5.2 Cannot read the response"


class TokenLogins:
    """The hooks that aiosmtpd calls; their names are its own."""

    _name: str
    mode: Mode
    _ledger: Ledger

    async def auth_XOAUTH2(  # noqa: N802 -- aiosmtpd derives the mechanism's name from it
        self, server: Session, words: list[str]
    ) -> AuthResult:
        """Check a token as Google and Microsoft do."""
        return await self._login(server, words, _read_xoauth2, b"")

    async def auth_OAUTHBEARER(  # noqa: N802 -- the same
        self, server: Session, words: list[str]
    ) -> AuthResult:
        """Check a token as in RFC 7628."""
        return await self._login(server, words, _read_oauthbearer, b"\x01")

    async def _login(
        self, server: Session, words: list[str], read: Callable[[bytes], Login | None], end: bytes
    ) -> AuthResult:
        message = await _message(server, words[1:])
        login = None if message is None else read(message)
        if login is None:
            return AuthResult(success=False, handled=message is None, message=_WRONG)
        taken = self.mode.takes_token(login)
        self._ledger.add_attempt(
            Attempt(self._name, login, taken, server.tls_version(), time.monotonic(), mechanism=words[0])
        )
        server.mechanism = words[0] if taken else None
        return AuthResult(success=True, auth_data=login) if taken else await self._refuse(server, end)

    async def _refuse(self, server: Session, end: bytes) -> AuthResult:
        if self.mode.token_refusal == "334":
            answer = await server.challenge_auth(json.dumps(_ERROR))
            if answer is MISSING or answer != end:
                return AuthResult(success=False, handled=answer is MISSING, message=_WRONG)
        return AuthResult(success=False, handled=False, message=self.mode.auth_reply or _REFUSED)


async def _message(server: Session, initial: list[str]) -> bytes | None:
    """Return what the client sent, at once or after an empty challenge; None if it was refused."""
    if not initial:
        answer = await server.challenge_auth("")
        return None if answer is MISSING else bytes(answer)
    try:
        return b64decode(initial[0], validate=True)
    except binascii.Error:
        await server.push("501 5.5.2 Cannot decode base64")
        return None


def _read_xoauth2(message: bytes) -> Login | None:
    found = _XOAUTH2.fullmatch(message)
    return Login(found[1].decode(), found[2].decode()) if found else None


def _read_oauthbearer(message: bytes) -> Login | None:
    found = _OAUTHBEARER.fullmatch(message)
    if found is None:
        return None
    user = found[1].replace(b"=2C", b",").replace(b"=3D", b"=")
    return Login(user.decode(), found[2].decode())
