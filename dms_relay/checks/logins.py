"""Logins: who has none, and who is offered one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.checks.rules import Finding, from_problem
from dms_relay.model import NULL_SENDER, RELAY_YAML, Origin
from dms_relay.postfix.nexthop import host_of, is_address
from dms_relay.sources.packed_logins import FIRST, packed_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.assignments import Assignment
    from dms_relay.checks.context import CheckContext
    from dms_relay.model import LoginEntry

#: Maximum names in a text; it counts the rest.
_SHOWN = 3


def check_logins(context: CheckContext) -> Iterator[Finding]:
    """Yield the findings about logins that merging does not report."""
    yield from map(from_problem, packed_entries((context.inputs.logins or ())[FIRST:]))
    yield from _unknown(context)
    if not context.is_logging_in:
        return
    spelled: dict[str, list[Assignment]] = {}
    for use in context.assignments:
        spelled.setdefault(use.nexthop, []).append(use)
    at: dict[str, list[Assignment]] = {}
    for nexthop, found in spelled.items():
        if nexthop:
            at.setdefault(nexthop.casefold(), []).extend(found)
    # The contents of the operator's own tables are unknown here.
    if _has_login(context) and "smtp_sasl_password_maps" not in context.config.user_parameters:
        for found in at.values():
            yield from _without_login(context, found)
    for found in at.values():
        yield from _mx_lookup(context, found)
    for entry in context.config.logins or ():
        yield from _hidden(entry, at.get(entry.key.casefold(), []))


def used_by_main_cf(context: CheckContext) -> frozenset[Origin]:
    """Return the places of the logins that are, or may be, for a nexthop that main.cf names itself."""
    own = context.machine.own if context.machine else None
    logins = (context.config.logins or ()) if own else ()
    return frozenset(
        entry.origin
        for entry in logins
        if own and "@" not in entry.key and (own.unknown or entry.key.casefold() in own.keys)
    )


def _unknown(context: CheckContext) -> Iterator[Finding]:
    """Yield each login that may be for a nexthop of a table that cannot be read."""
    own = context.machine.own if context.machine else None
    origins = {problem.origin for problem in context.config.warnings if problem.rule == "login-without-relay"}
    for entry in (context.config.logins or ()) if own and own.unknown else ():
        if own and entry.origin in origins and "@" not in entry.key and entry.key.casefold() not in own.keys:
            text = f"no relay of the inputs has this lookup key; {own.unknown[0]} cannot be read here"
            remedy = "run dms-relay explain SENDER RECIPIENT to see if the login is used; if it is not, remove it"
            yield Finding("login-without-relay", entry.origin, text, remedy)


def _without_login(context: CheckContext, assignments: list[Assignment]) -> Iterator[Finding]:
    """Find senders without a login at a nexthop; ``<>`` separately, if the logins there are keyed by sender.

    Skips recipients, and MX hosts that relay.yaml names: a partner's server needs no login.
    """
    without = [
        use for use in assignments if not (use.entry or use.recipient or (_is_mx(use) and context.is_of_file(use)))
    ]
    if any(use.entry and "@" in use.entry.key for use in assignments):
        yield from (_null_sender(context, use) for use in without if use.sender == NULL_SENDER)
        without = [use for use in without if use.sender != NULL_SENDER]
    if without:
        text = f"mail of {_who(without)} goes to {without[0].nexthop} without a login, while others have one"
        yield Finding("relay-without-login", _origin(without[0]), text, _remedy(context, without[0]))


def _is_mx(use: Assignment) -> bool:
    return not (use.nexthop.startswith("[") or is_address(host_of(use.nexthop)))


def _null_sender(context: CheckContext, use: Assignment) -> Finding:
    text = f"bounces (sender {NULL_SENDER}) go to {use.nexthop} without a login: its logins are keyed by sender"
    return Finding("null-sender-without-login", _origin(use), text, _remedy(context, use))


def _origin(use: Assignment) -> Origin:
    """Return the origin of the route; everything with a nexthop has one."""
    return use.origin or Origin("main.cf")


def _remedy(context: CheckContext, use: Assignment) -> str:
    if context.is_of_file(use):
        return f"give relay {use.relay} a login in {RELAY_YAML}"
    return f"add {use.nexthop} and its login to postfix-sasl-password.cf"


def _who(assignments: list[Assignment]) -> str:
    """Return the senders of the mail, as text."""
    return listed(use.sender or "every other sender" for use in assignments)


def listed(names: Iterable[str]) -> str:
    """Return the first names, and the number of the others."""
    found = list(dict.fromkeys(names))
    first, last = found[: _SHOWN - 1], found[_SHOWN - 1 :]
    if len(last) > 1:
        return f"{', '.join(first)} and {len(last)} more"
    return " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))


def _has_login(context: CheckContext) -> bool:
    """Return True if any login is set."""
    services = context.config.transports.services if context.config.transports else ()
    return bool(context.config.logins) or any(service.logins or service.sender_logins for service in services)


def _hidden(entry: LoginEntry, assignments: list[Assignment]) -> Iterator[Finding]:
    """Find a login of the environment (it has no line) that a login of the file for the host alone overrides."""
    if entry.origin.line:
        return
    entries = (use.entry for use in assignments)
    other = next((one for one in entries if one and one is not entry and one != entry and "@" not in one.key), None)
    if other:
        text = f"this login for {entry.key} is not used: Postfix finds {other.key} ({other.origin}) first"
        yield Finding("env-login-overridden", entry.origin, text, "keep only one of them")


def _mx_lookup(context: CheckContext, assignments: list[Assignment]) -> Iterator[Finding]:
    """Find a nexthop without brackets that is offered a login; in relay.yaml ``mx`` permits that."""
    use = next((use for use in assignments if use.entry and not context.is_of_file(use)), None)
    if use and _is_mx(use):
        host, colon, port = use.nexthop.partition(":")
        text = f"{use.nexthop} has no brackets, so the login is offered to every host that its MX records name"
        is_key = use.entry and use.entry.key.casefold() == use.nexthop.casefold() and use.entry.origin.line
        remedy = f"write [{host}]{colon}{port}{', also as the key of its login' if is_key else ''}"
        yield Finding("mx-lookup-with-login", _origin(use), text, remedy)
