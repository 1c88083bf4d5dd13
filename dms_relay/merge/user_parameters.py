"""Decides which of the operator's lines in ``postfix-main.cf`` count, and refuses those that would break relays. Pure.

docker-mailserver writes that file to main.cf after dms-relay, at the first boot; in our own image ``apply`` does. Elsewhere
nothing does: there a line counts only if dms-relay would set the same parameter.
"""

from __future__ import annotations

from dms_relay.model import (
    DIRECT,
    MECHANISM_FILTER,
    PROTECTION_PARAMETERS,
    RECIPIENT_TRANSPORT,
    ROUTE_PARAMETERS,
    SENDER_TRANSPORT,
    TRANSPORTS,
    Origin,
    Problem,
)
from dms_relay.model.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model.configuration import Inputs

#: The identifier of the findings here (docs/checks.md).
_RULE = "user-file-conflict"
#: The identifier of lines that nothing applies.
_NOT_APPLIED = "user-file-not-applied"
#: Names that a message shows.
_SHOWN = 3


def believe(inputs: Inputs) -> tuple[Inputs, list[Problem]]:
    """Return the inputs without the lines that nothing applies here, and a problem that names these lines."""
    counts = _counting(inputs) & inputs.own_parameters.keys()
    believed = {name: own for name, own in inputs.user_parameters.items() if name in counts}
    rest = [(name, own.origin) for name, own in inputs.own_parameters.items() if name not in counts]
    services = [(key, own.origin) for key, own in inputs.service_parameters.items()]
    unused = [_not_applied(found, option) for found, option in ((rest, "-e"), (services, "-P")) if found]
    return replace(inputs, user_parameters=believed), unused


def _not_applied(found: list[tuple[str, Origin]], option: str) -> Problem:
    names = ", ".join(name for name, _ in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    have, lines = ("has", "line") if len(found) == 1 else ("have", "lines")
    text = f"nothing applies this file here, so {names}{more} {have} no effect"
    remedy = f"set it with postconf {option} instead, and remove the {lines}"
    return Problem(min(origin for _, origin in found), text, remedy, is_error=False, rule=_NOT_APPLIED)


def _counting(inputs: Inputs) -> set[str]:
    """Return the parameters that dms-relay would set, where the operator's value replaces ours."""
    file = inputs.file
    if not (inputs.default or inputs.relay or inputs.relaymap is not None or file):
        return set()
    if inputs.routing == TRANSPORTS:
        has_default = inputs.default or (file and file.default)
        own = {MECHANISM_FILTER} if inputs.oauth2 or (file and file.has_oauth2) else set()
        return own | {name for name in ROUTE_PARAMETERS if name != "default_transport" or has_default}
    names = {"sender_dependent_relayhost_maps"} | ({"relayhost"} if inputs.default else set())
    if inputs.logins is not None or (inputs.username and inputs.password and (inputs.default or inputs.relay)):
        names |= set(PROTECTION_PARAMETERS)
    return names if inputs.logins is not None else names - {"smtp_sender_dependent_authentication"}


def check_user_parameters(
    inputs: Inputs, default: tuple[str | None, Origin] | None, *, has_senders: bool
) -> Iterator[Problem]:
    """Reject parameters that would override the relays and routes."""
    for name in ("relayhost", "sender_dependent_relayhost_maps"):
        own = inputs.user_parameters.get(name)
        if own and own.value:
            text = f"{name} would relay mail that must go directly, and RELAY_ROUTING=transports needs it empty"
            remedy = "remove the line, and set the route of that mail in relay.yaml"
            yield Problem(own.origin, text, remedy, rule=_RULE)
    own = inputs.user_parameters.get("default_transport")
    if own and default and own.value.partition(":")[0] != (f"relay-{default[0]}" if default[0] else "smtp"):
        whose = f"relay {default[0]}" if default[0] else f"the {DIRECT} route"
        text = f"default_transport would override {whose}, the default of {default[1]}"
        remedy = "remove the line, and set DEFAULT_RELAY_HOST (relay.yaml: default) to the relay that is meant"
        yield Problem(own.origin, text, remedy, rule=_RULE)
    if inputs.is_user_file_last:
        yield from _check_prepended_maps(inputs, has_senders=has_senders)


def _check_prepended_maps(inputs: Inputs, *, has_senders: bool) -> Iterator[Problem]:
    """Reject, in docker-mailserver, a line that would overwrite the parameter with a managed table."""
    tables = {
        "sender_dependent_default_transport_maps": (SENDER_TRANSPORT, has_senders),
        "transport_maps": (RECIPIENT_TRANSPORT, bool(inputs.file and inputs.file.recipients)),
    }
    for name, (table, is_needed) in tables.items():
        own = inputs.user_parameters.get(name)
        if own and is_needed and table not in own.value:
            line = f"{name} = texthash:$config_directory/{table}, {own.value}".rstrip(", ")
            text = f"docker-mailserver writes {name} to main.cf after this, so the managed routes would be lost"
            yield Problem(own.origin, text, f"write {line}", rule=_RULE)
