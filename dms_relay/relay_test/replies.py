"""The meaning of a server's reply to AUTH. Pure.

The codes are those of RFC 4954, section 6. Services deviate from them, so some texts take precedence over the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dms_relay.relay_test.outcome import Detail, Failure, StepError

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
#: The login may be right, but this service, or this account, accepts no password: Microsoft 365 (550 5.7.30, 535 5.7.139).
_NO_PASSWORDS = re.compile(
    r"basic auth\S* is (disabled|not supported)|SmtpClientAuthentication is disabled|5\.7\.(30|139)\b", re.IGNORECASE
)
#: 534 means a mechanism that is too weak, but Google means the password (534 5.7.9, 534 5.7.14).
_ANOTHER_PASSWORD = re.compile(r"application-specific password|log ?in (via|with) your web browser", re.IGNORECASE)
_BAD_LOGIN = frozenset({"5.7.8", "5.7.3", "5.7.9"})
_MECHANISM_CODES = frozenset({504, 534, 538})
#: "Authentication required" (RFC 4954, section 6).
_LOGIN_WANTED = 530


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of one line or several. ``text`` is safe to show: code and texts, without secrets."""

    code: int
    lines: tuple[str, ...]
    text: str

    @property
    def is_temporary(self) -> bool:
        """Return True if a later attempt may succeed (RFC 5321, section 4.2.1)."""
        return self.code // 100 == 4  # noqa: PLR2004 -- the first digit

    @property
    def is_good(self) -> bool:
        """Return True if the server accepted the command."""
        return self.code // 100 == 2  # noqa: PLR2004 -- the first digit

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463); empty without one."""
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        return found[0] if found else ""


def auth_failure(reply: Reply) -> Failure:
    """Return the class of a reply that refuses AUTH."""
    if reply.is_temporary:
        return Failure.REJECTED
    if _NO_PASSWORDS.search(reply.text):
        return Failure.MECHANISM
    if reply.code == 535 or reply.enhanced in _BAD_LOGIN - {"5.7.9"} or _ANOTHER_PASSWORD.search(reply.text):  # noqa: PLR2004 -- RFC 4954
        return Failure.LOGIN
    return Failure.MECHANISM if reply.code in _MECHANISM_CODES else Failure.REJECTED


def rejected(what: str, reply: Reply) -> StepError:
    """Return the failure of a step that the server refused."""
    detail = (
        Detail.TEMPORARY if reply.is_temporary else Detail.LOGIN_WANTED if reply.code == _LOGIN_WANTED else Detail.NONE
    )
    return StepError(Failure.REJECTED, what, reply.text, detail)
