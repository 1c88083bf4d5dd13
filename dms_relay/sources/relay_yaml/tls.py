"""Reads the hosts and the TLS settings of a relay in ``relay.yaml``, and checks rules that involve several keys.

Reads the certificate files that are named (``pem``). Writes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dms_relay.model import AUTHORITY_LEVELS, IMPLICIT_TLS_PORTS, RELAY_YAML, SYSTEM_AUTHORITIES
from dms_relay.model.relays import CLEARTEXT_LEVELS, Tls
from dms_relay.postfix.nexthop import (
    FormProblem,
    SyntaxProblem,
    check_nexthop,
    host_of,
    is_address,
    is_ipv6,
)
from dms_relay.postfix.relay_host import NexthopWords, parse_relay_host
from dms_relay.shape import LocatedValue
from dms_relay.sources.pem import wrong_pem
from dms_relay.sources.relay_yaml.keys import IMPLICIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dms_relay.sources.text import Owner

#: The usual port of implicit TLS (RFC 8314).
_PORT = "465"
#: The port of message submission (RFC 6409), and of mail servers (RFC 5321).
SUBMISSION_PORT, MX_PORT = 587, 25
_FINGERPRINT = "fingerprint"
_WORDS = NexthopWords(
    port_in_host="write host: {host} and port: {port}",
    not_alone="write only the host; its port goes in port:, a login in login:",
    too_many="write hosts: [first, second]",
)


class Complain(Protocol):
    """Records a mistake at a place. ``is_missing``: a named file cannot be read."""

    def __call__(self, found: LocatedValue, text: str, remedy: str, *, is_missing: bool = False) -> None:
        """Record it."""


class Host(NamedTuple):
    """One host: its name or address, its port, the nexthop of both, and its place."""

    name: str
    port: str
    nexthop: str
    place: LocatedValue


def hosts_of(relay: LocatedValue, complain: Complain) -> Iterator[Host]:
    """Yield each valid host of a relay."""
    mx, port, single, several = (relay.get(key) for key in ("mx", "port", "host", "hosts"))
    is_mx = bool(mx and mx.value)
    default = str(port.value if port and port.value else MX_PORT if is_mx else SUBMISSION_PORT)
    for place in [single] if single and single.value else several.value if several else []:
        text = str(place.value)
        try:
            name, own = _single(text) if single else _one_of_several(text)
            _check_mx(text, name, is_mx=is_mx)
        except SyntaxProblem as problem:
            complain(place, problem.text, problem.remedy)
        else:
            nexthop = f"{name}:{own or default}" if is_mx else f"[{name}]:{own or default}"
            yield Host(name, own or default, nexthop, place)


def _single(text: str) -> tuple[str, str]:
    return host_of(parse_relay_host(text, "", _WORDS).members[0].removesuffix(":")), ""


def _one_of_several(text: str) -> tuple[str, str]:
    """Split ``host``, ``host:port``, ``[host]`` and ``[host]:port``; the colons of an IPv6 address are no port."""
    if is_ipv6(text):
        return text, ""
    try:
        check_nexthop(text)
    except FormProblem as problem:
        raise SyntaxProblem(problem.text, "write host:port; a login goes in login:") from None
    host = host_of(text)
    return host, text.removeprefix(f"[{host}]").removeprefix(host).removeprefix(":")


def _check_mx(text: str, name: str, *, is_mx: bool) -> None:
    if is_mx and is_address(name):
        raise SyntaxProblem("mx with an address: only a domain has MX hosts", "remove mx")
    if is_mx and text.startswith("["):
        raise SyntaxProblem("brackets forbid an MX lookup, and mx asks for one", "remove the brackets, or mx")


def tls_of(
    relay: LocatedValue, hosts: Sequence[Host], complain: Complain, *, is_sound: bool, owner: Owner | None
) -> Tls:
    """Return the TLS settings of a relay. ``is_sound``: no key is wrong, so a missing one is really missing.

    ``owner`` is the owner of the file.
    """
    found = relay.get("tls") or LocatedValue({}, relay.place)
    reader = _TlsReader(found, complain, owner)
    tls = Tls(
        level=reader.level,
        implicit=_is_implicit(relay, found.get("mode"), hosts, complain),
        ca_file=reader.ca_file(),
        match=tuple(item.value for item in reader.items("match")),
        fingerprints=tuple(_with_colons(item.value) for item in reader.items("fingerprints")),
        allow_cleartext_login=reader.is_set("allow_cleartext_login"),
    )
    if reader.is_level_known:
        reader.check(tls, hosts, is_sound=is_sound)
    return tls


def _is_implicit(relay: LocatedValue, mode: LocatedValue | None, hosts: Sequence[Host], complain: Complain) -> bool:
    if mode and mode.value:
        return bool(mode.value == IMPLICIT)
    ports = [host.port for host in hosts if host.port in IMPLICIT_TLS_PORTS]
    if ports and len(ports) < len(hosts):
        text = f"port {ports[0]} and another port: implicit TLS applies to a whole relay"
        complain(relay, text, f"write two relays, or tls: {{mode: {IMPLICIT}}}")
    return bool(ports)


class _TlsReader:
    """Reads the keys below ``tls``."""

    def __init__(self, found: LocatedValue, complain: Complain, owner: Owner | None) -> None:
        self.found = found
        self.owner = owner
        self.complain = complain
        written = found.get("level")
        self.is_level_known = not written or bool(written.value)
        self.level = str(written.value) if written and written.value else "secure"
        if self.level == "secure" and self.items("fingerprints"):
            self.level = _FINGERPRINT

    def items(self, name: str) -> list[LocatedValue]:
        """Return the items of a list; none if it is missing."""
        items = self.found.get(name)
        return list(items.value) if items else []

    def is_set(self, name: str) -> bool:
        """Return True if a flag is set to true."""
        flag = self.found.get(name)
        return bool(flag and flag.value)

    def ca_file(self) -> str | None:
        """Return the file of authorities; ``None`` means the system's, which must exist if the level needs it."""
        ca_file = self.found.get("ca_file")
        if ca_file and ca_file.value:
            self._check_pem(ca_file)
            return str(ca_file.value)
        if self.level in AUTHORITY_LEVELS and not ca_file and not Path(SYSTEM_AUTHORITIES).is_file():
            text = f"no certificate authority is configured: {SYSTEM_AUTHORITIES} does not exist"
            self.complain(self.found, text, "install ca-certificates, or write tls: {ca_file: …}")
        return None

    def _check_pem(self, ca_file: LocatedValue) -> None:
        if wrong := wrong_pem(ca_file.value, RELAY_YAML, self.owner):
            text, remedy, is_missing = wrong
            self.complain(ca_file, text, remedy, is_missing=is_missing)

    def check(self, tls: Tls, hosts: Sequence[Host], *, is_sound: bool) -> None:
        """Complain of settings that do not fit together."""
        if tls.implicit and tls.level in CLEARTEXT_LEVELS:
            port = next((host.port for host in hosts if host.port in IMPLICIT_TLS_PORTS), _PORT)
            text = f"implicit TLS (port {port}) is not possible at level {tls.level}"
            remedy = "write level: encrypt or a stronger one, or tls: {mode: starttls}"
            self.complain(self.found.get("level") or self.found, text, remedy)
        self._check_fingerprints(tls, is_sound=is_sound)
        self._check_match(tls)
        self._check_addresses(tls, hosts)

    def _check_fingerprints(self, tls: Tls, *, is_sound: bool) -> None:
        if tls.level == _FINGERPRINT and not tls.fingerprints and is_sound:
            level = self.found.get("level") or self.found
            self.complain(level, "level fingerprint needs fingerprints", "write fingerprints: [AB:CD:…]")
        if tls.fingerprints and tls.level != _FINGERPRINT:
            text = f"level {tls.level} ignores fingerprints"
            self.complain(self.found.value["fingerprints"], text, "write level: fingerprint, or remove them")

    def _check_match(self, tls: Tls) -> None:
        if tls.match and tls.level not in AUTHORITY_LEVELS:
            remedy = "keep only one of them" if tls.fingerprints else "write level: secure, or remove it"
            self.complain(self.found.value["match"], f"level {tls.level} ignores match", remedy)

    def _check_addresses(self, tls: Tls, hosts: Sequence[Host]) -> None:
        is_named = tls.level == "dane-only" or (tls.level in AUTHORITY_LEVELS and not tls.match)
        remedy = "write the host's name"
        if tls.level in AUTHORITY_LEVELS:
            remedy = f"{remedy}, or tls: {{match: the name in the certificate}}, or fingerprints"
        for host in hosts:
            if is_named and is_address(host.name):
                text = f"level {tls.level} needs a host name: no certificate matches an address"
                self.complain(host.place, text, remedy)


def _with_colons(fingerprint: str) -> str:
    digits = fingerprint.replace(":", "").upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
