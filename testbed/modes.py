"""What a relay of the testbed offers and demands."""

import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from testbed.ledger import Login


class Tls(Enum):
    """What a relay makes of TLS."""

    NONE = "none"
    OFFERED = "STARTTLS offered"
    DEMANDED = "STARTTLS demanded"
    IMPLICIT = "TLS from the first byte"


class Auth(Enum):
    """What a relay makes of logins."""

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
"""In place of a reply: the relay drops the connection."""


@dataclass(frozen=True)
class Mode:
    """What a relay offers and demands.

    `logins` maps user names to passwords; None takes any login, so that a test
    sees what was offered. Where STARTTLS is offered, AUTH is announced inside
    TLS only. `delay` is the number of seconds before the answer to each
    message, for tests that want mail to be on its way for a while.
    `certificate` says which one is shown where there is TLS.

    What makes a relay an odd one: `greeting` stands in place of its greeting,
    with code; `refusals` are replies to commands, by verb, in place of what it
    would do; `mechanisms` are all that it announces, whether it has them or
    not (it has PLAIN, LOGIN and CRAM-MD5); `auth_reply` is what it says to a
    login that it does not take, where `{password}` and `{encoded}` stand for the
    password that it was offered; `newest_tls` is the newest version of TLS
    that it knows; `names` are the names that it accepts in EHLO.

    With `tokens` it has XOAUTH2 and OAUTHBEARER as well. These are the pairs of
    user name and access token that are good, or a function that says it; both
    are asked at each login, so that a test can revoke a token. `token_refusal`
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
        """Tell whether `login` is a good one here."""
        return self.logins is None or self.logins.get(login.user) == login.password

    def takes_token(self, login: Login) -> bool:
        """Tell whether the access token of `login` is a good one here."""
        if callable(self.tokens):
            return self.tokens(login.user, login.password)
        return (login.user, login.password) in (self.tokens or ())


SUBMISSION = Mode(Tls.DEMANDED, Auth.DEMANDED)
"""A relay service on port 587: 530 for whoever comes without TLS or login."""
SMTPS = Mode(Tls.IMPLICIT, Auth.DEMANDED)
"""A relay service on port 465."""
WORLD = Mode(Tls.OFFERED, Auth.NONE)
"""Somebody's mail server: TLS for those who want it, no logins."""
PLAIN = Mode(Tls.NONE, Auth.NONE)
"""A mail server without TLS."""
STRANGER = Mode(Tls.OFFERED, Auth.OFFERED)
"""A mail server that takes every login it is offered, and writes it down."""
CLEARTEXT_STRANGER = Mode(Tls.NONE, Auth.OFFERED)
"""The same without TLS."""
