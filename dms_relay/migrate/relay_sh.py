"""relay.sh's world: docker-mailserver's variables, ``postfix-relaymap.cf`` and ``postfix-sasl-password.cf``.

What relay.sh makes of them is what our own ``RELAY_ROUTING=maps`` makes (docs/rules.md): these rooms read the inputs, and
what ``apply`` would do with them is what there is to import. Writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.explain.views import view_after, view_now
from dms_relay.merge import merge
from dms_relay.migrate.draft import Left, Name
from dms_relay.migrate.given import Given, applied, with_parameters
from dms_relay.migrate.kinds import RELAY_SH
from dms_relay.migrate.names import ANY_USER
from dms_relay.model import MAPS
from dms_relay.plan import plan
from dms_relay.plan.found import find
from dms_relay.postfix.programs import Postfix
from dms_relay.render import render
from dms_relay.sources import read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dms_relay.explain.views import View
    from dms_relay.migrate.environment import Variables
    from dms_relay.model import Paths, Problem
    from dms_relay.model.configuration import RelayConfig

#: Variables that tell this source from others, and files of the configuration directory.
MARKS = ("DEFAULT_RELAY_HOST", "RELAY_HOST")
FILES = ("postfix-relaymap.cf", "postfix-sasl-password.cf")
_LEVEL = "smtp_tls_security_level"


def given_of(paths: Paths, variables: Variables) -> tuple[Given, tuple[Problem, ...]]:
    """Return what relay.sh makes of the inputs, and what they are warned of. Raises ``InputError``."""
    environ = {**variables.values, "RELAY_ROUTING": MAPS}
    config = merge(read(paths, environ))
    postfix = Postfix(paths.postfix_dir)
    now = view_now(postfix)
    changes = plan(render(config, paths), find(paths), from_scratch=True)
    view = view_after(postfix, now, changes, paths)
    parameters = _direct(now, view)
    left = _left(config, parameters)

    def after(directory: Path) -> View:
        return with_parameters(applied(postfix, now, directory), parameters)

    given = Given(RELAY_SH, view, postfix, after, tuple(_senders(config)), {}, parameters, {}, left, _origins(config))
    return given, config.warnings


def _senders(config: RelayConfig) -> list[Name]:
    return [Name(domain.name, f"{ANY_USER}@{domain.name}", str(domain.origin)) for domain in config.opted_out]


def _direct(now: View, view: View) -> dict[str, str]:
    """Return the level of TLS of mail that goes directly: relay.sh sets it for all mail, and ``relay.yaml`` for relays."""
    level = view.values.get(_LEVEL)
    return {_LEVEL: level} if level and level != now.values.get(_LEVEL) else {}


def _origins(config: RelayConfig) -> Mapping[str, str]:
    found = {route.key.casefold(): str(route.origin) for route in config.routes}
    found |= {
        entry.key.casefold(): str(entry.origin) for entry in config.logins or () if entry.key.casefold() not in found
    }
    return found | ({"relayhost": str(config.default[1])} if config.default else {})


def _left(config: RelayConfig, parameters: Mapping[str, str]) -> tuple[Left, ...]:
    left = []
    if any(str(route.origin).startswith("env ") for route in config.routes):
        text = "RELAY_HOST follows the mail domains of this server; relay.yaml names each of them"
        left.append(
            Left("env RELAY_HOST", text, "add a domain to relay.yaml when you add one to the server", is_note=True)
        )
    if parameters:
        text = "relay.sh demands TLS of every server, also of those that mail goes to directly"
        remedy = "for TLS where it is offered, as is usual, leave that line out of postfix-main.cf"
        left.append(Left(_LEVEL, text, remedy, is_note=True))
    return tuple(left)
