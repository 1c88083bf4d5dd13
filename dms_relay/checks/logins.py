"""Logins: who has none, and who is offered one. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dms_relay.checks.rules import Finding
from dms_relay.model import NULL_SENDER, RELAY_YAML, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.assignments import Use
    from dms_relay.checks.subject import Subject
    from dms_relay.model import LoginEntry

#: How many names a text shows at most; where there are more, the last of them are counted.
_SHOWN = 3
#: What looks like a comment behind a login.
_COMMENT = re.compile(r"\s#")


def check_logins(subject: Subject) -> Iterator[Finding]:
    """Give what is to be said of logins, as far as merging has not said it."""
    yield from map(_comment, filter(_has_comment, subject.inputs.logins or ()))
    if not subject.is_logging_in:
        return
    at: dict[str, list[Use]] = {}
    for use in subject.uses:
        if use.nexthop:
            at.setdefault(use.nexthop.casefold(), []).append(use)
    # Whom the operator's own tables have a login for is not known here.
    if _has_login(subject) and "smtp_sasl_password_maps" not in subject.config.user_parameters:
        for found in at.values():
            yield from _without_login(subject, found)
    for found in at.values():
        yield from _mx_lookup(subject, found)
    for entry in subject.config.logins or ():
        yield from _hidden(entry, at.get(entry.key.casefold(), []))


def _has_comment(entry: LoginEntry) -> bool:
    return bool(_COMMENT.search(entry.login.password))


def _comment(entry: LoginEntry) -> Finding:
    """Say that the file has no comments behind a login; the contract has passwords with any sign in them."""
    text = "the password holds a blank and a #: what looks like a comment is part of it"
    return Finding("comment-in-password", entry.origin, text, "write comments on lines of their own")


def _without_login(subject: Subject, uses: list[Use]) -> Iterator[Finding]:
    """Find senders without a login at a nexthop; ``<>`` apart, where the logins there belong to senders.

    Recipients are left out, and so are MX hosts that relay.yaml names: a partner's server wants no login.
    """
    without = [use for use in uses if not (use.entry or use.recipient or (_is_mx(use) and subject.is_of_file(use)))]
    if any(use.entry and "@" in use.entry.key for use in uses):
        yield from (_null_sender(subject, use) for use in without if use.sender == NULL_SENDER)
        without = [use for use in without if use.sender != NULL_SENDER]
    if without:
        text = f"mail of {_who(without)} goes to {without[0].nexthop} without a login, while others have one"
        yield Finding("relay-without-login", _origin(without[0]), text, _remedy(subject, without[0]))


def _is_mx(use: Use) -> bool:
    return not use.nexthop.startswith("[")


def _null_sender(subject: Subject, use: Use) -> Finding:
    text = f"bounces (sender {NULL_SENDER}) go to {use.nexthop} without a login: the logins there belong to senders"
    return Finding("null-sender-without-login", _origin(use), text, _remedy(subject, use))


def _origin(use: Use) -> Origin:
    """Give the place of the route; whatever has a nexthop has one."""
    return use.origin or Origin("main.cf")


def _remedy(subject: Subject, use: Use) -> str:
    if subject.is_of_file(use):
        return f"give relay {use.relay} a login in {RELAY_YAML}"
    return f"write {use.nexthop} and its login into postfix-sasl-password.cf"


def _who(uses: list[Use]) -> str:
    """Say whose mail it is; who is not named comes last."""
    return listed(use.sender or "every other sender" for use in uses)


def listed(names: Iterable[str]) -> str:
    """Give the first names, and how many more there are."""
    found = list(dict.fromkeys(names))
    first, last = found[: _SHOWN - 1], found[_SHOWN - 1 :]
    if len(last) > 1:
        return f"{', '.join(first)} and {len(last)} more"
    return " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))


def _has_login(subject: Subject) -> bool:
    """Whether a login is set for anybody."""
    services = subject.config.transports.services if subject.config.transports else ()
    return bool(subject.config.logins) or any(service.logins or service.sender_logins for service in services)


def _hidden(entry: LoginEntry, uses: list[Use]) -> Iterator[Finding]:
    """Find a login of the environment (it has no line) at a nexthop for whose host alone the file has another."""
    others = [use.entry for use in uses if use.entry and use.entry != entry and "@" not in use.entry.key]
    if others and not entry.origin.line:
        text = f"this login for {entry.key} is not used: Postfix finds {others[0].key} ({others[0].origin}) first"
        yield Finding("env-login-overridden", entry.origin, text, "keep one of the two")


def _mx_lookup(subject: Subject, uses: list[Use]) -> Iterator[Finding]:
    """Find a nexthop without brackets that is offered a login; relay.yaml says ``mx`` where it means that."""
    use = next((use for use in uses if use.entry and not subject.is_of_file(use)), None)
    if use and _is_mx(use):
        host, colon, port = use.nexthop.partition(":")
        text = f"{use.nexthop} has no brackets, so whatever hosts its MX records name are offered the login"
        is_key = use.entry and use.entry.key.casefold() == use.nexthop.casefold() and use.entry.origin.line
        remedy = f"write [{host}]{colon}{port}{', as the key of its login as well' if is_key else ''}"
        yield Finding("mx-lookup-with-login", _origin(use), text, remedy)
