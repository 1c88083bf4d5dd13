"""Levels of TLS and kinds of servers, and for each pair what becomes of a message. The same on Postfix 3.7 and 3.10.

Every relay of the table has a login of its own. The servers demand one, and all but `no-tls` announce it inside TLS only,
as real services do. `dane` and `dane-only` find no DNSSEC here, as on most machines.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed import SMTPS, SUBMISSION, Auth, Certificate, Mode, Relay, Tls

KINDS = {
    "starttls": SUBMISSION,
    "implicit": SMTPS,
    "other-name": Mode(certificate=Certificate.OTHER_NAME),
    "expired": Mode(certificate=Certificate.EXPIRED),
    "unknown-ca": Mode(certificate=Certificate.UNKNOWN_AUTHORITY),
    "no-tls": Mode(Tls.NONE, Auth.DEMANDED),
    "auth-refused": Mode(logins={}),
    "failover": SUBMISSION,
}
"""The servers. `failover` is the second of two hosts, of which the first, `down`, does not listen."""
IDN = "xn--bcher-kva.test"
"""A server whose name in the DNS, and in its certificate, is not what a person writes: bücher.test."""
SERVERS = KINDS | {IDN: SUBMISSION}
PORTS = {"implicit": 465}
"""All others have some port."""
PASSWORD = "secret"

Servers = Mapping[str, Relay]


@dataclass(frozen=True)
class Outcome:
    """What becomes of a message."""

    status: str
    """As Postfix logs it: sent, deferred, bounced."""
    says: str
    """A regular expression for the reason that Postfix logs with it."""
    log: str = ""
    """One for a line that it logs before: how far it trusts the server, or what is wrong with the certificate."""
    login: bool = True
    """True if the login was offered to the server, and to no other one."""
    tls: bool = True
    """True if TLS was in use where the login was offered."""


@dataclass(frozen=True)
class Case:
    """One relay of relay.yaml, which leads to one server, and what becomes of a message there."""

    name: str
    kind: str
    tls: Mapping[str, Any]
    outcome: Outcome
    fingerprint_of: str = ""
    """The server whose fingerprint stands under `tls`."""
    by_address: bool = False
    is_ca_named: bool = True
    written: str = ""
    """The host in relay.yaml, where it is not written as the server's name."""

    def relay(self, servers: Servers, ca_file: str) -> dict[str, Any]:
        """Return the relay as it stands in relay.yaml."""
        return {
            "hosts": [*self._down(servers), self._host(servers[self.kind])],
            "login": {"username": self.name, "password": PASSWORD},
            "tls": {**self.tls, **self._trust(servers, ca_file)},
        }

    def _host(self, server: Relay) -> str:
        return f"{server.host if self.by_address else self.written or server.name}:{server.port}"

    def _down(self, servers: Servers) -> list[str]:
        return [self._host(servers["down"])] if self.kind == "failover" else []

    def _trust(self, servers: Servers, ca_file: str) -> dict[str, Any]:
        trust: dict[str, Any] = {"ca_file": ca_file} if self.is_ca_named else {}
        if self.fingerprint_of:
            trust["fingerprints"] = [servers[self.fingerprint_of].fingerprint]
        return trust


def _sent(trust: str) -> Outcome:
    return Outcome("sent", r"250 2\.0\.0 written down", rf"^{trust} TLS connection established to ")


def _refused(says: str, log: str = "") -> Outcome:
    """Return the outcome where Postfix leaves before it offers the login."""
    return Outcome("deferred", says, log, login=False)


def _distrusted(log: str) -> Outcome:
    return _refused(r"^Server certificate not verified$", log)


VERIFIED, TRUSTED, UNTRUSTED = map(_sent, ("Verified", "Trusted", "Untrusted"))
MISMATCH = _distrusted(r"^server certificate verification failed for \S+: num=62:hostname mismatch$")
EXPIRED = _distrusted(r"^server certificate verification failed for \S+: certificate has expired$")
UNKNOWN = _distrusted(r"^certificate verification failed for \S+: untrusted issuer /O=trustme")
OTHER_FINGERPRINT = _distrusted(r"^(Untrusted|Trusted) TLS connection established to ")
NO_TLS = _refused(r"^TLS is required, but was not offered by host no-tls\[\S+\]$")
WRONG_LOGIN = Outcome("deferred", r"^SASL authentication failed; server auth-refused\[\S+\] said: 535 5\.7\.8 ")
CLEARTEXT = Outcome("sent", r"250 2\.0\.0 written down", tls=False)
NO_STARTTLS = Outcome("deferred", r" said: 530 Must issue a STARTTLS command first ", login=False)
NO_DNSSEC = _refused(r"^client TLS configuration problem$", r"dane-only configured with dnssec lookups disabled$")

_CHECKED = dict.fromkeys(KINDS, VERIFIED) | {"no-tls": NO_TLS, "auth-refused": WRONG_LOGIN}
_BY_AUTHORITY = _CHECKED | {"other-name": MISMATCH, "expired": EXPIRED, "unknown-ca": UNKNOWN}
_UNCHECKED = dict.fromkeys(KINDS, TRUSTED) | {
    "expired": UNTRUSTED,
    "unknown-ca": UNTRUSTED,
    "auth-refused": WRONG_LOGIN,
}
_IN_CLEAR = dict.fromkeys(KINDS, NO_STARTTLS)

OUTCOMES = {
    "secure": _BY_AUTHORITY,
    "verify": _BY_AUTHORITY,
    "fingerprint": _CHECKED,
    "encrypt": _UNCHECKED | {"no-tls": NO_TLS},
    "may": _UNCHECKED | {"no-tls": CLEARTEXT},
    "dane": _UNCHECKED | {"no-tls": CLEARTEXT},
    "none": _IN_CLEAR | {"no-tls": CLEARTEXT},
    "dane-only": dict.fromkeys(KINDS, NO_DNSSEC),
}
"""By level, then by kind."""
CLEARTEXT_LEVELS = ("may", "dane", "none")
"""Levels at which a login can travel in the clear: relay.yaml must say that this is meant. They cannot be implicit TLS."""


def _case(level: str, kind: str) -> Case:
    tls: dict[str, Any] = {"level": level}
    if level in CLEARTEXT_LEVELS:
        tls["allow_cleartext_login"] = True
    shown = kind if KINDS[kind].tls is not Tls.NONE else "starttls"
    return Case(f"{level}-{kind}", kind, tls, OUTCOMES[level][kind], shown if level == "fingerprint" else "")


MATRIX = tuple(
    _case(level, kind)
    for level, kinds in OUTCOMES.items()
    for kind in kinds
    if kind != "implicit" or level not in CLEARTEXT_LEVELS
)
MORE = (
    Case("idn", IDN, {}, VERIFIED, written="bücher.test"),
    Case("idn-match", "other-name", {"match": "bücher.test"}, MISMATCH),
    Case("idn-suffix", IDN, {"match": ".Bücher.test"}, MISMATCH, written="bücher.test"),
    Case("left-out-starttls", "starttls", {}, VERIFIED),
    Case("left-out-other-name", "other-name", {}, MISMATCH),
    Case("left-out-no-tls", "no-tls", {}, NO_TLS),
    Case("match-of-other-name", "other-name", {"match": "other.test"}, VERIFIED),
    Case("match-of-nobody", "starttls", {"match": ["nobody.test", ".starttls"]}, MISMATCH),
    Case("verify-match", "other-name", {"level": "verify", "match": "other.test"}, VERIFIED),
    Case("address-and-match", "starttls", {"match": "starttls"}, VERIFIED, by_address=True),
    Case("address-and-fingerprint", "starttls", {}, VERIFIED, fingerprint_of="starttls", by_address=True),
    Case("fingerprint-of-another", "starttls", {"level": "fingerprint"}, OTHER_FINGERPRINT, fingerprint_of="expired"),
    Case("system-authorities", "starttls", {}, UNKNOWN, is_ca_named=False),
    Case("fingerprint-implicit-of-another", "implicit", {}, OTHER_FINGERPRINT, fingerprint_of="starttls"),
)
"""What the keys beside `level` do, and what holds where `level` is left out."""
CASES = (*MATRIX, *MORE)
