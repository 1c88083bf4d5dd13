"""What the operator sets in ``postfix-main.cf`` beside relays that have a transport of their own. Pure.

docker-mailserver writes that file to main.cf after dms-relay, at the first boot; the project's own image does not.
"""

from __future__ import annotations

from dms_relay.model import DIRECT, RECIPIENT_TRANSPORT, SENDER_TRANSPORT, Origin, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model.configuration import Inputs

#: The identifier of what is found here (docs/checks.md).
_RULE = "user-file-conflict"


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
        yield Problem(own.origin, text, "keep only one of them", rule=_RULE)
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
