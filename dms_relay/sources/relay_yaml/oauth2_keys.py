"""What may stand below ``oauth2`` in ``relay.yaml``. Pure."""

from __future__ import annotations

import re

from dms_relay.model.oauth2 import GRANTS
from dms_relay.model.providers import PROVIDERS, is_tenant
from dms_relay.postfix.nexthop import SyntaxProblem
from dms_relay.shape import Keys, Text
from dms_relay.sources.oauth2 import check_secret, check_url
from dms_relay.sources.relay_yaml import patterns

_FILE = re.compile(patterns.FILE)
_VARIABLE = re.compile(patterns.VARIABLE)
_CLIENT = re.compile(patterns.CLIENT_ID)
_SCOPE = re.compile(patterns.SCOPE)


def check_file(text: str) -> None:
    """Raise where a text is not the absolute path of a file, or main.cf could not hold it."""
    if not text.startswith("/"):
        raise SyntaxProblem(
            "this is not the absolute path of a file", "write its path from /, such as /run/secrets/relay"
        )
    if not _FILE.fullmatch(text):
        raise SyntaxProblem(
            "the path has characters that main.cf cannot hold",
            "write a path of letters, digits and /._+@:~=-",
        )


def check_variable(text: str) -> None:
    """Raise where a text is not the name of a variable."""
    if not _VARIABLE.fullmatch(text):
        raise SyntaxProblem("not the name of a variable", "write only the name, such as SES_PASSWORD")


def _check_tenant(text: str) -> None:
    if not is_tenant(text):
        raise SyntaxProblem("not a tenant", "write its domain, such as contoso.onmicrosoft.com, or its ID")


def _check_client(text: str) -> None:
    if not _CLIENT.fullmatch(text):
        raise SyntaxProblem("not the ID of a client", "write it as the provider shows it")


def _check_scope(text: str) -> None:
    if not _SCOPE.fullmatch(text):
        raise SyntaxProblem("not a scope", "write its words with one space between them")


def _file(what: str) -> Text:
    return Text(
        "the absolute path of a file", f"A file that contains {what}.", check_file, patterns.FILE, is_secret=True
    )


def _variable(what: str) -> Text:
    text = f"A variable that contains {what}; NAME__FILE and relay.env work as well."
    return Text("the name of an environment variable", text, check_variable, patterns.VARIABLE, is_secret=True)


def _url(what: str) -> Text:
    return Text(
        f"the https address of {what}", f"The https address of {what}.", check_url, patterns.URL, is_secret=True
    )


OAUTH2 = Keys(
    {
        "provider": Text(
            f"one of {', '.join(PROVIDERS)}",
            "The provider whose endpoints and scope to use, unless they are written here.",
            choices=PROVIDERS,
        ),
        "tenant": Text(
            "the domain or the ID of the tenant", "Microsoft's: whose users these are.", _check_tenant, patterns.TENANT
        ),
        "client_id": Text(
            "the ID of the client (the app)",
            "The ID of the client (the app) at the provider.",
            _check_client,
            patterns.CLIENT_ID,
            is_secret=True,
            is_literal=True,
        ),
        "client_secret": Text(
            "the secret of the client",
            "Better in a file: anybody who can read this file can read it.",
            check_secret,
            patterns.SECRET,
            is_secret=True,
            is_literal=True,
        ),
        "client_secret_file": _file("the secret of the client"),
        "client_secret_env": _variable("the secret of the client"),
        "client_certificate_file": _file("the certificate that the provider knows the client by (PEM)"),
        "client_key_file": _file("the client's private key (PEM, without a passphrase)"),
        "refresh_token_file": _file("the first refresh token; later ones are kept in /var/lib/dms-relay"),
        "refresh_token_env": _variable("the first refresh token"),
        "service_account_file": _file("the key of a Google service account (JSON)"),
        "token_url": _url("the token endpoint"),
        "device_url": _url("the endpoint of the device flow"),
        "authorization_url": _url("the page where a person agrees in a browser"),
        "scope": Text(
            "what the token is to permit",
            "What the token should permit, if it is not known from the provider.",
            _check_scope,
            patterns.SCOPE,
        ),
        "ca_file": _file("the authorities (PEM) to trust at the token endpoint instead of the system's"),
        "grant": Text(
            f"one of {', '.join(GRANTS)}",
            "How to request a token. If left out, the other keys decide.",
            choices=GRANTS,
        ),
    },
    "a mapping of OAuth2 settings",
    "write provider: or token_url: below it, and client_id:",
    "How to get an access token, instead of a password.",
    at_most_one=(
        ("client_secret_file", "client_secret_env", "client_secret", "client_key_file", "service_account_file"),
        ("refresh_token_file", "refresh_token_env", "service_account_file"),
    ),
    is_secret=True,
)
