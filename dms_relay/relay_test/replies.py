"""The meaning of a server's reply. Pure.

The codes are those of RFC 5321 and RFC 4954, section 6. Services deviate from them, so some texts take precedence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dms_relay.relay_test.outcome import Detail, Failure, StepError

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
#: The login may be right, but this service, or this account, accepts no password. Microsoft 365 says so with 5.7.30, and
#: with 5.7.139, which has other causes too; Google, Yahoo and others in words of their own.
_NO_PASSWORDS = re.compile(
    r"basic auth\w*( \w+){0,3} (disabled|not supported|no longer|blocked|not allowed|deprecated|retired)"
    r"|SmtpClientAuthentication is disabled|smtp auth\w* is (disabled|not enabled)|[45]\.7\.30\b"
    r"|security defaults policy|did not meet the criteria|(must|only|please) use (modern auth|OAuth)|OAuth2? (is )?required"
    r"|less secure app",
    re.IGNORECASE,
)
#: Of these: SMTP AUTH itself is off, for passwords and tokens alike; and Microsoft's refusal of passwords only.
_SMTP_AUTH_OFF = re.compile(r"SmtpClientAuthentication is disabled for the (Tenant|Mailbox)", re.IGNORECASE)
_PASSWORDS_ENDED = re.compile(r"[45]\.7\.30\b")
#: Microsoft's refusals of a sender that is not the mailbox that logged in (5.2.252, 5.7.60).
_SEND_AS = re.compile(r"SendAsDenied|5\.2\.252\b|5\.7\.60\b|permissions? to send as this sender", re.IGNORECASE)
#: 534 means a mechanism that is too weak, but Google means the password (534 5.7.9, 534 5.7.14), as Apple and Yahoo do.
_ANOTHER_PASSWORD = re.compile(
    r"app(lication)?[- ]specific password|app password|log ?in (via|with|through) (your|a) web browser", re.IGNORECASE
)
#: What services say about a wrong login, whatever the code.
_WRONG_LOGIN = re.compile(
    r"(credentials?|user ?name|password|login)( \w+){0,3} (incorrect|invalid|wrong|not (accepted|valid|correct|recognized))"
    r"|(incorrect|invalid|wrong|bad) (user ?name|password|login|credentials?)",
    re.IGNORECASE,
)
_TLS_WANTED = re.compile(
    r"STARTTLS|5\.7\.1[01]\b"
    r"|\b(TLS|SSL|encryption|encrypted connection|secure connection)( \w+)? (required|needed|first|mandatory)"
    r"|requires? (a |an )?(TLS|SSL|encrypt|secure)",
    re.IGNORECASE,
)
_LOGIN_WANTED = re.compile(
    r"5\.7\.57\b|not authenticated|auth(entication|orization)?( is)? (required|needed)|must (authenticate|log ?in)"
    r"|(authenticate|log ?in) first|relay(ing)? (access )?(denied|not (allowed|permitted))|unable to relay",
    re.IGNORECASE,
)
#: What servers say later about the name in EHLO ("Helo command rejected").
_NAME = re.compile(r"\b(HELO|EHLO)\b", re.IGNORECASE)
_BAD_LOGIN = frozenset({"5.7.8", "5.7.3"})
_MECHANISM_CODES = frozenset({504, 534, 538})
#: "Authentication required", "Authentication credentials invalid", "Encryption required" (RFC 4954, section 6).
_WANTS_LOGIN, _WRONG, _WANTS_TLS = 530, 535, 538
#: "Service not available, closing transmission channel" (RFC 5321, section 4.2.2).
CLOSING = 421


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

    @property
    def wants_tls(self) -> bool:
        """Return True if the server wants TLS first."""
        return self.code == _WANTS_TLS or bool(_TLS_WANTED.search(self.text))

    @property
    def wants_login(self) -> bool:
        """Return True if the server wants a login."""
        return self.code == _WANTS_LOGIN or bool(_LOGIN_WANTED.search(self.text))

    @property
    def refuses_name(self) -> bool:
        """Return True if the server does not accept the name of this machine."""
        return bool(_NAME.search(self.text))

    @property
    def refuses_passwords(self) -> bool:
        """Return True if the service, or this account there, accepts no password, right or wrong."""
        return bool(_NO_PASSWORDS.search(self.text))

    @property
    def smtp_auth_is_off(self) -> Detail:
        """The detail if Microsoft 365 accepts no login at all for a mailbox; ``NONE`` otherwise."""
        if found := _SMTP_AUTH_OFF.search(self.text):
            return Detail.SMTP_AUTH_OFF if found[1].casefold() == "mailbox" else Detail.TENANT_SMTP_AUTH_OFF
        return Detail.NONE

    @property
    def why_no_passwords(self) -> Detail:
        """The detail of a refusal of passwords."""
        return self.smtp_auth_is_off or (Detail.PASSWORDS_ENDED if _PASSWORDS_ENDED.search(self.text) else Detail.NONE)

    @property
    def refuses_sender(self) -> bool:
        """Return True if the logged-in user may not send as this sender."""
        return bool(_SEND_AS.search(self.text))


def auth_failure(what: str, reply: Reply, *, in_tls: bool) -> StepError:
    """Return the failure of a login that the server refused."""
    if reply.wants_tls and not in_tls:
        return StepError(Failure.REJECTED, what, reply.text, Detail.TLS_WANTED)
    kind = _kind_of_auth(reply)
    is_temporary = reply.is_temporary and kind is Failure.REJECTED
    detail = reply.why_no_passwords if kind is Failure.MECHANISM else Detail.NONE
    return StepError(kind, what, reply.text, Detail.TEMPORARY if is_temporary else detail)


def _kind_of_auth(reply: Reply) -> Failure:
    if reply.refuses_passwords:
        return Failure.MECHANISM
    if reply.is_temporary:
        return Failure.REJECTED
    if reply.code == _WRONG or reply.enhanced in _BAD_LOGIN:
        return Failure.LOGIN
    if _ANOTHER_PASSWORD.search(reply.text) or _WRONG_LOGIN.search(reply.text):
        return Failure.LOGIN
    return Failure.MECHANISM if reply.code in _MECHANISM_CODES else Failure.REJECTED


def rejected(what: str, reply: Reply, helo: str = "", *, in_tls: bool = False, has_login: bool = False) -> StepError:
    """Return the failure of another step that the server refused. ``helo`` is the name that it was told."""
    if has_login and reply.refuses_passwords:
        return StepError(Failure.MECHANISM, what, reply.text, reply.why_no_passwords)
    detail = Detail.TEMPORARY if reply.is_temporary else Detail.NONE
    if reply.wants_tls and not in_tls:
        detail = Detail.TLS_WANTED
    elif reply.wants_login and not has_login and not reply.wants_tls:
        detail = Detail.LOGIN_WANTED
    elif has_login and reply.refuses_sender:
        detail = Detail.SEND_AS
    elif helo and reply.refuses_name:
        detail = Detail.HELO
    return StepError(Failure.REJECTED, what, reply.text, detail, helo)
