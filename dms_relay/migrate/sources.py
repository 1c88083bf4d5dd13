"""Finds the source of an import, and reads it. Raises ``InputError`` if none fits, or several do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dms_relay.errors import InputError
from dms_relay.migrate import bokysan, juanluisbaptiste, relay_sh
from dms_relay.migrate.given import Given, machine
from dms_relay.migrate.images import given_of
from dms_relay.migrate.kinds import AUTO, BOKYSAN, JUANLUISBAPTISTE, MAIN_CF, RELAY_SH
from dms_relay.model import ROUTE_PARAMETERS, Origin, Problem
from dms_relay.postfix import main_cf
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dms_relay.migrate.environment import Variables
    from dms_relay.model import Paths


def given(source: str, paths: Paths, variables: Variables, directory: Path) -> tuple[Given, tuple[Problem, ...]]:
    """Return a source's configuration, and warnings about its inputs; an image's is written into a directory."""
    found = _found(paths, variables) if source == AUTO else source
    if found == RELAY_SH:
        return relay_sh.given_of(paths, variables)
    if found == BOKYSAN:
        return given_of(bokysan.image_of(variables), directory), ()
    if found == JUANLUISBAPTISTE:
        return given_of(juanluisbaptiste.image_of(variables), directory), ()
    return machine(paths), ()


def _found(paths: Paths, variables: Variables) -> str:
    """Return the source that exists; main.cf counts only if no other does, since an image always has one."""
    names = list(_there(paths, variables))
    if len(names) > 1:
        text = f"the inputs of {' and of '.join(names)} are there"
        raise InputError([Problem(Origin("--from"), text, f"say which: --from {' or --from '.join(names)}")])
    if names:
        return names[0]
    if any(main_cf.values(Postfix(paths.postfix_dir).read_main_cf()).get(name) for name in ROUTE_PARAMETERS):
        return MAIN_CF
    text = f"there is nothing to import: no variables of a source, no relay in {paths.main_cf}"
    remedy = "name the file with the variables (--env-file), or Postfix's directory (--postfix-dir)"
    raise InputError([Problem(Origin("--from"), text, remedy)])


def _there(paths: Paths, variables: Variables) -> Iterator[str]:
    if variables.has(*juanluisbaptiste.MARKS):
        yield JUANLUISBAPTISTE
    if variables.has(*bokysan.MARKS):
        yield BOKYSAN
    files = any(os.path.lexists(paths.config_dir / name) for name in relay_sh.FILES)
    if variables.has(*relay_sh.MARKS) or files:
        yield RELAY_SH
