"""Checks the OAuth2 settings of any input: which parts belong together, and what follows from them.

``relay.yaml`` and the environment pass their parts under the same names. Reads only the named file of authorities. A mistake
becomes a ``Problem`` in the terms of the input; no secret is ever shown.

Known limits: only the beginning of a key or a certificate is checked. A wrong one fails when a token is requested.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from dms_relay.model import Origin, Problem, Setting
from dms_relay.model.oauth2 import (
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    REFRESH_TOKEN,
    SERVICE_ACCOUNT,
    OAuth2,
)
from dms_relay.model.providers import GOOGLE, MICROSOFT, endpoints
from dms_relay.model.values import field, frozen
from dms_relay.postfix.nexthop import SyntaxProblem
from dms_relay.sources.pem import CERTIFICATE, wrong_pem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from dms_relay.sources.text import Owner

#: Parts that are secrets, read from a file or a variable.
SECRETS = ("client_secret", "client_key", "client_certificate", "refresh_token", "service_account")
ENDPOINTS = ("token_url", "device_url", "authorization_url")
PARTS = ("provider", "tenant", "client_id", *SECRETS, *ENDPOINTS, "scope", "ca_file", "grant")
#: The parts that each grant needs; one of them is enough.
_NEEDS = {
    CLIENT_CREDENTIALS: ("client_secret", "client_key"),
    REFRESH_TOKEN: ("refresh_token",),
    SERVICE_ACCOUNT: ("service_account",),
}
#: Where a person agrees; Google offers a client nothing else.
_PERSON = ("device_url", "authorization_url")
#: How a private key begins (RFC 7468, and OpenSSL's own); with a passphrase, it says so.
_KEY, _LOCKED = re.compile(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----"), "ENCRYPTED"
_URL = re.compile(r"https://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
_SECRET = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_TENANT = "contoso.onmicrosoft.com"


@frozen
class Given:
    """The settings in an input. ``values`` are those of ``parts`` that are set; ``origin`` is the place of all of them.

    ``name`` returns the input's name of a part; ``write`` is its verb for a remedy, and the separator of name and value.
    ``parts`` are those that the input supports: no remedy names another.
    """

    values: Mapping[str, Setting] = field(repr=False)
    origin: Origin
    name: Callable[[str], str]
    write: tuple[str, str]
    owners: Mapping[str, Owner]
    parts: Collection[str] = PARTS

    def say(self, part: str, value: str = "…") -> str:
        """Return how to write a part in this input."""
        return f"{self.name(part)}{self.write[1]}{value}"

    def text(self, part: str) -> str:
        """Return the value of a part; ``""`` if it is not set."""
        return self.values[part].value if part in self.values else ""

    def at(self, part: str) -> Origin:
        """Return the origin of a part; for a missing one, the origin of all settings."""
        return self.values[part].origin if part in self.values else self.origin


def check_url(text: str) -> None:
    """Raise ``SyntaxProblem`` unless a text is the https address of an endpoint."""
    if text.lower().startswith("http:"):
        raise SyntaxProblem("over http: the secret and the token would travel in the clear", "write https://…")
    if not _URL.fullmatch(text):
        remedy = "write it as the provider shows it, such as https://id.example.net/token"
        raise SyntaxProblem("not the https address of an endpoint", remedy)


def check_secret(text: str) -> None:
    """Raise ``SyntaxProblem`` unless a text can be a secret of OAuth2: printable ASCII (RFC 6749, appendix A), trimmed."""
    if "\n" in text or "\r" in text:
        raise SyntaxProblem("more than one line", "write only the secret, on one line")
    if not _SECRET.fullmatch(text):
        text = "not a secret of OAuth2: a space at one end, or a character that is not allowed"
        raise SyntaxProblem(text, "write it as the provider shows it")


def oauth2_of(given: Given, problems: list[Problem]) -> OAuth2 | None:
    """Return the complete settings; ``None`` if there is a mistake, which is then in ``problems``."""
    wrong = [*_wrong_values(given)]
    grant = _grant(given)
    wrong = wrong or [*_wrong_parts(given, grant)]
    problems += wrong
    return None if wrong else _value(given, grant)


def _value(given: Given, grant: str) -> OAuth2:
    known = endpoints(given.text("provider"), given.text("tenant"))
    return OAuth2(
        grant=grant,
        token_url=given.text("token_url") or known.token_url,
        client_id=given.text("client_id"),
        scope=given.text("scope") or known.scope(grant),
        provider=given.text("provider"),
        device_url=given.text("device_url") or known.device_url,
        authorization_url=given.text("authorization_url") or known.authorization_url,
        ca_file=given.text("ca_file"),
        **{name: given.text(name) for name in SECRETS},
    )


def _grant(given: Given) -> str:
    """Return the grant that is set, or that follows from the other parts."""
    if given.text("grant"):
        return given.text("grant")
    if "service_account" in given.values:
        return SERVICE_ACCOUNT
    if "refresh_token" in given.values:
        return REFRESH_TOKEN
    has_key = "client_secret" in given.values or "client_key" in given.values
    is_asked = given.text("provider") == GOOGLE or not given.values.keys().isdisjoint(_PERSON)
    return CLIENT_CREDENTIALS if has_key and not is_asked else DEVICE_CODE


# Mistakes.


def _wrong_values(given: Given) -> Iterator[Problem]:
    """Yield mistakes in single values, in words that hide these."""
    checks: dict[str, Callable[[str], None]] = {
        "client_secret": check_secret,
        "refresh_token": check_secret,
        "client_key": _check_key,
        "client_certificate": _check_certificate,
        "service_account": _check_service_account,
    }
    for part, check in checks.items():
        try:
            if part in given.values:
                check(given.text(part))
        except SyntaxProblem as problem:
            yield Problem(given.at(part), problem.text, problem.remedy)
    if ca_file := given.values.get("ca_file"):
        source = ca_file.origin.source
        if wrong := wrong_pem(ca_file.value, source, given.owners.get(source)):
            yield Problem(ca_file.origin, wrong[0], wrong[1], is_missing=wrong[2])


def _check_key(text: str) -> None:
    if _LOCKED in text:
        raise SyntaxProblem("the key has a passphrase", "remove it: openssl pkey -in KEY -out NEW")
    if not _KEY.search(text):
        raise SyntaxProblem(
            "the file that it names contains no private key", "name a file with BEGIN PRIVATE KEY in it"
        )


def _check_certificate(text: str) -> None:
    if CERTIFICATE not in text:
        text = "the file that it names contains no PEM certificate"
        raise SyntaxProblem(text, "name a file with BEGIN CERTIFICATE in it")


def _check_service_account(text: str) -> None:
    try:
        document = json.loads(text)
        is_key = bool(document["client_email"]) and bool(_KEY.search(document["private_key"]))
    except (ValueError, LookupError, TypeError):
        is_key = False
    if not is_key:
        remedy = "download the key of the service account as JSON, and name that file"
        raise SyntaxProblem("the file that it names is not the key of a Google service account", remedy)


def _wrong_parts(given: Given, grant: str) -> Iterator[Problem]:
    """Yield mistakes in the combination of parts."""
    word = given.write[0]

    def problem(part: str, text: str, remedy: str) -> Problem:
        return Problem(given.at(part), text, remedy)

    found = [(part, text, f"{word} {remedy}") for part, text, remedy in _missing(given, grant)]
    found += _not_used(given, grant)
    yield from (problem(*wrong) for wrong in found)


def _missing(given: Given, grant: str) -> Iterator[tuple[str, str, str]]:
    """Yield missing parts: the part that needs it, what is wrong, and what to write."""
    there, provider = given.values.keys(), given.text("provider")
    if not provider and "token_url" not in there:
        known = " or ".join(given.say("provider", name) for name in (MICROSOFT, GOOGLE))
        yield "", "nothing says where to get a token", f"{known}, or {given.say('token_url', 'https://…')}"
    if provider == MICROSOFT and grant != SERVICE_ACCOUNT and there.isdisjoint({"tenant", "token_url"}):
        yield "provider", "provider microsoft needs the tenant", given.say("tenant", _TENANT)
    if grant != SERVICE_ACCOUNT and "client_id" not in there:
        yield "", f"{given.name('client_id')} is missing", given.say("client_id")
    if "client_certificate" in there and "client_key" not in there:
        yield "client_certificate", "a certificate without its private key", given.say("client_key", "/run/secrets/key")
    if "client_key" in there and "client_certificate" not in there and provider == MICROSOFT:
        text = "Microsoft identifies a key by its certificate, which is missing"
        yield "client_key", text, given.say("client_certificate", "/run/secrets/certificate")
    yield from _missing_for_grant(given, grant)


def _missing_for_grant(given: Given, grant: str) -> Iterator[tuple[str, str, str]]:
    there, provider = given.values.keys(), given.text("provider")
    if provider == GOOGLE and grant == CLIENT_CREDENTIALS:
        account = given.say("service_account", "/run/secrets/account")
        yield (
            "grant",
            f"Google does not support grant {grant}",
            f"{account} instead of grant and the client's secret or key",
        )
    elif provider == GOOGLE and grant != SERVICE_ACCOUNT and "client_secret" not in there:
        names = f"{given.say('client_secret', '/run/secrets/client')}, or {given.name('service_account')}"
        yield "provider", "Google gives a client no token without the client's secret", names
    if grant == DEVICE_CODE and "token_url" in there and not provider and there.isdisjoint(_PERSON):
        yield "grant", "nothing says how to get a token", _ways(given)
    needs = _NEEDS.get(grant, ())
    if needs and there.isdisjoint(needs):
        text = f"grant {grant} needs {' or '.join(map(given.name, needs))}"
        yield "grant", text, given.say(needs[0], "/run/secrets/file")


def _ways(given: Given) -> str:
    """Return the parts that each say how to get a token; if a grant is set, those that it lacks."""
    if given.text("grant"):
        return given.say("device_url", "https://…")
    parts = ("client_secret", "refresh_token", "device_url")
    return f"one of {', '.join(given.name(part) for part in parts if part in given.parts)}"


def _not_used(given: Given, grant: str) -> Iterator[tuple[str, str, str]]:
    """Yield the parts that have no effect with the others."""
    there, provider = given.values.keys(), given.text("provider")
    if "tenant" in there and provider != MICROSOFT:
        remedy = f"{given.write[0]} {given.say('provider', MICROSOFT)}, or remove it"
        yield "tenant", f"{given.name('tenant')} has no effect without provider microsoft", remedy
    if "service_account" in there and provider == MICROSOFT:
        remedy = f"{given.write[0]} {given.say('provider', GOOGLE)}"
        remedy += f", and remove {given.name('tenant')}" if "tenant" in there else ""
        yield "service_account", "service accounts exist only at Google", remedy
    for part, grants in {"refresh_token": {REFRESH_TOKEN}, "service_account": {SERVICE_ACCOUNT}}.items():
        if part in there and grant not in grants and given.text("grant"):
            yield part, f"grant {grant} does not use {given.name(part)}", f"remove {given.name('grant')}, or this"
    if grant == SERVICE_ACCOUNT:
        for part in ("client_secret", "client_key", "client_certificate", "refresh_token"):
            if part in there:
                text = f"{given.name(part)} has no effect beside {given.name('service_account')}"
                yield part, text, "keep only one of them"
    elif "client_secret" in there and "client_key" in there:
        text = f"{given.name('client_key')} together with {given.name('client_secret')}"
        yield "client_key", text, "keep only one of them"
