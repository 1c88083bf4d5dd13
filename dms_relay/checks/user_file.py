"""``postfix-main.cf``: which other inputs it overrides, with ``RELAY_ROUTING=maps``. Pure.

With transports, merging refuses what would bypass them; nothing else in that file affects them.

Known limits: the contents of the operator's own lookup tables are not examined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dms_relay.checks.rules import Finding
from dms_relay.model import MAPS, RELAYHOST_MAP, SASL_PASSWD
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.model.values import replace
from dms_relay.postfix.main_cf import is_yes
from dms_relay.render import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dms_relay.checks.context import CheckContext

_PASSWORD_MAPS = "smtp_sasl_password_maps"  # noqa: S105 -- a parameter
_SECURITY_OPTIONS = "smtp_sasl_security_options"
_STATIC = "static:"
#: The word that forbids a password in plain text (postconf(5), smtp_sasl_security_options).
_NO_PLAINTEXT = "noplaintext"


class _Verdict(NamedTuple):
    """The effect of a value, as text after the parameter's name, and what to do about it."""

    text: str
    remedy: str = "remove the line, unless you want that"
    rule: str = "user-file-undoes"


def check_user_file(context: CheckContext) -> Iterator[Finding]:
    """Yield each parameter of the file that overrides a managed one, so that other inputs have no effect."""
    config = context.config
    if not config.enabled or not config.user_parameters or context.routing != MAPS:
        return
    ours = render(replace(config, user_parameters={}, own_parameters={}), context.paths).parameters
    for name, check in _CHECKS.items():
        own = config.user_parameters.get(name)
        is_applied = context.inputs.is_user_file_last or context.inputs.is_user_file_ours
        is_in_use = name in ours or (name == _PASSWORD_MAPS and is_applied)
        if own and is_in_use and own.value != ours.get(name) and (found := check(context, own.value)):
            yield Finding(found.rule, own.origin, f"{name} {found.text}", found.remedy)


def _relayhost(_subject: CheckContext, _value: str) -> _Verdict:
    # The file may not be applied here: its line counts only beside DEFAULT_RELAY_HOST.
    remedy = "remove the line, and set DEFAULT_RELAY_HOST to the relay that is meant"
    return _Verdict("overrides DEFAULT_RELAY_HOST, which has no effect", remedy)


def _routes(_subject: CheckContext, value: str) -> _Verdict | None:
    if f"/{RELAYHOST_MAP}" in value:
        return None
    return _Verdict("names your own lookup tables, so postfix-relaymap.cf and RELAY_HOST have no effect")


def _logins(context: CheckContext, value: str) -> _Verdict | None:
    if _STATIC in value and not context.has_default and context.is_logging_in:
        text = "offers the same login to every server that receives mail, not only to your relays"
        remedy = "remove the line, and add the login with its relay to postfix-sasl-password.cf"
        return _Verdict(text, remedy, "login-for-strangers")
    if f"/{SASL_PASSWD}" in value or not context.config.logins:
        return None
    return _Verdict("names your own lookup tables, so the logins of the other inputs have no effect")


def _by_sender(context: CheckContext, value: str) -> _Verdict | None:
    has_senders = any("@" in entry.key for entry in context.config.logins or ())
    return _Verdict("is not yes, so no login by sender is used") if has_senders and not is_yes(value) else None


def _auth(_subject: CheckContext, value: str) -> _Verdict | None:
    return _Verdict("is not yes, so no login is used at all") if not is_yes(value) else None


def _security(context: CheckContext, value: str) -> _Verdict | None:
    over_tls = context.parameter("smtp_sasl_tls_security_options")
    is_allowed = "smtp_sasl_tls_security_options" in context.user_file or (over_tls and _NO_PLAINTEXT not in over_tls)
    if _NO_PLAINTEXT not in value or is_allowed:
        return None
    text = f"contains {_NO_PLAINTEXT}, so Postfix does not log in with PLAIN or LOGIN"
    return _Verdict(text, f"remove {_NO_PLAINTEXT}")


def _level(context: CheckContext, value: str) -> _Verdict | None:
    has_policy = context.parameter("smtp_tls_policy_maps") or "smtp_tls_policy_maps" in context.user_file
    options = context.config.user_parameters.get(_SECURITY_OPTIONS)
    is_kept = options and _NO_PLAINTEXT in options.value
    if not context.is_logging_in or has_policy or is_kept or (value and value.lower() not in CLEARTEXT_LEVELS):
        return None
    remedy = "write encrypt; if a relay has no TLS, write the relays in relay.yaml, each with a level of its own"
    return _Verdict("lets a login be sent without TLS", remedy, "cleartext-login")


_CHECKS: dict[str, Callable[[CheckContext, str], _Verdict | None]] = {
    "relayhost": _relayhost,
    "sender_dependent_relayhost_maps": _routes,
    _PASSWORD_MAPS: _logins,
    "smtp_sender_dependent_authentication": _by_sender,
    "smtp_sasl_auth_enable": _auth,
    _SECURITY_OPTIONS: _security,
    "smtp_tls_security_level": _level,
}
