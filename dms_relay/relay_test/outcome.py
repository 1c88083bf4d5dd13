"""The outcome of a test: the classes of failure, the error that carries one, and the result. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dms_relay.relay_test.certificate import Certificate
    from dms_relay.relay_test.targets import Target
    from dms_relay.relay_test.token_facts import TokenFacts

#: The text of a result without a failure.
OK = "ok"


class Failure(StrEnum):
    """The class of a failure, as shown to people."""

    NAME = "name"
    LOOP = "this server itself"
    REFUSED = "refused"
    TIMED_OUT = "timed out"
    BLOCKED = "blocked port"
    UNREACHABLE = "unreachable"
    LOST = "connection lost"
    NOT_SMTP = "not SMTP"
    NO_TLS = "no TLS offered"
    HANDSHAKE = "TLS handshake"
    CERTIFICATE = "certificate"
    IMPLICIT_TLS = "implicit TLS expected"
    STARTTLS = "STARTTLS expected"
    CONFIGURATION = "TLS configuration"
    NOT_CHECKED = "not checked"
    NO_AUTH = "no AUTH offered"
    MECHANISM = "mechanism"
    LOGIN = "wrong login"
    TOKEN = "no token"  # noqa: S105 -- that is what it says
    REJECTED = "rejected"


class Detail(StrEnum):
    """What distinguishes failures of one class whose cause or remedy differs."""

    NONE = ""
    EXPIRED = "expired"
    NAMES = "names"
    FINGERPRINT = "fingerprint"
    AUTHORITIES = "authorities"
    NOT_OURS = "not ours"
    NOT_ALLOWED = "not allowed"
    TEMPORARY = "temporary"
    CLEARTEXT = "cleartext"
    LOGIN_WANTED = "login wanted"
    TLS_WANTED = "TLS wanted"
    TLS_NOT_NOW = "TLS not now"
    NOT_YET = "not yet valid"
    WEAK = "weak"
    INVALID = "invalid"
    NO_PLUGIN = "no plugin"
    NOT_LISTED = "not listed"
    OTHER_MECHANISM = "other mechanism"
    HELO = "helo"
    AT_LOGIN = "at login"
    DNS = "dns"
    DNS_FIRST = "dns first"
    FAMILY = "family"
    NATIVE = "native"
    DNS_OR_NATIVE = "dns or native"
    NO_MX = "no MX lookup"
    SMTP_AUTH_OFF = "SMTP AUTH off"
    PASSWORDS_ENDED = "passwords ended"
    TOKEN_REFUSED = "token refused"  # noqa: S105 -- that is what it says
    NO_PERMISSION = "no permission"
    NOT_REGISTERED = "not registered"
    OTHER_USER = "other user"
    GOOGLE = "google"
    TENANT_SMTP_AUTH_OFF = "SMTP AUTH off in the tenant"
    TOKENS_WANTED = "tokens wanted"
    SEND_AS = "send as"
    NO_TOKEN_MECHANISM = "no token mechanism"  # noqa: S105 -- that is what it says
    NO_TOKEN_PLUGIN = "no token plugin"  # noqa: S105 -- that is what it says
    AS_TOKEN = "as token"  # noqa: S105 -- that is what it says


class StepError(Exception):
    """A step failed. ``what`` says how, in one sentence; ``reply`` is the server's, without secrets.

    ``subject`` is a detail for the remedy.
    """

    def __init__(
        self, kind: Failure, what: str, reply: str = "", detail: Detail = Detail.NONE, subject: str = ""
    ) -> None:
        """Store the parts; none of them contains a password."""
        super().__init__(f"{kind}: {what}")
        self.kind = kind
        self.what = what
        self.reply = reply
        self.detail = detail
        self.subject = subject


@dataclass(slots=True)
class Observations:
    """What was observed about a relay so far. The steps fill it in, so that a failure shows what preceded it.

    ``token_error`` says why there is no access token. With ``is_plugin_missing`` this command can log in with one, and
    Postfix cannot.
    """

    host: str = ""
    ip: str = ""
    port: int = 0
    protocol: str = ""
    cipher: str = ""
    certificate: Certificate | None = None
    mechanism: str = ""
    token: TokenFacts | None = None
    token_error: StepError | None = None
    is_plugin_missing: bool = False
    sent: bool = False
    has_greeted: bool = False
    remarks: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Host and address as Postfix logs them: ``smtp.example.com[192.0.2.1]:587``."""
        return f"{self.host}[{self.ip}]:{self.port}" if self.ip else ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result for one target. ``error`` is ``None`` if all steps succeeded; ``seconds`` is the duration."""

    target: Target
    seen: Observations
    seconds: float
    error: StepError | None = None

    @property
    def host(self) -> str:
        """The connected host; without a connection, the host that the nexthop names."""
        return self.seen.host or self.target.host

    @property
    def shown(self) -> str:
        """``ok``, or the class of the failure."""
        return str(self.error.kind) if self.error else OK
