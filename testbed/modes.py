"""What a relay of the testbed offers and requires."""

import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from testbed.ledger import Login


class Tls(Enum):
    """How a relay handles TLS."""

    NONE = "none"
    OFFERED = "STARTTLS offered"
    DEMANDED = "STARTTLS demanded"
    IMPLICIT = "TLS from the first byte"


class Auth(Enum):
    """How a relay handles logins."""

    NONE = "none"
    OFFERED = "offered"
    DEMANDED = "demanded"


class Certificate(Enum):
    """Which certificate a relay shows."""

    GOOD = "for its own name and address"
    OTHER_NAME = "for another name"
    EXPIRED = "expired"
    UNKNOWN_AUTHORITY = "of an authority that nobody knows"
    EXPIRING = "expires in a few days"
    NOT_YET = "not valid yet"
    RSA_1024 = "with an RSA key of 1024 bits"
    RSA_512 = "with an RSA key of 512 bits"
    NONE = "none at all: ciphers without one, up to TLSv1.2"


LOST = "(the connection is lost)"
"""Instead of a reply, the relay drops the connection."""


@dataclass(frozen=True)
class Mode:
    """What a relay offers and demands.

    `logins` maps user names to passwords; None accepts any login, so that a
    test sees what was offered. If STARTTLS is offered, AUTH is announced only
    inside TLS. `delay` is the number of seconds before the answer to each
    message, for tests that need mail to be in transit for a while.
    `certificate` says which one is shown with TLS.

    Oddities of a relay: `greeting` replaces its greeting, with code; `refusals`
    are replies to commands, by verb, instead of its usual ones; `mechanisms`
    are all that it announces, whether it has them or not (it has PLAIN, LOGIN
    and CRAM-MD5); `auth_reply` is its reply to a login that it refuses, in
    which `{password}` and `{encoded}` stand for the offered password;
    `newest_tls` is the newest version of TLS that it supports; `names` are the
    names that it accepts in EHLO.

    With `tokens` it has XOAUTH2 and OAUTHBEARER as well. These are the valid
    pairs of user name and access token, or a function that decides; both are
    evaluated at each login, so that a test can revoke a token. `token_refusal`
    is how it refuses another one: "334" with an error in JSON first, or "535".
    """

    tls: Tls = Tls.DEMANDED
    auth: Auth = Auth.DEMANDED
    logins: Mapping[str, str] | None = None
    delay: float = 0.0
    certificate: Certificate = Certificate.GOOD
    greeting: str = ""
    refusals: Mapping[str, str] = field(default_factory=dict, hash=False)
    mechanisms: tuple[str, ...] | None = None
    auth_reply: str = ""
    newest_tls: ssl.TLSVersion | None = None
    names: frozenset[str] | None = None
    tokens: Collection[tuple[str, str]] | Callable[[str, str], bool] | None = field(default=None, hash=False)
    token_refusal: str = "334"

    @property
    def starttls(self) -> bool:
        """Return True if STARTTLS is announced."""
        return self.tls in {Tls.OFFERED, Tls.DEMANDED}

    def takes(self, login: Login) -> bool:
        """Return True if `login` is valid here."""
        return self.logins is None or self.logins.get(login.user) == login.password

    def takes_token(self, login: Login) -> bool:
        """Return True if the access token of `login` is valid here."""
        if callable(self.tokens):
            return self.tokens(login.user, login.password)
        return (login.user, login.password) in (self.tokens or ())


SUBMISSION = Mode(Tls.DEMANDED, Auth.DEMANDED)
"""A relay service on port 587: 530 without TLS or login."""
SMTPS = Mode(Tls.IMPLICIT, Auth.DEMANDED)
"""A relay service on port 465."""
WORLD = Mode(Tls.OFFERED, Auth.NONE)
"""An ordinary mail server: TLS is optional, no logins."""
PLAIN = Mode(Tls.NONE, Auth.NONE)
"""A mail server without TLS."""
STRANGER = Mode(Tls.OFFERED, Auth.OFFERED)
"""A mail server that accepts every login, and records it."""
CLEARTEXT_STRANGER = Mode(Tls.NONE, Auth.OFFERED)
"""The same without TLS."""
