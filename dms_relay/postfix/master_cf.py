"""The text of Postfix's master.cf: finds the managed services, and changes them. Pure; every other octet is kept.

Syntax (master(5)): a logical line holds the fields ``name type private unpriv chroot wakeup maxproc command``; ``-o
name=value`` or ``-o { name = value }`` overrides a parameter of main.cf for this service.

Known limits: services not named ``relay-…`` are read, never changed.
"""

from __future__ import annotations

import re

from dms_relay.model import RELAY_DIRECTORY, SASL_PASSWD
from dms_relay.model.values import frozen
from dms_relay.postfix.main_cf import clear, logical_lines
from dms_relay.postfix.table_types import split_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The prefix of each managed service's name.
PREFIX = "relay-"
#: The suffix of a service that does not look up senders.
SHARED = "_shared"
#: The parameters that a managed service overrides, some only at some TLS levels. Others in it were added by others.
OVERRIDES = frozenset(
    {
        "syslog_name",
        "smtp_sasl_auth_enable",
        "smtp_sasl_password_maps",
        "smtp_sender_dependent_authentication",
        "smtp_sasl_security_options",
        "smtp_sasl_tls_security_options",
        "smtp_sasl_tls_verified_security_options",
        "smtp_sasl_mechanism_filter",
        "smtp_tls_security_level",
        "smtp_tls_wrappermode",
        "smtp_tls_policy_maps",
        "smtp_tls_trust_anchor_file",
        "smtp_tls_CAfile",
        "smtp_tls_CApath",
        "smtp_tls_secure_cert_match",
        "smtp_tls_verify_cert_match",
        "smtp_tls_fingerprint_digest",
        "smtp_tls_fingerprint_cert_match",
        "smtp_dns_support_level",
        "smtp_fallback_relay",
        "relayhost",
        "smtp_delivery_status_filter",
    }
)
_FIELDS = 8
#: Services of Postfix's that deliver nothing (error(8), discard(8)).
_DELIVER_NOTHING = frozenset({"error", "retry", "discard"})
#: A value in braces may hold braces, as ``inline:{ {key = value} }`` does.
_BRACED = r"(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*?"
#: A text, so that ``re`` compiles it only when it is needed.
_OVERRIDE = rf"-o\s*(?:\{{\s*([\w.-]+)\s*=\s*({_BRACED})\s*\}}|([\w.-]+)=(\S*))"


def login_table(service: str) -> str:
    """Return the name of a managed service's password table."""
    return f"{RELAY_DIRECTORY}/{service.removeprefix(PREFIX)}.sasl"


def is_login_table(table: str) -> bool:
    """Return True if a managed table, or its index, contains logins."""
    table, _ = split_index(table)
    return table == SASL_PASSWD or table.endswith(".sasl")


@frozen
class Service:
    """One smtp(8) service: its chroot field (``y``, ``n``, ``-``), and the parameters that it overrides, in order."""

    chroot: str
    overrides: tuple[tuple[str, str], ...]

    def text(self, name: str) -> str:
        """Return its lines in master.cf, without the last line end."""
        head = f"{name} unix - - {self.chroot} - - smtp"
        return "\n".join([head, *(f"  -o {parameter}={value}" for parameter, value in self.overrides)])


@frozen
class MasterCfEntry:
    """A service in master.cf. ``service`` is ``None`` if it is not of the kind that we write."""

    line: int
    service: Service | None


def services(text: str) -> dict[str, MasterCfEntry]:
    """Return each service that is named ``relay-…`` and has a Unix socket; ``line`` counts from 1."""
    return {
        fields[0]: MasterCfEntry(first + 1, _service(fields))
        for first, _, fields in _lines(text)
        if fields[0].startswith(PREFIX) and fields[1] == "unix"
    }


def chroot(text: str) -> str:
    """Return the chroot field of ``smtp``, so that a relay's service sees the same files as all other mail."""
    return next((fields[4] for _, _, fields in _lines(text) if fields[:2] == ["smtp", "unix"]), "n")


def command(text: str, name: str) -> tuple[str, dict[str, str]] | None:
    """Return the program of an internal service of Postfix, and the parameters that it overrides; ``None`` if missing."""
    for _, _, fields in _lines(text):
        if fields[0] == name and fields[1] in {"unix", "pass", "fifo"}:
            arguments = fields[_FIELDS] if len(fields) > _FIELDS else ""
            return fields[_FIELDS - 1], dict(_overrides(arguments))
    return None


def stopped(text: str, parameters: Mapping[str, str]) -> str:
    """Return the default transport if it delivers no mail, else ``""``; also ``""`` without a master.cf.

    Mail by services of ours (``PREFIX``) does not count. Called at each start, so it does not parse master.cf.
    """
    transport = (parameters.get("default_transport") or "smtp").partition(":")[0]
    if transport in _DELIVER_NOTHING or transport in parameters.get("defer_transports", "").replace(",", " ").split():
        return transport
    is_there = transport != "smtp" or not text or any(line.split()[:2] == ["smtp", "unix"] for line in text.split("\n"))
    return "" if is_there else transport


def overriding(text: str, parameter: str) -> dict[str, str]:
    """Return the services that override a parameter with a value that is not empty, each with that value."""
    found = ((f"{f[0]}/{f[1]}", dict(_overrides(f[_FIELDS] if len(f) > _FIELDS else ""))) for _, _, f in _lines(text))
    return {name: overrides[parameter] for name, overrides in found if overrides.get(parameter)}


def _overrides(arguments: str) -> tuple[tuple[str, str], ...]:
    return tuple((m[1] or m[3], m[2] if m[1] else m[4]) for m in re.finditer(_OVERRIDE, arguments))


def edit(text: str, changes: Mapping[str, Service | None]) -> str:
    """Return ``text`` with each service changed in its place, added at the end, or removed (``None``)."""
    lines: list[str | None] = list(text.removesuffix("\n").split("\n")) if text else []
    left = dict(changes)
    for first, end, fields in _lines(text):
        if fields[0] in changes and fields[1] == "unix":
            clear(lines, first, end)
            service = left.pop(fields[0], None)
            lines[first] = service.text(fields[0]) if service else None
    lines += [service.text(name) for name, service in left.items() if service]
    return "".join(f"{line}\n" for line in lines if line is not None)


def _lines(text: str) -> Iterator[tuple[int, int, list[str]]]:
    for line in logical_lines(text):
        fields = line.text.split(None, _FIELDS)
        if len(fields) >= _FIELDS:
            yield line.first, line.end, fields


def _service(fields: list[str]) -> Service | None:
    private, unpriv, chroot, wakeup, maxproc, command = fields[2:_FIELDS]
    if (private, unpriv, wakeup, maxproc, command) != ("-", "-", "-", "-", "smtp"):
        return None
    arguments = fields[_FIELDS] if len(fields) > _FIELDS else ""
    return None if re.sub(_OVERRIDE, "", arguments).strip() else Service(chroot, _overrides(arguments))
