"""Senders that bypass their relay while the inputs cannot be used: those that the configuration in force lacks.

Nothing is applied until wrong inputs are fixed, but docker-mailserver manages a new account's domain at once. Reads the
managed domains, main.cf, and the managed tables. Writes nothing.

Known limits: does not look into an operator's own tables; ignores senders that were removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.errors import RelayError
from dms_relay.model import RELAYHOST_MAP, SENDER_TRANSPORT, Origin, Problem, Relaymap
from dms_relay.plan.found import find
from dms_relay.sources.managed_domains import read_domains

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Paths
    from dms_relay.model.configuration import Inputs
    from dms_relay.plan.found import Found

#: Maximum senders in a text: many, since its reader must know whose mail goes directly.
_SHOWN = 20


def left_out(paths: Paths, inputs: Inputs) -> Problem | None:
    """Return who bypasses the relay until the inputs can be used; ``None`` if that is nobody, or unknown.

    The caller reports what is wrong with the inputs. If nothing was ever applied, nothing is in force.
    """
    try:
        found = find(paths)
    except RelayError:
        return None
    if not (found.state.tables or found.state.parameters) or _has_default(found):
        return None
    served = set(_keys(found))
    if missing := {key: origin for key, origin in _wanted(paths, inputs).items() if key.casefold() not in served}:
        origin = next(iter(missing.values()))
        return Problem(origin, _past(list(missing)), "fix the inputs", rule="new-sender-not-relayed")
    return None


def _has_default(found: Found) -> bool:
    """Return True if every sender has a relay: mail without a route of its own does not go directly."""
    transport = found.parameters.get("default_transport") or ""
    return bool(found.parameters.get("relayhost") or transport.partition(":")[2])


def _keys(found: Found) -> Iterator[str]:
    for name in (RELAYHOST_MAP, SENDER_TRANSPORT):
        table = found.tables.get(name)
        for line in table.content.decode("utf-8", "replace").splitlines() if table else ():
            yield line.partition("\t")[0].casefold()


def _wanted(paths: Paths, inputs: Inputs) -> dict[str, Origin]:
    """Return the senders with a relay in the inputs, as far as these can be read."""
    relaymap = inputs.relaymap or Relaymap()
    wanted = {route.key: route.origin for route in relaymap.routes}
    wanted |= {sender.key: sender.origin for sender in (inputs.file.senders if inputs.file else ()) if sender.relay}
    out = {domain.name.casefold() for domain in relaymap.opt_outs}
    if inputs.relay:
        domains = inputs.domains or read_domains(paths, [])
        wanted |= {f"@{domain.name}": domain.origin for domain in domains if domain.name.casefold() not in out}
    return wanted


def _past(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"until the inputs are fixed, no relay is set for {', '.join(keys[:_SHOWN])}{more}: that mail goes directly"
