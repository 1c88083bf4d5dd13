"""Access tokens: that there is a valid one, that it is renewed, and that Postfix can send it, and nothing else, as one.

Reads the store of tokens, the keeper's lock, and the names of Cyrus SASL's plugins. Does not use the network:
``dms-relay test`` does.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dms_relay import tokens
from dms_relay.checks.rules import Finding
from dms_relay.files.keeper_lock import is_keeper_running
from dms_relay.model import Origin
from dms_relay.model.oauth2 import DEVICE_CODE, TOKEN_MECHANISMS
from dms_relay.postfix import sasl_plugin
from dms_relay.postfix.master_cf import PREFIX
from dms_relay.postfix.mechanism_filter import PARAMETER, filter_words, passes
from dms_relay.postfix.programs import Postfix
from dms_relay.tokens.credentials import digests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.context import CheckContext, PostfixFindings
    from dms_relay.model import LoginEntry
    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.tokens import Kept

#: Levels at which a server gets a token without proving its identity.
_UNVERIFIED = frozenset({"none", "may", "encrypt"})


_INSTALL = (
    "run make plugin, and make plugin-install as root, in dms_relay's source; then postfix reload (sasl/README.md)"
)


class _TokenLogin(NamedTuple):
    """A login that takes a token, its place, and its stored token."""

    relay: str
    entry: LoginEntry
    oauth2: OAuth2
    kept: Kept

    @property
    def shown(self) -> str:
        return f"{self.entry.login.shown_username} at relay {self.relay}"


def check_tokens(context: CheckContext) -> Iterator[Finding]:
    """Yield the findings about logins that take a token."""
    found = tuple(_logins(context))
    if context.machine:
        yield from _plugin(context.machine, found)
        yield from _sent_as_token(context, context.machine)
    now, is_kept = time.time(), is_keeper_running(context.paths.state_dir)
    for login in found:
        yield from _token(login, now, is_kept=is_kept)
    yield from _unverified(context)


def _logins(context: CheckContext) -> Iterator[_TokenLogin]:
    """Yield each login once, at the first relay assigned with it."""
    uses = {use.entry.origin: use for use in reversed(context.assignments) if use.entry and use.entry.login.oauth2}
    for use in reversed(uses.values()):
        if use.entry and (oauth2 := use.entry.login.oauth2):
            name = tokens.login_id(use.relay, use.entry.login.username, oauth2)
            yield _TokenLogin(use.relay, use.entry, oauth2, tokens.load(context.paths.state_dir, name))


# The token itself.


def _token(login: _TokenLogin, now: float, *, is_kept: bool) -> Iterator[Finding]:
    """Yield the most serious problem of a token."""
    kept, origin = login.kept, login.entry.origin
    until = f"{datetime.fromtimestamp(kept.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
    if not tokens.is_valid(kept, now):
        text = f"there is no valid access token for {login.shown}, so its mail stays in the queue: {_why(kept, until)}"
        yield Finding("no-token", origin, text, _remedy(login))
    elif kept.failure:
        text = f"the access token for {login.shown} could not be renewed, and expires at {until}: {kept.failure.text}"
        yield Finding("token-renewal-fails", origin, text, kept.failure.remedy)
    elif not is_kept:
        text = f"nothing renews the access token for {login.shown}, which expires at {until}: no dms-relay watch runs"
        yield Finding(
            "token-not-renewed", origin, text, "start dms-relay watch, or run dms-relay renew --due on a timer"
        )
    elif digests(login.oauth2, kept.credentials) != kept.credentials:
        text = f"the access token for {login.shown} was obtained with other secrets than the inputs have now"
        remedy = f"run dms-relay renew {login.relay} after dms-relay apply, to see if the new ones work"
        yield Finding("token-of-other-secrets", origin, text, remedy)


def _why(kept: Kept, until: str) -> str:
    if kept.failure:
        return kept.failure.text
    return f"it expired at {until}" if kept.access_token else "none was requested yet"


def _remedy(login: _TokenLogin) -> str:
    if login.kept.failure:
        return login.kept.failure.remedy
    if login.oauth2.grant == DEVICE_CODE and not login.kept.refresh_token:
        return f"run dms-relay login {login.relay}"
    return f"run dms-relay renew {login.relay}, after dms-relay apply if that is due; and start dms-relay watch"


# What sends it.


def _plugin(machine: PostfixFindings, found: tuple[_TokenLogin, ...]) -> Iterator[Finding]:
    """Find that our plugin is missing, or that another one may be used in its place."""
    if not found or machine.asked.get("smtp_sasl_type", "cyrus") != "cyrus":
        return
    origin, environment = found[0].entry.origin, machine.asked.get("import_environment", "")
    if missing := sasl_plugin.missing(environment):
        text = f"{missing} is missing, so Postfix cannot log in with an access token"
        yield Finding("token-plugin-missing", origin, text, _INSTALL)
    for path in sasl_plugin.others(environment):
        text = f"Cyrus SASL may use {path} instead of our plugin, and does not find the token there"
        yield Finding("other-token-plugin", origin, text, "remove the package that it belongs to (dpkg -S)")


def _sent_as_token(context: CheckContext, machine: PostfixFindings) -> Iterator[Finding]:
    """Find a password that could be sent with a mechanism for tokens, since a plugin exists and no filter excludes it."""
    environment = machine.asked.get("import_environment", "")
    if not (sasl_plugin.is_there(environment) or sasl_plugin.others(environment)) or not context.is_logging_in:
        return
    uses = ((use.entry, use.relay) for use in context.assignments if use.entry and not use.entry.login.oauth2)
    origins = {_service(context, machine, relay): entry.origin for entry, relay in reversed(list(uses))}
    postfix = Postfix(context.paths.postfix_dir)
    for service, origin in origins.items():
        words = tuple(filter_words(_filter(machine, service), postfix))
        if found := [name for name in TOKEN_MECHANISMS if passes(name, words)]:
            text = f"a plugin for access tokens is installed, and service {service} permits {' and '.join(found)}, by which"
            text += " Cyrus SASL may send the password"
            remedy = f"set {PARAMETER} = !xoauth2, !oauthbearer, static:all in main.cf, and remove what overrides it"
            yield Finding("password-as-token", origin, text, remedy)


def _service(context: CheckContext, machine: PostfixFindings, relay: str) -> str:
    """Return the service of master.cf that delivers mail to a relay."""
    if context.config.transports:
        return f"{PREFIX}{relay}"
    default = machine.view.values.get("default_transport") if machine.view else ""
    return default.partition(":")[0] or "smtp"


def _filter(machine: PostfixFindings, service: str) -> str:
    """Return a service's filter of mechanisms."""
    if machine.view is None:
        return machine.after.get(PARAMETER, "")
    found = machine.view.service(service)
    return (found[1] if found else machine.view.values).get(PARAMETER)


def _unverified(context: CheckContext) -> Iterator[Finding]:
    """Find a relay whose server gets a token without proving its identity; once for each relay."""
    uses = {use.relay: use for use in context.assignments if use.entry and use.entry.login.oauth2 and use.tls}
    for relay, use in uses.items():
        if use.tls and use.tls.level in _UNVERIFIED:
            text = f"at level {use.tls.level} the access token for relay {relay} is sent to any server that answers instead"
            remedy = "set tls: {level: secure} in relay.yaml, or RELAY_TLS_LEVEL=secure"
            yield Finding("token-to-unverified-server", use.origin or Origin("main.cf"), text, remedy)
