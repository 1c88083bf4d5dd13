"""The demands on TLS at a relay, with everything that main.cf adds. Pure.

The rules are those of Postfix's SMTP client (TLS_README, "Client TLS security levels"; postconf(5), ``smtp_tls_…``).

Known limits: ignores ``smtp_tls_per_site``, which is obsolete, and the ciphers and ``tafile`` of a policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dms_relay.model import AUTHORITY_LEVELS, SYSTEM_AUTHORITIES, TLS_LEVELS
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.postfix.main_cf import is_yes, split
from dms_relay.postfix.tls_policy import Policy, level_for_all, parse_policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dms_relay.model.relays import Tls

#: All versions of TLS, weakest first, as OpenSSL and Postfix write them.
PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
#: ``smtp_sasl_security_options`` of a relay with its own transport.
_OF_RELAYS = "noanonymous"
#: The names that certificates must match by default (postconf(5), smtp_tls_{secure,verify}_cert_match).
_MATCH = {"secure": ("nexthop", "dot-nexthop"), "verify": ("hostname",)}
_DEFAULT_PROTOCOLS = ">=TLSv1"  # postconf -d, Postfix 3.7 and 3.10
_SEPARATOR = re.compile(r"[\s,:]+")
#: Separates fingerprints, which contain colons (postconf(5), smtp_tls_fingerprint_cert_match).
_LIST_SEPARATOR = re.compile(r"[\s,|]+")
_FINGERPRINT = "fingerprint"
#: Levels at which Postfix knows the server it talks to (smtp_sasl_glue.c, TLS_CERT_IS_MATCHED).
VERIFIED_LEVELS = AUTHORITY_LEVELS | {_FINGERPRINT}
#: A version, with an operator before it.
_WORD = re.compile(r"(!|>=|<=|)(.+)")
#: The versions' numbers on the wire (RFC 8446, section 4.2.1), in hexadecimal.
_NUMBERS = {"2": "SSLv2", "300": "SSLv3", "301": "TLSv1", "302": "TLSv1.1", "303": "TLSv1.2", "304": "TLSv1.3"}


@dataclass(frozen=True, slots=True)
class Demand:
    """The level, and its parameters. ``protocols`` are the permitted versions of TLS.

    ``mechanism_filter`` are the words of ``smtp_sasl_mechanism_filter``, without lookup tables. ``sasl_options`` are those
    inside TLS, ``sasl_options_in_clear`` those without; ``with_authzid`` is ``send_cyrus_sasl_authzid``. With
    ``is_of_relay`` the relay has a transport of its own.
    ``invalid`` says why Postfix rejects the policy, if it does. ``server_name`` is ``smtp_tls_servername``, the name to send
    to the server (SNI). ``digest`` is the algorithm of ``fingerprints``. ``cleartext_login`` permits a login without TLS.
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
    invalid: str = ""
    mechanism_filter: tuple[str, ...] = ()
    sasl_options: str = _OF_RELAYS
    sasl_options_in_clear: str = _OF_RELAYS
    with_authzid: bool = False
    is_of_relay: bool = False

    @property
    def trouble(self) -> str:
        """The reason why Postfix tries no host (smtp_tls_policy.c); empty if it tries one."""
        if self.invalid:
            return self.invalid
        if self.level not in TLS_LEVELS:
            return f'"{self.level}" is not a TLS level'
        if self.implicit and self.level in CLEARTEXT_LEVELS:
            return f"implicit TLS is not possible at level {self.level}"
        if self.level == _FINGERPRINT and not self.fingerprints:
            return "level fingerprint without a fingerprint"
        return "" if self.protocols or self.level == "none" else "no TLS version is permitted, or one is unknown"

    def options(self, *, in_tls: bool) -> str:
        """Return the SASL security options that apply."""
        return self.sasl_options if in_tls else self.sasl_options_in_clear

    @property
    def needs_tls(self) -> bool:
        """Return True if mail may not leave without TLS."""
        return self.level not in CLEARTEXT_LEVELS

    @property
    def asks_authorities(self) -> bool:
        """Return True if the level verifies the certificate's chain and names."""
        return self.level in AUTHORITY_LEVELS


def of_relay(tls: Tls, parameters: Mapping[str, str], mechanisms: Sequence[str] = ()) -> Demand:
    """Return the demand of a relay with its own transport; main.cf's ``parameters`` supply what the relay does not set."""
    return Demand(
        level=tls.level,
        implicit=tls.implicit,
        ca_file=tls.ca_file or SYSTEM_AUTHORITIES,
        are_defaults_trusted=is_yes(parameters.get("tls_append_default_CA", "")),
        match=tls.match or _MATCH.get(tls.level, ()),
        fingerprints=tls.fingerprints,
        protocols=_protocols(tls.level, parameters),
        server_name=parameters.get("smtp_tls_servername", ""),
        cleartext_login=tls.allow_cleartext_login,
        mechanism_filter=tuple(mechanisms),
        is_of_relay=True,
        with_authzid=is_yes(parameters.get("send_cyrus_sasl_authzid", "")),
    )


def of_main_cf(parameters: Mapping[str, str], policy: str = "") -> Demand:
    """Return the demand of main.cf, from its future parameters; ``policy`` is the policy entry of a nexthop."""
    entry = parse_policy(policy) if policy else Policy(level_for_all(lambda name: parameters.get(name, "")))
    level, attributes = entry.level, dict(entry.attributes)
    is_verified = level in VERIFIED_LEVELS
    names = [name for value in entry.values("match") for name in _names(level, value)]
    match = names or _names(level, parameters.get(f"smtp_tls_{level}_cert_match", ""))
    return Demand(
        level=level,
        implicit=is_yes(parameters.get("smtp_tls_wrappermode", "")),
        ca_file=parameters.get("smtp_tls_CAfile", ""),
        ca_path=parameters.get("smtp_tls_CApath", ""),
        are_defaults_trusted=is_yes(parameters.get("tls_append_default_CA", "")),
        match=() if level == _FINGERPRINT else tuple(match) or _MATCH.get(level, ()),
        fingerprints=tuple(match) if level == _FINGERPRINT else (),
        digest=parameters.get("smtp_tls_fingerprint_digest") or "sha256",
        protocols=protocols(attributes["protocols"]) if "protocols" in attributes else _protocols(level, parameters),
        server_name=attributes.get("servername") or parameters.get("smtp_tls_servername", ""),
        cleartext_login=level in CLEARTEXT_LEVELS,
        invalid=entry.trouble,
        mechanism_filter=tuple(split(parameters.get("smtp_sasl_mechanism_filter", "").lower())),
        sasl_options=parameters.get(f"smtp_sasl_tls_{'verified_' if is_verified else ''}security_options", ""),
        sasl_options_in_clear=parameters.get("smtp_sasl_security_options", ""),
        with_authzid=is_yes(parameters.get("send_cyrus_sasl_authzid", "")),
    )


def _names(level: str, text: str) -> list[str]:
    separator = _LIST_SEPARATOR if level == _FINGERPRINT else _SEPARATOR
    return [name for name in separator.split(text) if name]


def _protocols(level: str, parameters: Mapping[str, str]) -> frozenset[str]:
    name = "smtp_tls_protocols" if level in {"none", "may"} else "smtp_tls_mandatory_protocols"
    return protocols(parameters.get(name) or _DEFAULT_PROTOCOLS)


def protocols(text: str) -> frozenset[str]:
    """Return the versions that ``text`` allows: ``>=TLSv1.2``, ``!SSLv3``, ``TLSv1.2 TLSv1.3`` (postconf(5)).

    A version may be a hexadecimal number, 0304. With an unknown word Postfix uses no TLS, so no version is permitted.
    """
    words = [(match[1], _version(match[2])) for word in _SEPARATOR.split(text) if (match := _WORD.fullmatch(word))]
    if any(not version for _, version in words):
        return frozenset()
    named = {version for sign, version in words if not sign}
    allowed = [version for version in PROTOCOLS if not named or version in named]
    for sign, version in words:
        at = PROTOCOLS.index(version)
        kept = {"!": [v for v in allowed if v != version], ">=": [v for v in allowed if PROTOCOLS.index(v) >= at]}
        allowed = {**kept, "<=": [v for v in allowed if PROTOCOLS.index(v) <= at]}.get(sign, allowed)
    return frozenset(allowed)


def _version(word: str) -> str:
    """Return a version as OpenSSL writes it, from its name in any letter case or its number; empty if it is unknown."""
    word = _NUMBERS.get(word.lower().removeprefix("0x").lstrip("0"), word)
    return next((version for version in PROTOCOLS if version.casefold() == word.casefold()), "")
