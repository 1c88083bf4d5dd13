"""``dms-relay complete WHAT``: words for shell completion, one a line. Not in the help; reads only the inputs.

Ignores problems with the inputs, and offers whatever it could read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dms_relay.postfix.nexthop import host_of
from dms_relay.sources import nexthops_of, read
from dms_relay.sources.managed_domains import read_domains

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable

    from dms_relay.commands import Context
    from dms_relay.model.configuration import Inputs


def run(arguments: Namespace, context: Context) -> int:
    """Print the words, each once, sorted."""
    inputs = read(context.paths, context.environ)
    managed = [domain.name for domain in read_domains(context.paths, [])]
    words = {"domains": _domains, "relays": _relays, "tried": _tried, "mapped": _mapped, "logins": _logins}
    offer: Callable[[Inputs], Iterable[str]] = words.get(arguments.what, lambda _: ())
    found = {*offer(inputs), *(managed if arguments.what == "domains" else ())}
    context.say(*sorted(found))
    return os.EX_OK


def _domains(inputs: Inputs) -> Iterable[str]:
    """Return every domain that the inputs name; ``run`` adds the managed ones."""
    return (word.removeprefix("@") for word in (*_mapped(inputs), *_logins(inputs)) if "@" in word)


def _mapped(inputs: Inputs) -> Iterable[str]:
    """Return the senders of ``postfix-relaymap.cf``."""
    relaymap = inputs.relaymap
    if relaymap is None:
        return []
    return [*(route.key for route in relaymap.routes), *(f"@{domain.name}" for domain in relaymap.opt_outs)]


def _logins(inputs: Inputs) -> Iterable[str]:
    """Return the keys of ``postfix-sasl-password.cf``, except bare names: a command would read these as domains."""
    return [entry.key for entry in inputs.logins or () if any(sign in entry.key for sign in "@[:")]


def _relays(inputs: Inputs) -> Iterable[str]:
    """Return the host of every relay."""
    return map(host_of, nexthops_of(inputs))


def _tried(inputs: Inputs) -> Iterable[str]:
    """Return every relay as ``test`` accepts it: the names of relay.yaml, and the nexthops."""
    names = [relay.name for relay in inputs.file.relays] if inputs.file else []
    return [*names, *nexthops_of(inputs)]
