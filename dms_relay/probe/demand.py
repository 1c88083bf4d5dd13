"""What is demanded of TLS at a relay, with everything that main.cf adds to it. Pure.

The rules are those of Postfix's SMTP client (TLS_README, "Client TLS security levels"; postconf(5), ``smtp_tls_…``).

Known limits: ``smtp_tls_per_site``, which is obsolete, does not count; nor do the ciphers and ``tafile`` of a policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dms_relay.model import AUTHORITY_LEVELS, SYSTEM_AUTHORITIES, TLS_LEVELS
from dms_relay.relays import CLEARTEXT_LEVELS
from dms_relay.tls_policy import level_for_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.relays import Tls

#: The versions of TLS that there are, weakest first, as OpenSSL and Postfix write them.
PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
#: What certificates are matched with where nothing else is said (postconf(5), smtp_tls_{secure,verify}_cert_match).
_MATCH = {"secure": ("nexthop", "dot-nexthop"), "verify": ("hostname",)}
_DEFAULT_PROTOCOLS = ">=TLSv1"  # postconf -d, Postfix 3.7 and 3.10
_SEPARATOR = re.compile(r"[\s,:]+")
#: Between fingerprints, which have colons in them (postconf(5), smtp_tls_fingerprint_cert_match).
_LIST_SEPARATOR = re.compile(r"[\s,|]+")
_FINGERPRINT = "fingerprint"


@dataclass(frozen=True, slots=True)
class Demand:
    """The level, and what goes with it. ``protocols`` are the versions of TLS that may be used.

    ``server_name`` is ``smtp_tls_servername``: what the server is told it is taken for. ``digest`` is the algorithm of
    ``fingerprints``. ``cleartext_login`` says that a login is meant although TLS does not protect it.
    """

    level: str
    implicit: bool = False
    ca_file: str = ""
    ca_path: str = ""
    are_defaults_trusted: bool = False
    match: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    digest: str = "sha256"
    protocols: frozenset[str] = frozenset(PROTOCOLS[2:])
    server_name: str = ""
    cleartext_login: bool = False

    @property
    def trouble(self) -> str:
        """Why Postfix tries no host, where it tries none (smtp_tls_policy.c); else empty."""
        if self.level not in TLS_LEVELS:
            return f'"{self.level}" is no level of TLS'
        if self.implicit and self.level in CLEARTEXT_LEVELS:
            return f"TLS from the first octet cannot be at level {self.level}"
        return ""

    @property
    def needs_tls(self) -> bool:
        """Whether no mail leaves without TLS."""
        return self.level not in CLEARTEXT_LEVELS

    @property
    def asks_authorities(self) -> bool:
        """Whether the certificate's chain and names count."""
        return self.level in AUTHORITY_LEVELS


def of_relay(tls: Tls, parameters: Mapping[str, str]) -> Demand:
    """Give what a relay with a transport of its own demands; ``parameters`` are main.cf's, for what it does not say."""
    return Demand(
        level=tls.level,
        implicit=tls.implicit,
        ca_file=tls.ca_file or SYSTEM_AUTHORITIES,
        are_defaults_trusted=parameters.get("tls_append_default_CA") == "yes",
        match=tls.match or _MATCH.get(tls.level, ()),
        fingerprints=tls.fingerprints,
        protocols=_protocols(tls.level, parameters),
        server_name=parameters.get("smtp_tls_servername", ""),
        cleartext_login=tls.allow_cleartext_login,
    )


def of_main_cf(parameters: Mapping[str, str], policy: str = "") -> Demand:
    """Give what main.cf demands, from its parameters as they will be; ``policy`` is the entry that a nexthop has."""
    words = policy.replace(",", " ").split()
    level = words[0] if words else level_for_all(lambda name: parameters.get(name, ""))
    own = [word.partition("=") for word in words[1:]]
    names = [name for key, _, value in own if key == "match" for name in _names(level, value)]
    attributes = {key: value for key, _, value in own}
    match = names or _names(level, parameters.get(f"smtp_tls_{level}_cert_match", ""))
    return Demand(
        level=level,
        implicit=parameters.get("smtp_tls_wrappermode") == "yes",
        ca_file=parameters.get("smtp_tls_CAfile", ""),
        ca_path=parameters.get("smtp_tls_CApath", ""),
        are_defaults_trusted=parameters.get("tls_append_default_CA") == "yes",
        match=() if level == _FINGERPRINT else tuple(match) or _MATCH.get(level, ()),
        fingerprints=tuple(match) if level == _FINGERPRINT else (),
        digest=parameters.get("smtp_tls_fingerprint_digest") or "sha256",
        protocols=protocols(attributes["protocols"]) if "protocols" in attributes else _protocols(level, parameters),
        server_name=attributes.get("servername") or parameters.get("smtp_tls_servername", ""),
        cleartext_login=level in CLEARTEXT_LEVELS,
    )


def _names(level: str, text: str) -> list[str]:
    separator = _LIST_SEPARATOR if level == _FINGERPRINT else _SEPARATOR
    return [name for name in separator.split(text) if name]


def _protocols(level: str, parameters: Mapping[str, str]) -> frozenset[str]:
    name = "smtp_tls_protocols" if level in {"none", "may"} else "smtp_tls_mandatory_protocols"
    return protocols(parameters.get(name) or _DEFAULT_PROTOCOLS)


def protocols(text: str) -> frozenset[str]:
    """Give the versions that ``text`` allows: ``>=TLSv1.2``, ``!SSLv3``, ``TLSv1.2 TLSv1.3`` (postconf(5))."""
    words = [word for word in _SEPARATOR.split(text) if word]
    named = {version for word in words if (version := _version(word))}
    allowed = list(named) if named else list(PROTOCOLS)
    for word in words:
        number = PROTOCOLS.index(_version(word[2:])) if _version(word[2:]) else -1
        if word.startswith("!"):
            allowed = [version for version in allowed if version != _version(word[1:])]
        elif word.startswith(">=") and number >= 0:
            allowed = [version for version in allowed if PROTOCOLS.index(version) >= number]
        elif word.startswith("<=") and number >= 0:
            allowed = [version for version in allowed if PROTOCOLS.index(version) <= number]
    return frozenset(allowed)


def _version(word: str) -> str:
    """Give a version as OpenSSL writes it, whatever the letter case; empty where ``word`` is none."""
    return next((version for version in PROTOCOLS if version.casefold() == word.casefold()), "")
