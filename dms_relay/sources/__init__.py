"""One input, one module. ``read`` reads them all and hands on what it found, with every problem of every input."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.model import Inputs, Origin, Problem, sort_problems
from dms_relay.sources.managed_domains import read_domains
from dms_relay.sources.postfix_main import read_user_parameters
from dms_relay.sources.relaymap import read_relaymap
from dms_relay.sources.sasl_password import read_logins
from dms_relay.sources.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.model import Paths


def read(paths: Paths, environ: Mapping[str, str]) -> Inputs:
    """Read every input. Never raises for what stands in them: see ``Inputs.problems``, sorted by origin.

    The managed domains are read only where ``RELAY_HOST`` is set: nothing else needs them.
    """
    problems: list[Problem] = []
    with nullcontext() if _is_one_directory(paths) else files.reading(paths.config_dir):
        inputs = _inputs(paths, environ, problems)
    return replace(inputs, problems=sort_problems(problems))


def _is_one_directory(paths: Paths) -> bool:
    """Whether inputs and Postfix's configuration lie together: whoever writes Postfix's has the lock, and may be we."""
    try:
        return paths.config_dir.samefile(paths.postfix_dir)
    except OSError:
        return False


def _inputs(paths: Paths, environ: Mapping[str, str], problems: list[Problem]) -> Inputs:
    settings = read_settings(paths, environ, problems)
    if not (settings.default or settings.relay or paths.config_dir.is_dir()):
        problems.append(_no_directory(paths))
    return Inputs(
        default=settings.default,
        relay=settings.relay,
        username=settings.username,
        password=settings.password,
        relaymap=read_relaymap(paths, problems),
        logins=read_logins(paths, problems),
        domains=read_domains(paths, problems) if settings.wants_domains else (),
        user_parameters=read_user_parameters(paths, problems),
    )


def nexthops_of(inputs: Inputs) -> tuple[str, ...]:
    """Give each nexthop that the inputs name, once, as it is written there."""
    routes = inputs.relaymap.routes if inputs.relaymap else ()
    lists = [route.nexthops for route in routes] + [found[0] for found in (inputs.default, inputs.relay) if found]
    return tuple(dict.fromkeys(member for nexthops in lists for member in nexthops.members))


def _no_directory(paths: Paths) -> Problem:
    text = "there is no such directory, and no relay is set: mail goes out directly"
    return Problem(Origin(str(paths.config_dir)), text, "mount the directory there, or set DEFAULT_RELAY_HOST", False)
