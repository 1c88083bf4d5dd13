"""Adds the stored access token to each login by OAuth2, and the mechanisms that take one to its relay. Pure.

A relay has either logins with a password or logins with a token: Postfix has one list of mechanisms per service, and with
both kinds in it, a password would be sent as a token (seen: Cyrus SASL prefers XOAUTH2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import Login, Problem
from dms_relay.model.oauth2 import NO_TOKEN, TOKEN_MECHANISMS
from dms_relay.model.values import replace
from dms_relay.postfix.master_cf import PREFIX, SHARED, login_table
from dms_relay.tokens import login_id
from dms_relay.tokens.in_force import InForce

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.model import LoginEntry
    from dms_relay.model.relays import RelayService, Transports


def with_tokens(transports: Transports, tokens: Mapping[str, str]) -> tuple[Transports, list[Problem]]:
    """Return the services with tokens in their logins, and an error for each relay with both kinds of logins.

    ``tokens`` are the valid ones by the identifiers of their logins; a login without one gets ``NO_TOKEN``.
    """
    services = tuple(_service(service, tokens) for service in transports.services)
    mixed = [problem for service in services if (problem := _mixed(service))]
    has_tokens = any(e.login.oauth2 for service in services for e in (*service.logins, *service.sender_logins))
    return replace(transports, services=services, has_tokens=has_tokens), mixed


def token_logins(transports: Transports, *, is_lacking: bool = False) -> tuple[InForce, ...]:
    """Return each login by OAuth2 once, with its table entries; with ``is_lacking``, only those without a valid token."""
    found: dict[str, InForce] = {}
    for service in transports.services if transports.has_tokens else ():
        for table, entry in _entries(service):
            login = entry.login
            if login.oauth2 and (not is_lacking or login.password == NO_TOKEN):
                name = login_id(service.relay.name, login.username, login.oauth2)
                known = found.get(name) or InForce(name, service.relay.name, login.username, login.oauth2, ())
                found[name] = replace(known, tables=(*known.tables, (table, entry.key)))
    return tuple(found.values())


def _entries(service: RelayService) -> Iterator[tuple[str, LoginEntry]]:
    """Yield each entry of a service's tables, as ``render`` makes them."""
    name = f"{PREFIX}{service.relay.name}"
    yield from ((login_table(name), entry) for entry in (*service.sender_logins, *service.logins))
    if service.ignores_sender_logins:
        yield from ((login_table(f"{name}{SHARED}"), entry) for entry in service.logins)


def _service(service: RelayService, tokens: Mapping[str, str]) -> RelayService:
    relay, entries = service.relay, (*service.logins, *service.sender_logins)
    is_token = any(entry.login.oauth2 for entry in entries)
    # All logins that named these mechanisms may have been dropped for others of the other kind.
    mechanisms = tuple(name for name in relay.mechanisms if (name in TOKEN_MECHANISMS) == is_token)
    if is_token:
        mechanisms = mechanisms or TOKEN_MECHANISMS
    return replace(
        service,
        relay=replace(relay, mechanisms=mechanisms),
        logins=tuple(_entry(entry, relay.name, tokens) for entry in service.logins),
        sender_logins=tuple(_entry(entry, relay.name, tokens) for entry in service.sender_logins),
    )


def _entry(entry: LoginEntry, relay: str, tokens: Mapping[str, str]) -> LoginEntry:
    login = entry.login
    if login.oauth2 is None:
        return entry
    token = tokens.get(login_id(relay, login.username, login.oauth2), NO_TOKEN)
    return replace(entry, login=Login(login.username, token, login.oauth2))


def _mixed(service: RelayService) -> Problem | None:
    """Return the error for a relay with both kinds of logins, at the first login of the second kind."""
    entries = sorted((*service.logins, *service.sender_logins), key=lambda entry: entry.origin)
    first = next((e for e in entries if e.login.oauth2 is None), None)
    second = next((e for e in entries if e.login.oauth2), None)
    if first is None or second is None:
        return None
    one, other = sorted((first, second), key=lambda entry: entry.origin)
    kinds = ("a password", "a token") if one is first else ("a token", "a password")
    text = f"relay {service.relay.name} has a login with {kinds[0]} ({one.origin}) and this one with {kinds[1]}"
    text += ", but Postfix has one list of mechanisms for a service"
    return Problem(other.origin, text, "write a second relay in relay.yaml with the same host, for this login")
