"""Postfix: how its configuration differs from the inputs, and what it can do.

Checks that Cyrus SASL's mechanisms and the file of authorities exist; ``context`` has read everything else.

Known limits: the state file contains neither the text of tables, so a table changed by hand shows only as ``apply-due``,
nor what a managed service overrides.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.assignments import sender_keys
from dms_relay.checks.lookups import RECIPIENTS, SENDERS
from dms_relay.checks.rules import Finding
from dms_relay.mask import mask_parameter
from dms_relay.model import AUTHORITY_LEVELS, MAPS, Origin
from dms_relay.plan.unread import unread
from dms_relay.postfix.main_cf import is_yes
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.checks.context import CheckContext, PostfixFindings
    from dms_relay.plan import ParameterChange, TableChange

MAIN_CF = Origin("main.cf")
#: Where Cyrus SASL keeps its mechanisms: Debian, Alpine and Arch, Red Hat, a local build.
SASL_DIRECTORIES = ("/usr/lib/*/sasl2", "/usr/lib/sasl2", "/usr/lib64/sasl2", "/usr/local/lib/sasl2")
#: The mechanisms that relays offer; one of them is enough.
_MECHANISMS = ("libplain.so*", "liblogin.so*")
#: What a transport for each relay needs: ``inline:`` tables (RELEASE_NOTES-3.0), smtp_tls_wrappermode (postconf(5)).
_TRANSPORTS_SINCE = (3, 0)
#: Several nexthops in one route (RELEASE_NOTES-3.5).
_LISTS_SINCE = (3, 5)
#: Parameters that hold routes of ours.
_ROUTES = ("relayhost", "sender_dependent_relayhost_maps", "default_transport", RECIPIENTS, SENDERS)
#: Maximum tables, services, parameters or files in a text.
_SHOWN = 4


def check_machine(context: CheckContext, sasl_directories: Iterable[str] = SASL_DIRECTORIES) -> Iterator[Finding]:
    """Yield the findings about Postfix."""
    if machine := context.machine:
        yield from _changes(machine)
        yield from _reload(context, machine)
        if context.config.enabled:
            yield from _other_ways(context)
            yield from _authorities(context, machine)
            yield from _version(context, machine)
            yield from _mechanisms(context, machine, sasl_directories)


# What differs.


def _changes(machine: PostfixFindings) -> Iterator[Finding]:
    """Yield each change that somebody else made; and once that ``apply`` is due, if there is more."""
    changes, state = machine.plan, machine.plan.found.state
    behind = [c for c in changes.parameters if not c.put_back and _is_changed(c, machine)]
    for change in behind:
        yield Finding("parameter-changed", MAIN_CF, *_changed(change, state.parameters[change.name].values))
    opened = [table for table in changes.tables if table.name in state.tables and _has_other_rights(table)]
    yield from map(_table, opened)
    names = [table.name for table in changes.tables if table not in opened or _has_other_content(table)]
    names += [service.name for service in changes.services]
    names += ["postfix-master.cf"] if changes.overlay and changes.overlay.is_changed else []
    names += [change.name for change in changes.parameters if change not in behind]
    if names:
        text = f"Postfix's configuration differs from the inputs: {_list(names)} would change"
        yield Finding("apply-due", MAIN_CF, text, "run dms-relay apply")


def _reload(context: CheckContext, machine: PostfixFindings) -> Iterator[Finding]:
    """Find what the running Postfix has not read since it was changed."""
    found = machine.plan.found
    master = Postfix(context.paths.postfix_dir).master_pid(found.parameters)
    if files := [str(path.relative_to(context.paths.postfix_dir)) for path in unread(context.paths, found, master)]:
        text = f"the running Postfix has not read {_list(files)} since the last change"
        yield Finding("reload-due", Origin(files[0]), text, "run dms-relay apply, which reloads Postfix")


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _is_changed(change: ParameterChange, machine: PostfixFindings) -> bool:
    """Return True if ``apply`` never set the value that main.cf has."""
    given = machine.plan.found.state.parameters.get(change.name)
    return given is not None and change.old not in given.values


def _changed(change: ParameterChange, values: tuple[str, ...]) -> tuple[str, str]:
    now = "is not set" if change.old is None else f"is {mask_parameter(change.name, change.old) or 'empty'}"
    was = mask_parameter(change.name, values[-1]) if values else ""
    text = f"{change.name} was changed since the last apply: it {now}, and apply had set it to {was or 'nothing'}"
    return text, "run dms-relay apply to set it again; to keep the new value, write it into postfix-main.cf"


def _has_other_rights(table: TableChange) -> bool:
    old, new = table.old, table.new
    return old is not None and new is not None and (old.mode, old.uid, old.gid) != (new.mode, new.uid, new.gid)


def _has_other_content(table: TableChange) -> bool:
    return table.old is None or table.new is None or table.old.content != table.new.content


def _table(table: TableChange) -> Finding:
    old = table.old
    mode = f"mode {old.mode:04o}, owner {old.uid}:{old.gid}" if old else ""
    return Finding(
        "table-changed",
        Origin(table.name),
        f"it was changed since the last apply: it has {mode}",
        "run dms-relay apply",
    )


# Where mail goes.


def _other_ways(context: CheckContext) -> Iterator[Finding]:
    """Find what overrides the managed routes, with ``RELAY_ROUTING=maps`` only: transports override all of it."""
    yield from _overridden(context)
    if context.routing != MAPS:
        return
    transport = context.after("default_transport")
    if transport.partition(":")[2]:
        text = f"default_transport = {transport} names a nexthop, so relayhost and relays by sender have no effect"
        yield Finding("routes-not-used", MAIN_CF, text, "remove default_transport from main.cf")
    yield from _tables(context, context.machine.ways if context.machine else {})
    relayhost = context.after("relayhost")
    if relayhost and not context.inputs.default and "relayhost" not in context.inputs.user_parameters:
        for domain in context.config.opted_out:
            text = f"the opt-out of @{domain.name} has no effect: its mail goes to relayhost = {relayhost} of main.cf"
            yield Finding("opt-out-without-effect", domain.origin, text, "clear relayhost in main.cf")
        text = f"mail of senders without a relay goes to relayhost = {relayhost}, which no input sets"
        yield Finding("foreign-relayhost", MAIN_CF, text, "set DEFAULT_RELAY_HOST, or clear relayhost in main.cf")


def _overridden(context: CheckContext) -> Iterator[Finding]:
    """Find managed routes that the service of trivial-rewrite(8) does not see because it overrides their parameter."""
    view = context.machine.view if context.machine else None
    if view is None:
        return
    for name in _ROUTES:
        value, seen = view.values.get(name), view.of_resolver.values.get(name)
        if name in context.wanted.parameters and value != seen:
            text = f"the service of trivial-rewrite(8) overrides {name} = {mask_parameter(name, value)} in master.cf"
            remedy = f"remove {name} from that service (rewrite unix) in master.cf; then run postfix reload"
            yield Finding("routes-not-used", Origin("master.cf"), f"{text}, so its routes have no effect", remedy)


def _tables(context: CheckContext, ways: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """Find entries of the operator's own tables that override the managed routes."""
    remedy = "remove that entry from its table, or remove the route"
    for key, value in ways.get(RECIPIENTS, {}).items():
        text = f"{RECIPIENTS} sends all mail to {value} ({key}), so relayhost and relays by sender have no effect"
        yield Finding("routes-not-used", MAIN_CF, text, remedy)
    entries = {key.casefold(): value for key, value in ways.get(SENDERS, {}).items()}
    for route in context.config.routes if entries else ():
        if found := next((entries[key] for key in sender_keys(route.key) if key in entries), None):
            text = f"{SENDERS} sends mail of {route.key} to {found}, so its relay {route.nexthops.text} has no effect"
            yield Finding("routes-not-used", route.origin, text, remedy)


# What Postfix can do.


def _authorities(context: CheckContext, machine: PostfixFindings) -> Iterator[Finding]:
    """Find a level that verifies certificates without an authority (TLS_README); with transports each relay has its own."""
    level = context.after("smtp_tls_security_level")
    if (
        context.routing != MAPS
        or level not in AUTHORITY_LEVELS
        or is_yes(machine.asked.get("tls_append_default_CA", ""))
    ):
        return
    file, anchor = (machine.asked.get(name, "") for name in ("smtp_tls_CAfile", "smtp_tls_trust_anchor_file"))
    if anchor or machine.asked.get("smtp_tls_CApath") or (file and Path(file).is_file()):
        return
    missing = (
        f"smtp_tls_CAfile = {file} does not exist" if file else "neither smtp_tls_CAfile nor smtp_tls_CApath is set"
    )
    text = f"smtp_tls_security_level = {level} verifies certificates, but no certificate authority is configured: {missing}"
    remedy = "install ca-certificates, and set smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt"
    yield Finding("no-authorities", MAIN_CF, text, remedy)


def _version(context: CheckContext, machine: PostfixFindings) -> Iterator[Finding]:
    """Find features that this Postfix is too old for."""
    shown = machine.asked.get("mail_version", "")
    if not (match := re.match(r"(\d+)\.(\d+)", shown)):
        return
    version = (int(match[1]), int(match[2]))
    if version < _TRANSPORTS_SINCE and context.routing != MAPS:
        yield _too_old(shown, Origin("main.cf"), "a transport for each relay", _TRANSPORTS_SINCE)
    if version < _LISTS_SINCE:
        for text, origin in _lists(context):
            yield _too_old(shown, origin, f"several nexthops in one route ({text})", _LISTS_SINCE)


def _too_old(shown: str, origin: Origin, what: str, since: tuple[int, int]) -> Finding:
    text = f"Postfix {shown} is too old for {what}"
    return Finding("postfix-too-old", origin, text, f"upgrade to Postfix {since[0]}.{since[1]} or later")


def _lists(context: CheckContext) -> Iterator[tuple[str, Origin]]:
    """Yield each route with several nexthops, once."""
    config = context.config
    if config.transports:
        found = [(service.relay.nexthops, service.relay.origin) for service in config.transports.services]
    else:
        found = [(route.nexthops, route.origin) for route in config.routes]
        found += [config.default] if config.default else []
    yield from dict.fromkeys((nexthops.text, origin) for nexthops, origin in found if len(nexthops.members) > 1)


def _mechanisms(context: CheckContext, machine: PostfixFindings, directories: Iterable[str]) -> Iterator[Finding]:
    """Find a login for which Cyrus SASL has no mechanism; silent if its directory is not found."""
    entry = next((use.entry for use in context.assignments if use.entry), None)
    if entry is None or not context.is_logging_in or machine.asked.get("smtp_sasl_type", "cyrus") != "cyrus":
        return
    root = Path("/")
    found = [path for pattern in directories for path in root.glob(pattern.lstrip("/")) if path.is_dir()]
    if found and not any(next(path.glob(name), None) for path in found for name in _MECHANISMS):
        text = f"a login is set, but {found[0]} has neither PLAIN nor LOGIN, so Postfix cannot log in"
        yield Finding(
            "sasl-mechanisms-missing",
            entry.origin,
            text,
            "install libsasl2-modules (on other systems the package has another name)",
        )
