"""Reads the inputs, with one module for each. ``read`` returns all values, with every problem of every input."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from dms_relay import files
from dms_relay.files.trust import DistrustError, require_believed
from dms_relay.model import (
    AUTHORITY_LEVELS,
    MAPS,
    PARAMETERS,
    RELAY_YAML,
    SYSTEM_AUTHORITIES,
    TRANSPORTS,
    Origin,
    Problem,
    sort_problems,
)
from dms_relay.model.collection import uncollected
from dms_relay.model.configuration import Inputs
from dms_relay.model.places import lacks_mount
from dms_relay.model.senders import ManagedDomains
from dms_relay.model.values import replace
from dms_relay.sources.managed_domains import read_domains
from dms_relay.sources.near_files import report_near_files
from dms_relay.sources.near_misses import report_near_misses
from dms_relay.sources.packed_logins import packed_logins
from dms_relay.sources.postfix_main import read_own_parameters
from dms_relay.sources.relaymap import read_relaymap
from dms_relay.sources.sasl_password import read_logins
from dms_relay.sources.settings import read_settings
from dms_relay.sources.text import distrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.model import Paths, ServiceParameter, Setting
    from dms_relay.model.relays import RelayFile
    from dms_relay.sources.settings import Settings

#: The program that starts docker-mailserver (DMS), which writes ``postfix-main.cf`` into main.cf after us.
DMS_START = Path("/usr/local/bin/start-mailserver.sh")
#: The hook of our own image that applies ``postfix-main.cf`` and ``postfix-master.cf``: without it they are not ours.
USER_FILES_HOOK = Path("/docker-entrypoint.d/30-user-files")


@uncollected
def read(paths: Paths, environ: Mapping[str, str]) -> Inputs:
    """Return all inputs. Never raises an error for their content: see ``Inputs.problems``, sorted by origin.

    The managed domains are read only if ``RELAY_HOST`` is set: nothing else needs them.
    """
    problems: list[Problem] = []
    with nullcontext() if _is_one_directory(paths) else files.reading(paths.config_dir):
        _check_directory(paths, problems)
        inputs = _inputs(paths, environ, problems)
    problems.extend(packed_logins(inputs))
    return replace(inputs, problems=sort_problems(dict.fromkeys(problems)))


def _check_directory(paths: Paths, problems: list[Problem]) -> None:
    """Refuse a configuration directory that others can change, even if it is empty."""
    try:
        require_believed(str(paths.config_dir))
    except DistrustError as error:
        problems.append(distrusted(error))
    except OSError:
        pass  # it does not exist, or reading will say why it cannot be used


def _is_one_directory(paths: Paths) -> bool:
    """Return True if inputs and Postfix's configuration share a directory: we may hold its lock ourselves."""
    try:
        return paths.config_dir.samefile(paths.postfix_dir)
    except OSError:
        return False


def _inputs(paths: Paths, environ: Mapping[str, str], problems: list[Problem]) -> Inputs:
    settings = read_settings(paths, environ, problems)
    is_ours = os.access(USER_FILES_HOOK, os.X_OK)
    own = read_own_parameters(paths, problems, is_ours=is_ours)
    file = _relay_yaml(paths, settings, problems)
    report_near_misses(settings.lookup, problems)
    report_near_files(paths, environ, problems)
    if not (settings.default or settings.relay):
        problems.extend(_no_directory(paths))
    is_needed = settings.wants_domains or (file and file.recipients)
    domains = read_domains(paths, problems) if is_needed else ManagedDomains()
    if file:
        from dms_relay.sources.relay_yaml.checks import check_file  # noqa: PLC0415 -- only where the file is there

        problems.extend(check_file(file, domains))
    return Inputs(
        default=settings.default,
        relay=settings.relay,
        username=settings.username,
        password=settings.password,
        oauth2=settings.oauth2,
        relaymap=read_relaymap(paths, problems),
        logins=read_logins(paths, problems),
        domains=domains,
        user_parameters={name: own[name] for name in own if name in PARAMETERS},
        own_parameters=own,
        service_parameters=_service_parameters(paths, problems, is_ours=is_ours),
        is_user_file_last=DMS_START.exists(),
        is_user_file_ours=is_ours,
        routing=_routing(settings, file, problems),
        tls_level=settings.tls_level,
        table_type=settings.table_type,
        file=file,
        tokens=_tokens(paths, problems) if settings.oauth2 or (file and file.has_oauth2) else {},
    )


def _tokens(paths: Paths, problems: list[Problem]) -> dict[str, str]:
    from dms_relay.sources.kept_tokens import kept_tokens  # noqa: PLC0415 -- only where a login takes a token

    return kept_tokens(paths.state_dir, problems)


def _service_parameters(paths: Paths, problems: list[Problem], *, is_ours: bool) -> dict[str, ServiceParameter]:
    if not os.path.lexists(paths.config_dir / "postfix-master.cf"):
        return {}
    from dms_relay.sources.postfix_master import read_service_parameters  # noqa: PLC0415 -- only where the file is there

    return read_service_parameters(paths, problems, is_ours=is_ours)


def _relay_yaml(paths: Paths, settings: Settings, problems: list[Problem]) -> RelayFile | None:
    if not os.path.lexists(paths.config_dir / RELAY_YAML):
        return None
    from dms_relay.sources.relay_yaml import read_relay_yaml  # noqa: PLC0415 -- 60 ms, and only where the file is there

    return read_relay_yaml(paths, settings.lookup, problems)


def _routing(settings: Settings, file: RelayFile | None, problems: list[Problem]) -> str:
    """Return the value of ``RELAY_ROUTING``; ``relay.yaml`` implies transports."""
    routing = settings.routing
    if routing and routing.value == MAPS and file is not None:
        text = "there is a relay.yaml, which needs RELAY_ROUTING=transports"
        problems.append(Problem(routing.origin, text, f"remove RELAY_ROUTING={MAPS}, or remove relay.yaml"))
    found = routing.value if routing else MAPS if file is None else TRANSPORTS
    if settings.tls_level:
        _check_tls_level(settings.tls_level, found, problems)
    if settings.oauth2:
        from dms_relay.sources.oauth2_settings import check_oauth2  # noqa: PLC0415 -- only where it is set

        problems.extend(check_oauth2(settings, found))
    return found


def _check_tls_level(level: Setting, routing: str, problems: list[Problem]) -> None:
    if routing == MAPS:
        text, remedy = f"RELAY_TLS_LEVEL has no effect with RELAY_ROUTING={MAPS}", f"set RELAY_ROUTING={TRANSPORTS}"
        problems.append(Problem(level.origin, text, remedy, is_error=False, rule="setting-without-effect"))
    elif level.value in AUTHORITY_LEVELS and not Path(SYSTEM_AUTHORITIES).is_file():
        text = f"no certificate authority is configured: {SYSTEM_AUTHORITIES} does not exist"
        problems.append(Problem(level.origin, text, "install ca-certificates", rule="no-authorities"))


def nexthops_of(inputs: Inputs) -> tuple[str, ...]:
    """Return each nexthop in the inputs once, as written there."""
    routes = inputs.relaymap.routes if inputs.relaymap else ()
    lists = [route.nexthops for route in routes] + [found[0] for found in (inputs.default, inputs.relay) if found]
    lists += [relay.nexthops for relay in inputs.file.relays] if inputs.file else []
    return tuple(dict.fromkeys(member for nexthops in lists for member in nexthops.members))


def _no_directory(paths: Paths) -> Iterator[Problem]:
    is_there = os.path.isdir(paths.config_dir)  # noqa: PTH112 -- as in ``commands/apply.py``
    what = "" if is_there else "the directory does not exist"
    if what or lacks_mount(str(paths.config_dir)):
        text = f"{what or 'nothing is mounted there'}, and no relay is set, so mail goes directly"
        remedy = "mount the directory there, or set DEFAULT_RELAY_HOST"
        yield Problem(Origin(str(paths.config_dir)), text, remedy, is_error=False)
