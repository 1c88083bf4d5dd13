"""Reads the OAuth2 settings of the default relay from the environment (``RELAY_OAUTH2_…``), with ``RELAY_USER``.

Reads the variables, ``relay.env`` and the files that they name. Writes nothing. A mistake becomes a ``Problem``; no secret
is ever shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import TRANSPORTS, Origin, Problem, Setting
from dms_relay.model.providers import PROVIDERS, is_tenant
from dms_relay.postfix.nexthop import SyntaxProblem, refuse_odd_blanks
from dms_relay.sources.environment import FILE_SUFFIXES, OAUTH2
from dms_relay.sources.oauth2 import PARTS, SECRETS, Given, check_url, oauth2_of
from dms_relay.sources.packing import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.sources.environment import Lookup
    from dms_relay.sources.settings import Settings

#: The parts that the environment supports: a relay in relay.yaml can have more.
_PARTS = [part for part in PARTS if part not in {"device_url", "authorization_url", "grant"}]


def read_oauth2(lookup: Lookup, problems: list[Problem]) -> tuple[OAuth2, Origin] | None:
    """Return how to get a token, and the origin of that; ``None`` if nothing is set, or there is a mistake."""
    before = len(problems)
    found = {part: setting for part in _PARTS if (setting := lookup.find(_variable(part)))}
    values = {part: _plain(part, setting, problems) for part, setting in found.items()}
    if not values or any(problem.is_error for problem in problems[before:]):
        return None
    origin = next(iter(values.values())).origin
    oauth2 = oauth2_of(Given(values, origin, _name, ("set", "="), lookup.owners, _PARTS), problems)
    return (oauth2, origin) if oauth2 else None


def _variable(part: str) -> str:
    return f"{OAUTH2}{part.upper()}"


def _name(part: str) -> str:
    return f"{_variable(part)}{FILE_SUFFIXES[0]}" if part in SECRETS else _variable(part)


def _plain(part: str, setting: Setting, problems: list[Problem]) -> Setting:
    """Return a value that is no secret, checked and trimmed (``packing``)."""
    if part in SECRETS:
        return setting
    try:
        text = plain(setting.value)
        refuse_odd_blanks(text)
        _check(part, text)
    except SyntaxProblem as problem:
        problems.append(Problem(setting.origin, problem.text, problem.remedy))
        return setting
    return Setting(text, setting.origin)


def _check(part: str, text: str) -> None:
    if part == "provider" and text not in PROVIDERS:
        raise SyntaxProblem("the value is not one of those allowed", f"write one of {', '.join(PROVIDERS)}")
    if part == "tenant" and not is_tenant(text):
        raise SyntaxProblem("not a tenant", "write its domain, such as contoso.onmicrosoft.com, or its ID")
    if part == "token_url":
        check_url(text)
    if part == "ca_file" and not text.startswith("/"):
        raise SyntaxProblem("not the absolute path of a file", "name a file, such as /etc/ssl/certs/id.pem")


def check_oauth2(settings: Settings, routing: str) -> Iterator[Problem]:
    """Yield the other settings that do not fit with OAuth2."""
    if settings.oauth2 is None:
        return
    origin = settings.oauth2[1]
    if routing != TRANSPORTS:
        text = f"OAuth2 needs a relay with a service of its own, and RELAY_ROUTING is {routing}"
        yield Problem(origin, text, f"set RELAY_ROUTING={TRANSPORTS}")
    if settings.password:
        yield Problem(settings.password.origin, f"RELAY_PASSWORD together with {OAUTH2}…", "keep only one of them")
    if not settings.username:
        yield Problem(origin, "OAuth2 without RELAY_USER", "set RELAY_USER to the address of the mailbox")
