"""relay.sh's world: docker-mailserver's variables, ``postfix-relaymap.cf`` and ``postfix-sasl-password.cf``.

relay.sh does with them what our own ``RELAY_ROUTING=maps`` does (docs/rules.md): so our own modules read the inputs, and
the result of ``apply`` is what there is to import. Writes nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dms_relay.explain.views import view_after, view_now
from dms_relay.merge import merge
from dms_relay.migrate.draft import Left, Name, TakenLogin
from dms_relay.migrate.given import Given, applied, with_parameters
from dms_relay.migrate.kinds import RELAY_SH
from dms_relay.migrate.names import ANY_USER
from dms_relay.model import MAPS
from dms_relay.plan import plan
from dms_relay.plan.found import find
from dms_relay.postfix.programs import Postfix
from dms_relay.render import render
from dms_relay.sources import read
from dms_relay.sources.environment import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.explain.views import View
    from dms_relay.migrate.environment import Variables
    from dms_relay.model import Paths, Problem
    from dms_relay.model.configuration import RelayConfig

#: Variables that identify this source, and files of the configuration directory.
MARKS = ("DEFAULT_RELAY_HOST", "RELAY_HOST")
FILES = ("postfix-relaymap.cf", "postfix-sasl-password.cf")
_PASSWORD_FILES = ("RELAY_PASSWORD__FILE", "RELAY_PASSWORD_FILE")
_LEVEL = "smtp_tls_security_level"
_NOTE = Left(
    _LEVEL,
    "relay.sh requires TLS of every server, even of those that mail goes to directly",
    "for TLS only if it is offered, as is usual, leave that line out of postfix-main.cf",
    is_note=True,
)


def given_of(paths: Paths, variables: Variables) -> tuple[Given, tuple[Problem, ...]]:
    """Return the configuration that relay.sh derives from the inputs, and warnings about these. Raises ``InputError``."""
    environ = {**variables.values, "RELAY_ROUTING": MAPS}
    config = merge(read(paths, environ))
    postfix = Postfix(paths.postfix_dir)
    now = view_now(postfix)
    changes = plan(render(config, paths), find(paths), from_scratch=True)
    view = view_after(postfix, now, changes, paths)
    direct = _direct(now, view)
    given = Given(
        source=RELAY_SH,
        view=view,
        postfix=postfix,
        after=lambda directory, own: with_parameters(applied(postfix, now, directory), own),
        senders=tuple(_senders(config)),
        logins=_in_files(config, variables),
        direct=direct,
        direct_note=_NOTE if direct else None,
        left=_left(config),
        then=tuple(_then(paths, variables)),
        origins=_origins(config),
    )
    return given, config.warnings


def _in_files(config: RelayConfig, variables: Variables) -> dict[str, TakenLogin]:
    """Return the login of the environment, if its password is in a file that a variable names."""
    path = next(filter(None, map(variables.get, _PASSWORD_FILES)), "")
    if not path or variables.get("RELAY_PASSWORD"):
        return {}
    entries = [entry for entry in config.logins or () if str(entry.origin).startswith("env ")]
    return {entry.login.table_value: TakenLogin(entry.login.username, entry.login.password, path) for entry in entries}


def _then(paths: Paths, variables: Variables) -> Iterator[str]:
    names = [name for name in (*OURS, "RELAY_ROUTING") if variables.has(name)]
    files = [name for name in FILES if os.path.lexists(paths.config_dir / name)]
    if old := [*names, *files]:
        yield f"remove what relay.yaml replaces: {', '.join(old)}"
    yield f"put the files into {paths.config_dir}, and run dms-relay plan, dms-relay apply and dms-relay test"


def _senders(config: RelayConfig) -> list[Name]:
    return [Name(domain.name, f"{ANY_USER}@{domain.name}", str(domain.origin)) for domain in config.opted_out]


def _direct(now: View, view: View) -> dict[str, str]:
    """Return the TLS level of direct mail: relay.sh sets it for all mail, and ``relay.yaml`` only for relays."""
    level = view.values.get(_LEVEL)
    return {_LEVEL: level} if level and level != now.values.get(_LEVEL) else {}


def _origins(config: RelayConfig) -> Mapping[str, str]:
    found = {route.key.casefold(): str(route.origin) for route in config.routes}
    found |= {
        entry.key.casefold(): str(entry.origin) for entry in config.logins or () if entry.key.casefold() not in found
    }
    return found | ({"relayhost": str(config.default[1])} if config.default else {})


def _left(config: RelayConfig) -> tuple[Left, ...]:
    if not any(str(route.origin).startswith("env ") for route in config.routes):
        return ()
    text = "RELAY_HOST follows the mail domains of this server; relay.yaml names each of them"
    remedy = "add a domain to relay.yaml when you add one to the server"
    return (Left("env RELAY_HOST", text, remedy, is_note=True),)
